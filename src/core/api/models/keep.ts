/** Looking after the store: removing, hashing anew, dropping what is of no use. What belongs to others is never deleted. */
import { type BundledModel, bundledModels } from "../../backends/candle.ts";
import { hashBytes } from "../../download/hash-bytes.ts";
import { aliasKey, listStored, type ModelManifest, type StoredModel } from "../../download/manifest.ts";
import { baseName, usedBlobs } from "../../download/pull.ts";
import { SpellError } from "../../errors.ts";
import type { ManifestKey } from "../../platform.ts";
import { type ModelContext, parse } from "./context.ts";
import { find, notInstalled } from "./find.ts";
import { findForeign, foreignSources, lookForeign } from "./foreign.ts";
import { backendOf, ollamaName } from "./names.ts";
import type { RemoveResult, VerifyResult } from "./records.ts";

export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onFile?: ((file: string, share: number) => void) | undefined;
}

export interface PruneOptions {
  readonly olderThanMs?: number | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface PrunedItem {
  readonly item: string;
  readonly bytes: number;
}

export async function remove(context: ModelContext, text: string): Promise<RemoveResult> {
  const spec = parse(text);
  if ((await backendOf(context, spec)) === "ollama") {
    const name = ollamaName(spec);
    const before = (await context.ollama.list()).find((model) => model.name === name);
    await context.ollama.remove(name);
    return { model_id: context.ollama.idOf(name), freed_bytes: before?.sizeBytes ?? 0, kept_files: [] };
  }
  if (spec.kind === "name" && bundledModels.has(spec.name.toLowerCase())) {
    throw new SpellError("model-bundled", `${spec.name} is part of the package and cannot be removed`);
  }
  if (spec.kind === "path") {
    throw new SpellError(
      "model-not-installed",
      `${spec.path} is a file of yours, not in ${context.platform.store.place}; it is never deleted here`,
      { hint: "Delete it yourself." },
    );
  }
  const found = (await find(context, spec)) ?? (await lookForeign(context, spec));
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
    if (external !== undefined) kept.push(external);
  }
  return { model_id: found.manifest.id, freed_bytes: freed, kept_files: kept };
}

export async function verify(context: ModelContext, text?: string, options: VerifyOptions = {}): Promise<readonly VerifyResult[]> {
  const { signal, onFile } = options;
  const { models, damaged } = await listStored(context.platform.store);
  let wanted: readonly StoredModel[] = models;
  if (text !== undefined) {
    const spec = parse(text);
    const bundled = spec.kind === "name" ? bundledModels.get(spec.name.toLowerCase()) : undefined;
    if (spec.kind === "name" && bundled !== undefined) return verifyBundled(context, spec.name.toLowerCase(), bundled, options);
    const found = (await find(context, spec)) ?? (await findForeign(context, spec));
    if (found === undefined) throw await notInstalled(context, spec);
    wanted = [found];
  } else for (const error of damaged) context.platform.log({ level: "warn", message: error.message });
  const results: VerifyResult[] = [];
  if (text === undefined) for (const [name, model] of bundledModels) results.push(...(await verifyBundled(context, name, model, options)));
  for (const { key, manifest } of wanted) {
    const before = results.length;
    for (const file of manifest.files) {
      const name = baseName(file.path);
      onFile?.(file.path, 0);
      const source = await (file.blob === undefined
        ? context.platform.foreign?.openFile(file.external ?? "", name)
        : context.platform.store.openBlob(file.blob, name).catch(() => undefined));
      const expected = file.sha256 ?? file.git_sha1 ?? null;
      const kind = file.sha256 === undefined && file.git_sha1 !== undefined ? "git" : "sha256";
      const actual = source === undefined ? null : await hashBytes(source, context.platform.store, kind, signal);
      const ok = actual !== null && (expected === null ? source?.size === file.size : actual === expected);
      results.push({ model_id: manifest.id, file: file.path, ok, expected, actual });
    }
    if (results.slice(before).every(({ ok }) => ok)) await noteVerified(context, key, manifest);
  }
  return results;
}

/** Files of the package are held to what they were when it was made. */
async function verifyBundled(
  { platform }: ModelContext,
  name: string,
  { files }: BundledModel,
  { signal, onFile }: VerifyOptions,
): Promise<readonly VerifyResult[]> {
  const results: VerifyResult[] = [];
  for (const { name: file, sha256: expected } of files) {
    onFile?.(file, 0);
    const actual = await hashBytes(await platform.bundled(name, file), platform.store, "sha256", signal);
    results.push({ model_id: name, file, ok: actual === expected, expected, actual });
  }
  return results;
}

/** Hashes that another tool recorded count as checked from now on. */
async function noteVerified({ platform: { store, log } }: ModelContext, key: ManifestKey, manifest: ModelManifest): Promise<void> {
  const isStated = foreignSources.has(manifest.source) && manifest.files.every((file) => (file.sha256 ?? file.git_sha1) !== undefined);
  if (!isStated || manifest.verified === "sha256") return;
  await store.writeManifest(key, { ...manifest, verified: "sha256" }).catch((error: unknown) => {
    if (!(error instanceof SpellError)) throw error;
    log({ level: "warn", message: `${manifest.id} is right, and that cannot be written down: ${error.message}` });
  });
}

export async function prune(context: ModelContext, { olderThanMs = 0, dryRun = false }: PruneOptions = {}): Promise<readonly PrunedItem[]> {
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
  return removed;
}
