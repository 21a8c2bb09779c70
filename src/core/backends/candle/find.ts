/** Installed models: in the store, or where another tool keeps them. */
import { aliasKey, listStored, type StoredModel } from "../../download/manifest.ts";
import { SpellError } from "../../errors.ts";
import { baseName } from "../../file-names.ts";
import { findEntry } from "../../hub/catalogue.ts";
import type { ManifestKey } from "../../platform.ts";
import { checkHost, hostsToAllow, type ModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import { definedOnly } from "../../values.ts";
import { unknownModel } from "../unknown-model.ts";
import { bundledModels } from "./bundled.ts";
import { allowedHosts, type CandleContext } from "./context.ts";
import { findForeign, lookForeign } from "./foreign.ts";
import { findDamaged, findInstalled, type InstalledModel, openInstalled } from "./installed.ts";
import { filesOfModel, type ModelFiles } from "./layout.ts";

/** Whether a name is in the catalogue, or was given to a model. */
export async function isKnownName(context: CandleContext, name: string): Promise<boolean> {
  if (bundledModels.has(name.toLowerCase()) || findEntry(await context.catalogue(), name) !== undefined) return true;
  return (await context.platform.store.readManifest(aliasKey(name))) !== undefined;
}

/** The files of a model that is installed. @throws SpellError model-not-installed, model-unknown, store-* */
export async function locateInstalled(context: CandleContext, spec: ModelSpec, signal?: AbortSignal): Promise<ModelFiles> {
  const found = (await find(context, spec)) ?? (await findForeign(context, spec));
  if (found === undefined) throw await notInstalled(context, spec);
  return filesOfModel(found.manifest.id, await openInstalled(found, context.platform, signal), found.variant);
}

export async function find(context: CandleContext, spec: ModelSpec): Promise<InstalledModel | undefined> {
  const catalogue = await context.catalogue();
  try {
    return await findInstalled(spec, context, catalogue);
  } catch (error) {
    const isMended = spec.kind !== "name" || findEntry(catalogue, spec.name) !== undefined;
    if (!(error instanceof SpellError) || error.code !== "store-corrupt" || error.actions.length > 0 || !isMended) throw error;
    const model = printModelSpec(spec);
    throw error.with({ actions: [{ kind: "pull", model, ...definedOnly({ allowHosts: hostsToAllow(model) }) }] });
  }
}

/** Manifests that a name leads to and that cannot be read. */
export async function damagedOf(context: CandleContext, spec: ModelSpec): Promise<readonly ManifestKey[]> {
  return findDamaged(spec, context.platform, await context.catalogue());
}

/**
 * A model that a pull would leave as it is; a damaged or incomplete one does not count. Where no variant is named it must be the one
 * that the source gives then.
 */
export async function findPulled(context: CandleContext, spec: ModelSpec): Promise<StoredModel | undefined> {
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
  const isDefault =
    manifest.format !== "gguf" || manifest.by_default === true || key.at(-1) === context.settings.defaultQuantization.toLowerCase();
  return !isOpen || isDefault ? found : undefined;
}

async function isWhole(context: CandleContext, { manifest }: StoredModel): Promise<boolean> {
  for (const { blob, external, size, path } of manifest.files) {
    if (blob !== undefined && (await context.platform.store.lookBlob(blob).catch(() => undefined))?.size !== size) return false;
    if (external !== undefined && (await context.platform.foreign?.openFile(external, baseName(path)))?.size !== size) return false;
  }
  return true;
}

export async function notInstalled(context: CandleContext, spec: ModelSpec): Promise<SpellError> {
  if (spec.kind === "url") checkHost(new URL(spec.url), allowedHosts(context)); // it would have to be asked
  const catalogue = await context.catalogue();
  if (spec.kind === "name" && !(await isKnownName(context, spec.name))) return unknownModel(spec.name, catalogue);
  const entry = spec.kind === "name" ? findEntry(catalogue, spec.name) : undefined;
  // in the catalogue's spelling
  const id =
    spec.kind === "name"
      ? `${entry?.name ?? spec.name}${spec.variant === undefined ? "" : `:${spec.variant.toUpperCase()}`}`
      : printModelSpec(spec);
  const { models } = await listStored(context.platform.store);
  const similar = models.filter(({ manifest }) => manifest.id.split(":")[0] === id.split(":")[0]).map(({ manifest }) => manifest.id);
  const isUsual = spec.kind === "name" && [undefined, entry?.defaultQuant?.toLowerCase()].includes(spec.variant?.toLowerCase());
  const size = entry === undefined || !isUsual ? "" : `; it has about ${Math.round(entry.sizeBytes / 1e6)} MB`;
  const here = similar.length === 0 ? "" : `; installed is ${similar.join(", ")}`;
  const backend = spec.kind === "url" ? "candle" : context.provider;
  return new SpellError("model-not-installed", `${id} is not in ${context.platform.store.place}${size}${here}`, {
    actions: [{ kind: "pull", model: printModelSpec({ ...spec, backend }) }],
    details: { modelId: id, ...(entry && isUsual && { sizeBytes: entry.sizeBytes }) },
  });
}
