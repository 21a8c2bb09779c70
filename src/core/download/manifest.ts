/** The record that makes a set of files a model. Written last, so a model is in the store completely or not at all. */
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { ArtifactStore, ManifestKey } from "../platform.ts";

export type Verified = "sha256" | "size" | "none";

/** Field names are those of the file, and of lists that programs read. */
export interface ModelManifest {
  readonly schema: 1;
  /** usable as a model spec again */
  readonly id: string;
  /** `hf:owner/repo`, `ollama:name`, an address, `hf-cache`, `ollama-store`, `file` */
  readonly source: string;
  readonly revision?: string | undefined;
  readonly files: readonly ManifestFile[];
  readonly format: "gguf" | "safetensors" | "onnx";
  readonly architecture: string;
  readonly quantization: string;
  readonly parameter_count: number;
  readonly context_length: number;
  readonly license?: string | undefined;
  readonly license_url?: string | undefined;
  readonly verified: Verified;
  /** seconds since the epoch */
  readonly created_at: number;
  /** What its source gives where nobody names a variant. */
  readonly by_default?: true | undefined;
  /** How fast it came, for those who ask how long the next one will take. Absent where next to nothing came, or where we waited for another process. */
  readonly transfer?: TransferRate | undefined;
}

export interface TransferRate {
  /** host the files were asked from, before redirects */
  readonly host: string;
  /** that came over the network */
  readonly bytes: number;
  /** until the last of them was checked */
  readonly ms: number;
}

export interface ManifestFile {
  /** path inside the model; its last part is the name engines see */
  readonly path: string;
  readonly size: number;
  readonly sha256?: string | undefined;
  /** hash of git's blob, where the owner of an external file recorded no other */
  readonly git_sha1?: string | undefined;
  /** `sha256-…` of the store, */
  readonly blob?: string | undefined;
  /** or the path of a file that belongs to somebody else */
  readonly external?: string | undefined;
  /** milliseconds since the epoch; the file is hashed anew when it has another time */
  readonly modified_ms: number;
}

/** @throws SpellError store-corrupt for a manifest that is none of ours */
export function checkManifest(value: unknown, key: ManifestKey): ModelManifest {
  const fail = (what: string): SpellError =>
    new SpellError("store-corrupt", `the manifest ${key.join("/")} is damaged: ${what}`, { where: key.join("/") });
  if (!isObject(value)) throw fail("it is no object");
  if (value["schema"] !== 1) throw fail(`it has schema ${JSON.stringify(value["schema"])}; wanted 1`);
  for (const name of ["id", "source", "format", "architecture", "quantization", "verified"]) {
    if (typeof value[name] !== "string") throw fail(`${name} is no text`);
  }
  for (const name of ["parameter_count", "context_length", "created_at"]) {
    if (typeof value[name] !== "number" || !Number.isFinite(value[name])) throw fail(`${name} is no number`);
  }
  const { transfer } = value;
  const isRate = isObject(transfer) && typeof transfer["host"] === "string" && isPositive(transfer["bytes"]) && isPositive(transfer["ms"]);
  if (transfer !== undefined && !isRate) throw fail("transfer is no rate");
  const files = value["files"];
  if (!Array.isArray(files) || files.length === 0) throw fail("it names no files");
  for (const file of files as unknown[]) {
    const isWhole =
      isObject(file) &&
      typeof file["path"] === "string" &&
      Number.isSafeInteger(file["size"]) &&
      Number.isFinite(file["modified_ms"]) &&
      (file["sha256"] === undefined || (typeof file["sha256"] === "string" && /^[0-9a-f]{64}$/.test(file["sha256"]))) &&
      (file["git_sha1"] === undefined || (typeof file["git_sha1"] === "string" && /^[0-9a-f]{40}$/.test(file["git_sha1"]))) &&
      (typeof file["blob"] === "string") !== (typeof file["external"] === "string");
    if (!isWhole) throw fail("a file of it is not told completely");
  }
  return value as unknown as ModelManifest;
}

function isPositive(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

/** A name given with --as to a model that has a manifest of its own. */
export interface AliasRecord {
  readonly schema: 1;
  readonly alias: string;
  readonly target: ManifestKey;
}

export interface StoredModel {
  readonly key: ManifestKey;
  readonly manifest: ModelManifest;
  /** other names it has */
  readonly aliases: readonly string[];
}

/** Everything in the store; what is damaged is told apart, not thrown. */
export async function listStored(
  store: ArtifactStore,
): Promise<{ readonly models: readonly StoredModel[]; readonly damaged: readonly SpellError[] }> {
  const models: { readonly key: ManifestKey; readonly manifest: ModelManifest }[] = [];
  const aliases: AliasRecord[] = [];
  const damaged: SpellError[] = [];
  for (const key of await store.listManifests()) {
    try {
      const value = await store.readManifest(key);
      if (value === undefined) continue; // removed meanwhile
      if (isAlias(value)) aliases.push(value);
      else models.push({ key, manifest: checkManifest(value, key) });
    } catch (error) {
      if (!(error instanceof SpellError)) throw error;
      damaged.push(error);
    }
  }
  const sameKey = (a: ManifestKey, b: ManifestKey): boolean => a.join("\0") === b.join("\0");
  return {
    models: models.map((model) => ({
      ...model,
      aliases: aliases.filter(({ target }) => sameKey(target, model.key)).map(({ alias }) => alias),
    })),
    damaged,
  };
}

export function isAlias(value: unknown): value is AliasRecord {
  return isObject(value) && typeof value["alias"] === "string" && Array.isArray(value["target"]);
}

export function aliasKey(name: string): ManifestKey {
  return ["as", name.toLowerCase()];
}
