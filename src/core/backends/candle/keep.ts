/** Looking after the store: removing, hashing anew, deleting what is not used. Files of others are never deleted. */
import { hashBytes } from "../../download/hash-bytes.ts";
import { aliasKey, isAlias, listStored, type ManifestFile, type ModelManifest, type StoredModel } from "../../download/manifest.ts";
import { usedBlobs } from "../../download/pull.ts";
import { SpellError } from "../../errors.ts";
import { baseName } from "../../file-names.ts";
import type { ByteSource } from "../../formats/byte-source.ts";
import { formatCount } from "../../formats/format-count.ts";
import type { ArtifactStore, ManifestKey } from "../../platform.ts";
import { type ModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import type { PrunedItem, PruneOptions, RemoveResult, VerifyOptions, VerifyResult } from "../models.ts";
import { type BundledModel, bundledModels } from "./bundled.ts";
import type { CandleContext } from "./context.ts";
import { damagedOf, find, notInstalled } from "./find.ts";
import { findForeign, foreignSources, lookForeign } from "./foreign.ts";
import { locate } from "./locate.ts";

export async function remove(context: CandleContext, spec: ModelSpec): Promise<RemoveResult> {
  if (spec.kind === "name" && bundledModels.has(spec.name.toLowerCase())) {
    throw new SpellError("model-bundled", `${spec.name} cannot be removed`);
  }
  if (spec.kind === "path") {
    const message = `${spec.path} is your own file, not in ${context.platform.store.place}; it is never deleted here`;
    throw new SpellError("model-not-installed", message, { hint: "Delete it yourself." });
  }
  let found: StoredModel | undefined;
  try {
    found = (await find(context, spec)) ?? (await lookForeign(context, spec));
  } catch (error) {
    const keys = error instanceof SpellError && error.code === "store-corrupt" ? await damagedOf(context, spec) : [];
    if (keys.length === 0) throw error;
    return removeDamaged(context, spec, keys);
  }
  if (found === undefined) throw await notInstalled(context, spec);
  const { store } = context.platform;
  const { models } = await listStored(store);
  const aliases = models.find(({ key }) => key.join("\0") === found.key.join("\0"))?.aliases ?? [];
  const used = await usedBlobs(store, (key) => key.join("\0") === found.key.join("\0"));
  // The manifest first: what is left when this stops midway is a file no model names, which prune finds.
  for (const alias of aliases) await store.removeManifest(aliasKey(alias));
  await store.removeManifest(found.key);
  let freed = 0;
  const kept: string[] = [];
  for (const { blob, external } of found.manifest.files) {
    if (blob !== undefined && !used.has(blob)) freed += await store.removeBlob(blob);
    if (external !== undefined && (await context.platform.foreign?.openFile(external, baseName(external))) !== undefined)
      kept.push(external);
  }
  const { states } = context.platform;
  for (const { id, model, bytes } of (await states?.list()) ?? []) {
    if (model !== found.manifest.id) continue;
    await states?.remove(id);
    freed += bytes;
  }
  return { modelId: found.manifest.id, freedBytes: freed, keptFiles: kept };
}

/** Its files are left to prune(): what a damaged manifest says of them is no reason to delete any. */
async function removeDamaged({ platform: { store } }: CandleContext, spec: ModelSpec, keys: readonly ManifestKey[]): Promise<RemoveResult> {
  const removed = new Set(keys.map((key) => key.join("\0")));
  for (const key of await store.listManifests()) {
    const value = key[0] === "as" ? await store.readManifest(key).catch(() => undefined) : undefined;
    if (isAlias(value) && removed.has(value.target.join("\0"))) await store.removeManifest(key);
  }
  for (const key of keys) await store.removeManifest(key);
  return { modelId: printModelSpec(spec), freedBytes: 0, keptFiles: [] };
}

export async function verify(
  context: CandleContext,
  spec: ModelSpec | undefined,
  options: VerifyOptions,
): Promise<readonly VerifyResult[]> {
  const { signal, onFile } = options;
  if (spec?.kind === "path") throw await notRegistered(context, spec.path);
  const { models, damaged } = await listStored(context.platform.store);
  let wanted: readonly StoredModel[] = models;
  if (spec !== undefined) {
    const bundled = spec.kind === "name" ? bundledModels.get(spec.name.toLowerCase()) : undefined;
    if (spec.kind === "name" && bundled !== undefined) return verifyBundled(context, spec.name.toLowerCase(), bundled, options);
    const found = (await find(context, spec)) ?? (await findForeign(context, spec));
    if (found === undefined) throw await notInstalled(context, spec);
    wanted = [found];
  } else for (const error of damaged) context.platform.log({ level: "warn", message: error.message });
  const results: VerifyResult[] = [];
  if (spec === undefined) for (const [name, model] of bundledModels) results.push(...(await verifyBundled(context, name, model, options)));
  for (const { key, manifest } of wanted) {
    const before = results.length;
    for (const file of manifest.files) {
      const name = baseName(file.path);
      onFile?.(file.path, 0);
      const source = await (file.blob === undefined
        ? context.platform.foreign?.openFile(file.external ?? "", name)
        : context.platform.store.openBlob(file.blob, name).catch(() => undefined));
      results.push({ modelId: manifest.id, file: file.path, ...(await compare(file, source, context.platform.store, signal)) });
    }
    if (results.slice(before).every(({ ok }) => ok === true)) await noteVerified(context, key, manifest);
  }
  return results;
}

/** @throws SpellError model-unknown, model-layout for a path where no model lies */
async function notRegistered(context: CandleContext, path: string): Promise<SpellError> {
  await locate(context, { kind: "path", path });
  const message = `${path} is your own; only models that are stored, or were given a name, are verified`;
  return new SpellError("model-not-installed", message, {
    where: path,
    hint: "Give it a name:",
    actions: [{ kind: "pull", model: path, as: "NAME" }],
  });
}

/** @param source undefined where the file is missing */
async function compare(
  file: ManifestFile,
  source: ByteSource | undefined,
  store: ArtifactStore,
  signal: AbortSignal | undefined,
): Promise<Pick<VerifyResult, "ok" | "expected" | "actual">> {
  const expected = file.sha256 ?? file.git_sha1 ?? null;
  if (source === undefined) return { ok: false, expected, actual: null };
  if (expected === null && source.size !== file.size)
    return { ok: false, expected: `${formatCount(file.size)} bytes`, actual: `${formatCount(source.size)} bytes` };
  const kind = file.sha256 === undefined && file.git_sha1 !== undefined ? "git" : "sha256";
  const actual = await hashBytes(source, store, kind, signal);
  return { ok: expected === null ? null : actual === expected, expected, actual };
}

/** Files of the package are held to what they were when it was made. */
async function verifyBundled(
  { platform }: CandleContext,
  name: string,
  { files }: BundledModel,
  { signal, onFile }: VerifyOptions,
): Promise<readonly VerifyResult[]> {
  const results: VerifyResult[] = [];
  for (const { name: file, sha256: expected } of files) {
    onFile?.(file, 0);
    const actual = await hashBytes(await platform.bundled(name, file), platform.store, "sha256", signal);
    results.push({ modelId: name, file, ok: actual === expected, expected, actual });
  }
  return results;
}

/** Hashes that another tool recorded count as checked from now on. */
async function noteVerified({ platform: { store, log } }: CandleContext, key: ManifestKey, manifest: ModelManifest): Promise<void> {
  const isStated = foreignSources.has(manifest.source) && manifest.files.every((file) => (file.sha256 ?? file.git_sha1) !== undefined);
  if (!isStated || manifest.verified === "sha256") return;
  await store.writeManifest(key, { ...manifest, verified: "sha256" }).catch((error: unknown) => {
    if (!(error instanceof SpellError)) throw error;
    log({ level: "warn", message: `${manifest.id} is verified, and the record of it cannot be written: ${error.message}` });
  });
}

export async function prune(context: CandleContext, { olderThanMs = 0, dryRun = false }: PruneOptions): Promise<readonly PrunedItem[]> {
  const { store } = context.platform;
  const isOld = ({ modifiedMs }: { readonly modifiedMs: number }): boolean => context.wallTime() - modifiedMs >= olderThanMs;
  const removed: PrunedItem[] = [];
  for (const part of await store.listParts()) {
    if (part.inUse || !isOld(part)) continue;
    const bytes = dryRun ? part.size : await store.removePart(part.id);
    removed.push({ item: `parts/${part.id}`, bytes });
  }
  for (const error of (await listStored(store)).damaged) context.platform.log({ level: "warn", message: error.message });
  // A blob that came just now may belong to a pull whose manifest is about to be written.
  const used = await usedBlobs(store);
  for (const blob of await store.listBlobs()) {
    if (used.has(blob.digest) || !isOld(blob) || context.wallTime() - blob.modifiedMs < 3_600_000) continue;
    const bytes = dryRun ? blob.size : await store.removeBlob(blob.digest);
    removed.push({ item: `blobs/${blob.digest}`, bytes });
  }
  const { states } = context.platform;
  for (const { id, model, name, bytes, usedMs } of (await states?.list()) ?? []) {
    if (!isOld({ modifiedMs: usedMs })) continue;
    if (!dryRun) await states?.remove(id);
    removed.push({ item: `states/${id}${model === "" ? "" : ` of ${model}`}${name === undefined ? "" : `, ${name}`}`, bytes });
  }
  return removed;
}
