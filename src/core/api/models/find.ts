/** Models that are here: in the store, or where another tool keeps them. */
import { bundledModels, type ModelFiles } from "../../backends/candle.ts";
import { findEntry } from "../../backends/catalogue.ts";
import { findInstalled, type InstalledModel, openInstalled } from "../../backends/installed.ts";
import { listStored } from "../../download/manifest.ts";
import { SpellError } from "../../errors.ts";
import { type ModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import type { ModelContext } from "./context.ts";
import { findForeign } from "./foreign.ts";
import { isKnownName, unknownModel } from "./names.ts";

export async function find(context: ModelContext, spec: ModelSpec): Promise<InstalledModel | undefined> {
  return findInstalled(spec, { platform: context.platform, settings: context.settings, catalogue: await context.catalogue() });
}

export async function notInstalled(context: ModelContext, spec: ModelSpec): Promise<SpellError> {
  if (spec.kind === "name" && !(await isKnownName(context, spec.name))) return unknownModel(context, spec.name);
  const id = await printKnown(context, spec);
  const { models } = await listStored(context.platform.store);
  const similar = models.filter(({ manifest }) => manifest.id.split(":")[0] === id.split(":")[0]).map(({ manifest }) => manifest.id);
  const entry = spec.kind === "name" ? findEntry(await context.catalogue(), spec.name) : undefined;
  const size = entry === undefined ? "" : `; it has about ${Math.round(entry.sizeBytes / 1e6)} MB`;
  const here = similar.length === 0 ? "" : `; here is ${similar.join(", ")}`;
  return new SpellError("model-not-installed", `${id} is not in ${context.platform.store.place}${size}${here}`, {
    commands: [`llmspell model pull ${printModelSpec({ ...spec, backend: "candle" })}`],
    details: { modelId: id, ...(entry === undefined ? {} : { sizeBytes: entry.sizeBytes }) },
  });
}

/** In the catalogue's spelling. */
async function printKnown(context: ModelContext, spec: ModelSpec): Promise<string> {
  if (spec.kind !== "name") return printModelSpec(spec).replace(/@candle$/, "");
  const entry = findEntry(await context.catalogue(), spec.name);
  return `${entry?.name ?? spec.name}${spec.variant === undefined ? "" : `:${spec.variant.toUpperCase()}`}`;
}

/** Files of a model that is here. Bundled names and paths go on as they are. */
export async function resolve(context: ModelContext, spec: ModelSpec, signal?: AbortSignal): Promise<string | ModelFiles> {
  if (spec.kind === "path") return spec.path;
  if (spec.kind === "name" && bundledModels.has(spec.name.toLowerCase()))
    return printModelSpec({ kind: "name", name: spec.name, ...(spec.variant === undefined ? {} : { variant: spec.variant }) });
  const found = (await find(context, spec)) ?? (await findForeign(context, spec));
  if (found === undefined) throw await notInstalled(context, spec);
  const files = await openInstalled(found, context.platform, signal);
  return { id: found.manifest.id, files, ...(found.variant === undefined ? {} : { variant: found.variant }) };
}
