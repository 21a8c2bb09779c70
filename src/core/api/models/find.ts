/** Models that are here: in the store, or where another tool keeps them. */
import { bundledModels, type ModelFiles } from "../../backends/candle.ts";
import { findInstalled, type InstalledModel, openInstalled } from "../../backends/installed.ts";
import { listStored, type StoredModel } from "../../download/manifest.ts";
import { baseName } from "../../download/pull.ts";
import { SpellError } from "../../errors.ts";
import { findEntry } from "../../hub/catalogue.ts";
import { type ModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import type { ModelContext } from "./context.ts";
import { findForeign, lookForeign } from "./foreign.ts";
import { isKnownName, unknownModel } from "./names.ts";

export async function find(context: ModelContext, spec: ModelSpec): Promise<InstalledModel | undefined> {
  return findInstalled(spec, { platform: context.platform, settings: context.settings, catalogue: await context.catalogue() });
}

/**
 * A model that a pull would leave as it is, so that nobody need be asked; what is damaged or lacks a file is none. Where no variant is named it must be
 * the one that the source gives then: another one that is here is no answer.
 */
export async function findPulled(context: ModelContext, spec: ModelSpec): Promise<StoredModel | undefined> {
  const there = await find(context, spec).catch((error: unknown) => {
    if (error instanceof SpellError && (error.code === "store-corrupt" || error.code === "model-ambiguous")) return undefined;
    throw error;
  });
  const found = there !== undefined && (await isWhole(context, there)) ? there : await lookForeign(context, spec);
  if (found === undefined) return undefined;
  const { key, manifest } = found;
  const isOpen =
    (spec.kind === "hf" && spec.variant === undefined && spec.file === undefined) ||
    (spec.kind === "name" && spec.variant === undefined && findEntry(await context.catalogue(), spec.name) !== undefined);
  const isUsual =
    manifest.format !== "gguf" || manifest.by_default === true || key.at(-1) === context.settings.defaultQuantization.toLowerCase();
  return !isOpen || isUsual ? found : undefined;
}

async function isWhole(context: ModelContext, { manifest }: StoredModel): Promise<boolean> {
  for (const { blob, external, size, path } of manifest.files) {
    if (blob !== undefined && (await context.platform.store.lookBlob(blob).catch(() => undefined))?.size !== size) return false;
    if (external !== undefined && (await context.platform.foreign?.openFile(external, baseName(path)))?.size !== size) return false;
  }
  return true;
}

export async function notInstalled(context: ModelContext, spec: ModelSpec): Promise<SpellError> {
  if (spec.kind === "name" && !(await isKnownName(context, spec.name))) return unknownModel(context, spec.name);
  const id = await printKnown(context, spec);
  const { models } = await listStored(context.platform.store);
  const backend = spec.kind === "url" ? "candle" : context.settings.candleProvider;
  const similar = models.filter(({ manifest }) => manifest.id.split(":")[0] === id.split(":")[0]).map(({ manifest }) => manifest.id);
  const entry = spec.kind === "name" ? findEntry(await context.catalogue(), spec.name) : undefined;
  const size = entry === undefined ? "" : `; it has about ${Math.round(entry.sizeBytes / 1e6)} MB`;
  const here = similar.length === 0 ? "" : `; here is ${similar.join(", ")}`;
  return new SpellError("model-not-installed", `${id} is not in ${context.platform.store.place}${size}${here}`, {
    commands: [`llmspell model pull ${printModelSpec({ ...spec, backend })}`],
    details: { modelId: id, sizeBytes: entry?.sizeBytes },
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
    return printModelSpec({ kind: "name", name: spec.name, variant: spec.variant });
  const found = (await find(context, spec)) ?? (await findForeign(context, spec));
  if (found === undefined) throw await notInstalled(context, spec);
  const files = await openInstalled(found, context.platform, signal);
  return { id: found.manifest.id, files, variant: found.variant };
}
