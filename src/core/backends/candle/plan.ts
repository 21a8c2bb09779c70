/** Which files a pull fetches, and from where; asks the source. */
import { aliasKey, checkManifest, isAlias } from "../../download/manifest.ts";
import type { PullPlan } from "../../download/pull.ts";
import { SpellError } from "../../errors.ts";
import { completePlan, listRepository, planRepository, reuseCache } from "../../hub/hub.ts";
import { planRegistry } from "../../hub/ollama-registry.ts";
import { planUrl } from "../../hub/plan-url.ts";
import { checkHost, type ModelSpec, type NameSpec, parseModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import type { PullOptions } from "../models.ts";
import { unknownModel } from "../unknown-model.ts";
import { type CandleContext, hubContext } from "./context.ts";
import { planForeign } from "./foreign.ts";
import { pathOf } from "./installed.ts";
import { filesRead } from "./layout.ts";
import { locate } from "./locate.ts";
import { readModel } from "./read.ts";
import { asHub } from "./sources.ts";

/** @throws SpellError net-*, model-*, spec-*, usage-value */
export async function planPull(context: CandleContext, given: ModelSpec, options: PullOptions): Promise<PullPlan> {
  const asking = hubContext(context, options);
  const named = given.kind === "name" ? await recorded(context, given) : undefined;
  const spec = named?.spec ?? given;
  if (spec.kind === "path") return planPath(context, spec.path, options.as ?? named?.as);
  if (spec.kind === "url" && named !== undefined) checkHostOf(spec.url, given, asking.allowHosts ?? [], options.force);
  if (spec.kind === "url") return planUrl(spec, asking);
  if (spec.kind === "registry") return planRegistry(spec, asking);
  const hub = await asHub(context, spec);
  if (hub === undefined) throw unknownModel(spec.kind === "name" ? spec.name : printModelSpec(spec), await context.catalogue());
  if (asking.settings.offline) {
    const cached = await planForeign(context, spec);
    if (cached !== undefined) return cached;
  }
  const listing = await listRepository(hub.spec, asking);
  return completePlan(await reuseCache(planRepository(listing, hub, asking), hub.spec, asking), asking);
}

/** What a name that a person gave stands for: where its record says that the model is from. @returns undefined for other names */
async function recorded(
  { platform: { store } }: CandleContext,
  { name, variant }: NameSpec,
): Promise<{ readonly spec: ModelSpec; readonly as: string } | undefined> {
  const value = await store.readManifest(aliasKey(name));
  if (isAlias(value)) {
    if (value.id === undefined) return undefined;
    const spec = parseModelSpec(value.id, { allowHosts: "any" });
    return { spec: variant === undefined || spec.kind !== "hf" ? spec : { ...spec, variant }, as: value.alias };
  }
  if (value === undefined) return undefined;
  const manifest = checkManifest(value, aliasKey(name));
  const path = pathOf(manifest, store);
  return path === undefined ? undefined : { spec: { kind: "path", path }, as: manifest.id };
}

/** A host that had to be allowed has to be again. @throws SpellError spec-host with the pull of that name */
function checkHostOf(url: string, name: ModelSpec, allowed: readonly string[], force?: boolean): void {
  try {
    checkHost(new URL(url), allowed);
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    const model = printModelSpec(name);
    throw error.with({ actions: error.actions.map((action) => (action.kind === "pull" ? { ...action, model, force } : action)) });
  }
}

/** A file or folder of the user, registered where it lies. */
async function planPath(context: CandleContext, path: string, as: string | undefined): Promise<PullPlan> {
  const found = await locate(context, { kind: "path", path });
  if (as === undefined) {
    throw new SpellError("usage-value", `${path} is on this machine already; it needs no pull`, {
      hint: "Run it by its path, or give it a name:",
      actions: [
        { kind: "run", model: path },
        { kind: "pull", model: path, as: "NAME" },
      ],
    });
  }
  const { kind, files } = await readModel(found);
  return {
    id: as,
    key: aliasKey(as),
    source: "file",
    files: filesRead(kind, files).map((source) => ({ kind: "external", external: { path: source.name, source, verified: "none" } })),
  };
}
