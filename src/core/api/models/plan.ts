/** What a pull would do: which files, from where, and how much of them is here. Asks the source. */
import { bundledModels, findModel } from "../../backends/candle.ts";
import { sizeOf } from "../../backends/installed.ts";
import { aliasKey } from "../../download/manifest.ts";
import type { PlannedFile, PullPlan } from "../../download/pull.ts";
import { SpellError } from "../../errors.ts";
import { listRepository, planRepository, reuseCache } from "../../hub/hub.ts";
import { planRegistry } from "../../hub/ollama-registry.ts";
import { planUrl } from "../../hub/plan-url.ts";
import { type ModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import { type ModelContext, parse } from "./context.ts";
import { expectedTime } from "./expected-time.ts";
import { findPulled } from "./find.ts";
import { planForeign } from "./foreign.ts";
import { backendOf, ollamaName, unknownModel, withQuantization } from "./names.ts";
import { bundledResult } from "./pull-result.ts";
import type { PlanResult, PullRequest } from "./records.ts";
import { asHub, hubContext } from "./sources.ts";

export async function plan(context: ModelContext, text: string, pulling: PullRequest = {}): Promise<PlanResult> {
  const spec = withQuantization(parse(text, pulling.allowHosts), pulling.quantization);
  if ((await backendOf(context, spec)) === "ollama")
    return { id: context.ollama.idOf(ollamaName(spec)), backend: "ollama", sizeBytes: undefined, missingBytes: undefined };
  const bundled = spec.kind === "name" ? bundledModels.get(spec.name.toLowerCase()) : undefined;
  if (spec.kind === "name" && bundled !== undefined) {
    const { bytes_total } = bundledResult(spec.name.toLowerCase(), bundled, spec.variant);
    return { id: spec.name.toLowerCase(), backend: "candle", sizeBytes: bytes_total, missingBytes: 0 };
  }
  const there = pulling.force === true ? undefined : await findPulled(context, spec);
  if (there !== undefined) return { id: there.manifest.id, backend: "candle", sizeBytes: sizeOf(there.manifest), missingBytes: 0 };
  const plan = await planCandle(context, spec, pulling);
  let size: number | undefined = 0;
  let missing: number | undefined = 0;
  for (const file of plan.files) {
    const bytes = file.kind === "remote" ? file.remote.size : file.external.source.size;
    size = size === undefined || bytes === undefined ? undefined : size + bytes;
    const isHere =
      file.kind === "external" ||
      (file.remote.sha256 !== undefined && (await context.platform.store.lookBlob(`sha256:${file.remote.sha256}`)) !== undefined);
    if (!isHere) missing = missing === undefined || bytes === undefined ? undefined : missing + bytes;
  }
  const expected = await expectedTime(context, plan, missing);
  return {
    id: plan.id,
    backend: "candle",
    plan,
    sizeBytes: size,
    missingBytes: missing,
    expected,
  };
}

export async function planCandle(context: ModelContext, spec: ModelSpec, pull: PullRequest): Promise<PullPlan> {
  const asking = hubContext(context, pull);
  if (spec.kind === "path") return planPath(context, spec.path, pull.as);
  if (spec.kind === "url") return planUrl(spec, asking);
  if (spec.kind === "ollama") return planRegistry(spec, asking);
  const hub = await asHub(context, spec);
  if (hub === undefined) throw await unknownModel(context, spec.kind === "name" ? spec.name : printModelSpec(spec));
  if (asking.settings.offline) {
    const cached = await planForeign(context, spec);
    if (cached !== undefined) return cached;
  }
  const listing = await listRepository(hub.spec, asking);
  return reuseCache(planRepository(listing, hub, asking), hub.spec, asking);
}

/** A file or folder of the user, registered where it lies. */
async function planPath(context: ModelContext, path: string, as: string | undefined): Promise<PullPlan> {
  if (!context.platform.files.available) throw new SpellError("model-unknown", `${path} is a path, and ${context.platform.files.reason}`);
  if (as === undefined) {
    throw new SpellError("usage-value", `${path} is on this machine already; it needs no pull`, {
      hint: "Run it by its path, or give it a name:",
      commands: [`llmspell generate -m ${path} "Hello"`, `llmspell model pull ${path} --as NAME`],
    });
  }
  const { files } = await findModel(path, context.platform);
  return {
    id: as,
    key: aliasKey(as),
    source: "file",
    files: files.map((source): PlannedFile => ({ kind: "external", external: { path: source.name, source, verified: "none" } })),
  };
}
