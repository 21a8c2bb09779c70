/** Which files a pull fetches, and from where; asks the source. */
import { aliasKey } from "../../download/manifest.ts";
import type { PullPlan } from "../../download/pull.ts";
import { SpellError } from "../../errors.ts";
import { completePlan, listRepository, planRepository, reuseCache } from "../../hub/hub.ts";
import { planRegistry } from "../../hub/ollama-registry.ts";
import { planUrl } from "../../hub/plan-url.ts";
import { type ModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import type { PullOptions } from "../models.ts";
import { unknownModel } from "../unknown-model.ts";
import { type CandleContext, hubContext } from "./context.ts";
import { planForeign } from "./foreign.ts";
import { filesOfPath, filesRead } from "./layout.ts";
import { readModel } from "./read.ts";
import { asHub } from "./sources.ts";

/** @throws SpellError net-*, model-*, spec-*, usage-value */
export async function planPull(context: CandleContext, spec: ModelSpec, options: PullOptions): Promise<PullPlan> {
  const asking = hubContext(context, options);
  if (spec.kind === "path") return planPath(context, spec.path, options.as);
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

/** A file or folder of the user, registered where it lies. */
async function planPath({ platform }: CandleContext, path: string, as: string | undefined): Promise<PullPlan> {
  if (as === undefined) {
    throw new SpellError("usage-value", `${path} is on this machine already; it needs no pull`, {
      hint: "Run it by its path, or give it a name:",
      actions: [
        { kind: "run", model: path },
        { kind: "pull", model: path, as: "NAME" },
      ],
    });
  }
  const { kind, files } = await readModel(await filesOfPath(platform, path));
  return {
    id: as,
    key: aliasKey(as),
    source: "file",
    files: filesRead(kind, files).map((source) => ({ kind: "external", external: { path: source.name, source, verified: "none" } })),
  };
}
