/** The record that makes a set of files a model. Written last, so that a model is in the store completely or not at all. */
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
  /** The variant its source gives by default. */
  readonly by_default?: true | undefined;
  /** Speed of its download, for estimates. Absent where almost no bytes came, or where another process fetched a part. */
  readonly transfer?: TransferRate | undefined;
}

export interface TransferRate {
  /** host the files were asked from, before redirects */
  readonly host: string;
  /** over the network */
  readonly bytes: number;
  /** from the first request to the last check */
  readonly ms: number;
}

export interface ManifestFile {
  /** path inside the model; engines see its last part as the name */
  readonly path: string;
  readonly size: number;
  readonly sha256?: string | undefined;
  /** hash of git's blob, where no other hash of an external file is known */
  readonly git_sha1?: string | undefined;
  /** `sha256-…` of the store; either this or `external` is set */
  readonly blob?: string | undefined;
  /** path of a file outside the store */
  readonly external?: string | undefined;
  /** milliseconds since the epoch; a file with another time is hashed again */
  readonly modified_ms: number;
}

/** @throws SpellError store-corrupt */
export function checkManifest(value: unknown, key: ManifestKey): ModelManifest {
  const fail = (what: string): SpellError =>
    new SpellError("store-corrupt", `the manifest ${key.join("/")} is damaged: ${what}`, { where: key.join("/") });
  if (!isObject(value)) throw fail("expected an object");
  if (value["schema"] !== 1) throw fail(`expected schema 1, got ${JSON.stringify(value["schema"])}`);
  for (const name of ["id", "source", "format", "architecture", "quantization", "verified"]) {
    if (typeof value[name] !== "string") throw fail(`${name}: expected a text`);
  }
  for (const name of ["parameter_count", "context_length", "created_at"]) {
    if (typeof value[name] !== "number" || !Number.isFinite(value[name])) throw fail(`${name}: expected a number`);
  }
  const { transfer } = value;
  const isRate = isObject(transfer) && typeof transfer["host"] === "string" && isPositive(transfer["bytes"]) && isPositive(transfer["ms"]);
  if (transfer !== undefined && !isRate) throw fail("transfer: expected host, bytes and ms");
  const files = value["files"];
  if (!Array.isArray(files) || files.length === 0) throw fail("files: expected a list");
  if (!(files as unknown[]).every(isFile)) throw fail("files: a file is incomplete");
  return value as unknown as ModelManifest;
}

function isFile(file: unknown): boolean {
  if (!isObject(file)) return false;
  const isHex = (value: unknown, digits: number): boolean =>
    value === undefined || (typeof value === "string" && value.length === digits && /^[0-9a-f]+$/.test(value));
  return (
    typeof file["path"] === "string" &&
    Number.isSafeInteger(file["size"]) &&
    Number.isFinite(file["modified_ms"]) &&
    isHex(file["sha256"], 64) &&
    isHex(file["git_sha1"], 40) &&
    (typeof file["blob"] === "string") !== (typeof file["external"] === "string")
  );
}

function isPositive(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

/** A name of the user's choice for a model that has its own manifest. */
export interface AliasRecord {
  readonly schema: 1;
  readonly alias: string;
  readonly target: ManifestKey;
  /** id of the model, which says where it came from */
  readonly id?: string | undefined;
}

export interface StoredModel {
  readonly key: ManifestKey;
  readonly manifest: ModelManifest;
  /** its other names */
  readonly aliases: readonly string[];
}

/** All models in the store; damaged manifests are listed as errors, not thrown. */
export async function listStored(
  store: ArtifactStore,
): Promise<{ readonly models: readonly StoredModel[]; readonly damaged: readonly SpellError[] }> {
  const models: Omit<StoredModel, "aliases">[] = [];
  const records: AliasRecord[] = [];
  const damaged: SpellError[] = [];
  for (const key of await store.listManifests()) {
    try {
      const value = await store.readManifest(key);
      if (value === undefined) continue; // removed meanwhile
      if (isAlias(value)) records.push(value);
      else models.push({ key, manifest: checkManifest(value, key) });
    } catch (error) {
      if (!(error instanceof SpellError)) throw error;
      damaged.push(error);
    }
  }
  const aliasesOf = (key: ManifestKey): readonly string[] =>
    records.filter(({ target }) => target.join("\0") === key.join("\0")).map(({ alias }) => alias);
  return { models: models.map((model) => ({ ...model, aliases: aliasesOf(model.key) })), damaged };
}

export function isAlias(value: unknown): value is AliasRecord {
  return isObject(value) && typeof value["alias"] === "string" && Array.isArray(value["target"]);
}

export function aliasKey(name: string): ManifestKey {
  return ["as", name.toLowerCase()];
}
