/** Models of the store: found by what a user types, opened file by file, and held to what was written down about them. */

import { hashBytes } from "../../download/hash-bytes.ts";
import { aliasKey, checkManifest, isAlias, type ManifestFile, type ModelManifest, type StoredModel } from "../../download/manifest.ts";
import { SpellError } from "../../errors.ts";
import { baseName } from "../../file-names.ts";
import { type ByteSource, totalSize } from "../../formats/byte-source.ts";
import { formatCount } from "../../formats/format-count.ts";
import { parseShardName } from "../../gguf/shards.ts";
import { type CatalogueEntry, findEntry } from "../../hub/catalogue.ts";
import { isSameQuant } from "../../hub/gguf-names.ts";
import { hubPrefix } from "../../hub/hub.ts";
import { registryKey } from "../../hub/ollama-registry.ts";
import { hashOf } from "../../hub/plan-url.ts";
import type { ModelSettings } from "../../hub/settings.ts";
import type { ArtifactStore, ManifestKey, Platform } from "../../platform.ts";
import type { Action } from "../../spec/action.ts";
import { hostsToAllow, type ModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import type { Seq2SeqVariant } from "../../spec/runtime.ts";
import { definedOnly } from "../../values.ts";
import { asT5Variant, variantsOfT5 } from "./bundled.ts";
import type { CandleContext } from "./context.ts";
import { placeOf } from "./layout.ts";

export interface InstalledModel extends StoredModel {
  /** of T5: form made at load */
  readonly variant?: Seq2SeqVariant | undefined;
}

/**
 * @returns undefined where nothing of the kind is in the store
 * @throws SpellError model-variant-unknown, model-ambiguous, store-corrupt
 */
export async function findInstalled(
  spec: ModelSpec,
  { platform, settings }: Pick<CandleContext, "platform" | "settings">,
  catalogue: readonly CatalogueEntry[],
): Promise<InstalledModel | undefined> {
  const { store } = platform;
  const read = async (key: ManifestKey): Promise<StoredModel | undefined> => {
    const value = await store.readManifest(key);
    if (value === undefined) return undefined;
    if (isAlias(value)) return value.target[0] === "as" ? undefined : read(value.target);
    return { key, manifest: checkManifest(value, key), aliases: [] };
  };
  switch (spec.kind) {
    case "path":
      return undefined;
    case "url": {
      const url = new URL(spec.url);
      const prefix = ["url", url.hostname.toLowerCase(), await hashOf(spec.url)];
      const [found] = await under(prefix, platform);
      return found !== undefined && isPinned(found, spec.sha256) ? found : undefined;
    }
    case "registry":
      return read(registryKey(spec));
    case "hf": {
      const depth = spec.revision === undefined ? 4 : 5;
      const models = (await under(hubPrefix(spec), platform)).filter(({ key }) => key.length === depth);
      if (spec.file !== undefined) return models.find(({ key }) => key.at(-1) === spec.file?.toLowerCase());
      return chooseVariant(printModelSpec(spec), models, spec.variant, settings);
    }
    case "name": {
      const named = await read(aliasKey(spec.name));
      if (named !== undefined) return withVariant(named, spec.variant);
      const entry = findEntry(catalogue, spec.name);
      if (entry === undefined) return undefined;
      return chooseVariant(entry.name, await under(["catalogue", entry.name.toLowerCase()], platform), spec.variant, settings);
    }
    default:
      return spec satisfies never;
  }
}

/** Damaged manifests that a name leads to; nobody can say more of their models than where they lie. */
export async function findDamaged(
  spec: ModelSpec,
  { store }: Platform,
  catalogue: readonly CatalogueEntry[],
): Promise<readonly ManifestKey[]> {
  const read = (key: ManifestKey): Promise<unknown> => store.readManifest(key).catch(() => null);
  const isDamaged = (value: unknown, key: ManifestKey): boolean => {
    try {
      return value !== undefined && !isAlias(value) && checkManifest(value, key) === undefined;
    } catch {
      return true;
    }
  };
  const found: ManifestKey[] = [];
  const look = async (prefix: ManifestKey, length: number, last?: string): Promise<void> => {
    for (const key of await store.listManifests()) {
      const isMeant = key.length === length && prefix.every((part, at) => key[at] === part);
      if (isMeant && [undefined, key.at(-1)].includes(last?.toLowerCase()) && isDamaged(await read(key), key)) found.push(key);
    }
  };
  if (spec.kind === "url") await look(["url", new URL(spec.url).hostname.toLowerCase(), await hashOf(spec.url)], 4);
  if (spec.kind === "registry") await look(registryKey(spec), registryKey(spec).length);
  if (spec.kind === "hf") await look(hubPrefix(spec), spec.revision === undefined ? 4 : 5, spec.file ?? spec.variant);
  if (spec.kind === "name") {
    const own = aliasKey(spec.name);
    const value = await read(own);
    const key = isAlias(value) ? value.target : own;
    const entry = findEntry(catalogue, spec.name);
    if (value !== undefined) await look(key, key.length);
    else if (entry !== undefined) await look(["catalogue", entry.name.toLowerCase()], 3, spec.variant);
  }
  return found;
}

/** Other bytes than the name promises are not what was named. Of a split model no hash is promised. */
function isPinned({ manifest: { files } }: StoredModel, sha256: string | undefined): boolean {
  return sha256 === undefined || files.length > 1 || files[0]?.sha256 === sha256;
}

async function under(prefix: ManifestKey, { store }: Platform): Promise<readonly StoredModel[]> {
  const keys = (await store.listManifests()).filter((key) => prefix.every((part, index) => key[index] === part));
  const found = await Promise.all(
    keys.map(async (key) => {
      const value = await store.readManifest(key);
      return value === undefined || isAlias(value) ? [] : [{ key, manifest: checkManifest(value, key), aliases: [] }];
    }),
  );
  return found.flat();
}

/** Given: exactly that. Not given: the default if it is there, else the only one. */
function chooseVariant(
  name: string,
  models: readonly StoredModel[],
  variant: string | undefined,
  { defaultQuantization }: ModelSettings,
): InstalledModel | undefined {
  const t5 = models.find(({ key }) => key.at(-1) === "t5");
  if (t5 !== undefined && (variant === undefined || asT5Variant(variant) !== undefined)) return withVariant(t5, variant);
  if (variant !== undefined) {
    const exact = models.find(({ key }) => key.at(-1) === variant.toLowerCase());
    if (exact === undefined && t5 !== undefined && models.length === 1) return withVariant(t5, variant);
    return exact ?? models.find(({ key }) => isSameQuant(variant, key.at(-1) ?? "")); // not here is not unknown: the source may have it
  }
  const [only, second] = models;
  const usual = models.find(({ key }) => key.at(-1) === defaultQuantization.toLowerCase());
  if (usual !== undefined || second === undefined) return usual ?? only;
  const sizes = models.map(({ manifest }) => `${manifest.id} (${formatCount(sizeOf(manifest))} bytes)`).join(", ");
  throw new SpellError("model-ambiguous", `${name} is here in several variants: ${sizes}`, {
    hint: "Name one of them.",
    actions: [{ kind: "run", model: models[0]?.manifest.id ?? name }],
  });
}

function withVariant(model: StoredModel, variant: string | undefined): InstalledModel {
  if (variant === undefined || model.manifest.format === "gguf") return model;
  const form = asT5Variant(variant);
  if (form !== undefined) return { ...model, variant: form };
  throw new SpellError("model-variant-unknown", `${model.manifest.id} has no variant ${variant}; available: ${variantsOfT5.join(", ")}`, {
    actions: [{ kind: "run", model: `${model.manifest.id}:${variantsOfT5[0]}` }],
  });
}

/** Whether each file is there; of those of the store a damaged one counts. */
export async function hasAll(
  { platform: { store, foreign } }: Pick<CandleContext, "platform">,
  { manifest }: StoredModel,
): Promise<boolean> {
  const found = manifest.files.map(async ({ blob, external }) => {
    if (external !== undefined) return (await foreign?.openFile(external, baseName(external))) !== undefined;
    return blob === undefined || (await store.lookBlob(blob).catch(() => true)) !== undefined;
  });
  return (await Promise.all(found)).every(Boolean);
}

/** Where a model is; of the user's own folder that folder. */
export function pathOf({ files: [first], source, format }: ModelManifest, { place }: Pick<ArtifactStore, "place">): string | undefined {
  if (first?.external !== undefined) return placeOf(source !== "file" || format === "gguf", first.external);
  return first?.blob === undefined ? undefined : `${place}/blobs/${first.blob}`;
}

export function sizeOf({ files }: ModelManifest): number {
  return totalSize(files);
}

/**
 * All files of a model, checked for size and time; what has another time is hashed once.
 * @throws SpellError store-corrupt, store-evicted, with the pull command
 */
export async function openInstalled(
  { manifest, key }: StoredModel,
  platform: Platform,
  signal?: AbortSignal,
): Promise<readonly ByteSource[]> {
  const isSplit = manifest.files.some(({ path }) => parseShardName(baseName(path)) !== undefined);
  const sources: ByteSource[] = [];
  let files: readonly ManifestFile[] = manifest.files;
  for (const [index, file] of manifest.files.entries()) {
    const source = await openFile(file, manifest, platform, isSplit ? key.join("/") : undefined);
    const isOwn = file.blob !== undefined;
    if (source.size !== file.size && (isOwn || file.sha256 !== undefined))
      throw changed(file, manifest, `${formatCount(file.size)} bytes`, `${formatCount(source.size)} bytes`);
    if (file.sha256 !== undefined && source.modifiedMs !== undefined && source.modifiedMs !== file.modified_ms) {
      const got = await hashBytes(source, platform.store, "sha256", signal);
      if (got !== file.sha256) throw changed(file, manifest, `sha256 ${file.sha256}`, got);
      files = files.map((each, at) => (at === index ? { ...each, modified_ms: source.modifiedMs ?? each.modified_ms } : each));
    }
    sources.push(source);
  }
  if (files !== manifest.files) await platform.store.writeManifest(key, { ...manifest, files }).catch(() => undefined);
  return sources;
}

async function openFile(file: ManifestFile, manifest: ModelManifest, platform: Platform, group: string | undefined): Promise<ByteSource> {
  const name = baseName(file.path);
  try {
    if (file.blob !== undefined) return await platform.store.openBlob(file.blob, name, group);
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    throw error.with({ message: `${manifest.id}: ${error.message}`, where: file.path, actions: [pullAgain(manifest)] });
  }
  const source = await platform.foreign?.openFile(file.external ?? "", name);
  if (source !== undefined) return source;
  throw gone(file, manifest);
}

function gone({ path, external = "" }: ManifestFile, { id, source, format }: ModelManifest): SpellError {
  if (source !== "file") {
    return new SpellError("store-evicted", `${id}: ${external} is gone; another tool kept it`, {
      where: path,
      actions: [{ kind: "pull", model: id }],
    });
  }
  const own = placeOf(format === "gguf", external);
  return new SpellError("store-evicted", `${id}: ${external} is gone; it is your own file`, {
    where: path,
    hint: "Put it back; or, where it lies elsewhere now, give that place the name:",
    actions: [{ kind: "pull", model: own, as: id }],
  });
}

function changed(file: ManifestFile, manifest: ModelManifest, wanted: string, got: string): SpellError {
  return new SpellError("store-corrupt", `${manifest.id}: ${file.path} was changed since it was stored: expected ${wanted}, got ${got}`, {
    where: file.path,
    actions: [pullAgain(manifest)],
    details: { wanted, got },
  });
}

function pullAgain({ id }: ModelManifest): Action {
  return { kind: "pull", model: id, force: true, ...definedOnly({ allowHosts: hostsToAllow(id) }) };
}
