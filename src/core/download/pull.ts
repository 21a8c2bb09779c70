/** Several files to one model: each is fetched or taken where it is; the set is checked; then the manifest is written. */
import { SpellError } from "../errors.ts";
import { baseName } from "../file-names.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { formatCount } from "../formats/format-count.ts";
import type { ArtifactStore, ManifestKey } from "../platform.ts";
import type { ManifestFile, ModelManifest, TransferRate, Verified } from "./manifest.ts";
import type { Network } from "./request.ts";
import { type RemoteFile, transferFile } from "./transfer.ts";

/** A file outside the store, of another tool or of the user. */
export interface ExternalFile {
  readonly path: string;
  readonly source: ByteSource;
  readonly sha256?: string | undefined;
  /** hash of git's blob: 40 hex digits */
  readonly gitSha1?: string | undefined;
  readonly verified: Verified;
}

/** Where a model's files are, before anything is fetched. */
export interface PullPlan {
  /** canonical, usable as a spec */
  readonly id: string;
  readonly key: ManifestKey;
  readonly source: string;
  readonly revision?: string | undefined;
  readonly license?: string | undefined;
  readonly licenseUrl?: string | undefined;
  /** no variant was named */
  readonly byDefault?: true | undefined;
  readonly files: readonly PlannedFile[];
  /** All forms of the model that its source has, where it has several. */
  readonly variants?: readonly PlannedVariant[] | undefined;
}

export interface PlannedVariant {
  /** as it follows the colon of a spec: Q4_K_M */
  readonly name: string;
  /** bytes of all its files */
  readonly sizeBytes: number;
}

export type PlannedFile =
  | { readonly kind: "remote"; readonly remote: RemoteFile }
  | { readonly kind: "external"; readonly external: ExternalFile };

/** Facts from the headers of a complete set of files. */
export type DescribedModel = Pick<
  ModelManifest,
  "format" | "architecture" | "quantization" | "parameter_count" | "context_length" | "license"
>;

/** Progress of a pull; the grammar of streams, for downloads. */
export type PullEvent =
  | { readonly type: "download-start"; readonly plan: PullPlan; readonly totalBytes: number | undefined }
  | {
      readonly type: "download-progress";
      readonly file: string;
      readonly fileBytes: number;
      readonly fileTotal: number | undefined;
      readonly bytes: number;
      readonly totalBytes: number | undefined;
    }
  | { readonly type: "download-wait"; readonly file: string }
  | { readonly type: "download-retry"; readonly file: string; readonly error: SpellError; readonly waitMs: number }
  | { readonly type: "download-verify"; readonly file: string }
  | { readonly type: "download-end"; readonly manifest: ModelManifest; readonly fetchedBytes: number };

export interface PullOptions {
  readonly maxParallel: number;
  readonly partBytes?: number | undefined;
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: PullEvent) => void) | undefined;
  /** seconds since the epoch */
  readonly now: number;
  /** Checks the files together. Its error ends the pull, without a manifest. */
  describe(files: readonly ByteSource[], signal?: AbortSignal): Promise<DescribedModel>;
}

/** Fewer bytes say nothing about speed: their time is that of a few answers. */
const leastRateBytes = 1024 * 1024;
/** Space that must stay free: a share of the download, and a least amount. */
const spareShare = 0.05;
const spareBytes = 256 * 1024 * 1024;

/**
 * @throws SpellError net-*, store-*, gguf-*, safetensors-*, model-*, run-aborted. Files that arrived whole are kept for the next pull
 */
export async function pullModel(plan: PullPlan, store: ArtifactStore, network: Network, options: PullOptions): Promise<ModelManifest> {
  const { onEvent, signal, maxParallel, partBytes, force } = options;
  const totalBytes = sum(plan.files.map((file) => (file.kind === "remote" ? file.remote.size : file.external.source.size)));
  onEvent?.({ type: "download-start", plan, totalBytes });
  await checkSpace(plan, store, options);
  const done = new Map<string, number>();
  const files = new Map<string, ManifestFile>();
  const sources: ByteSource[] = [];
  const fresh: string[] = [];
  const failures: SpellError[] = [];
  let fetchedBytes = 0;
  let fetchMs = 0;
  let hasWaited = false;
  let verified: Verified = "sha256";
  const report = (file: string, fileBytes: number, fileTotal: number | undefined): void => {
    done.set(file, fileBytes);
    onEvent?.({ type: "download-progress", file, fileBytes, fileTotal, bytes: sum([...done.values()]) ?? 0, totalBytes });
  };
  const add = (file: ManifestFile, source: ByteSource, how: Verified): void => {
    files.set(file.path, file);
    sources.push(source);
    verified = weaker(verified, how);
    report(file.path, file.size, file.size);
  };
  // Small files first: their errors come before gigabytes are fetched.
  for (const file of [...plan.files].sort((a, b) => sizeOf(a) - sizeOf(b))) {
    if (file.kind === "external") {
      add(manifestFile(file.external), file.external.source, file.external.verified);
      continue;
    }
    const { path } = file.remote;
    const started = network.clock.now();
    try {
      const { digest, size, modifiedMs, ...result } = await transferFile(file.remote, store, network, {
        maxParallel,
        partBytes,
        force,
        signal,
        onProgress: (bytes, total) => report(path, bytes, total),
        onRetry: (error, waitMs) => onEvent?.({ type: "download-retry", file: path, error, waitMs }),
        onWait: () => {
          hasWaited = true;
          onEvent?.({ type: "download-wait", file: path });
        },
        onVerify: () => onEvent?.({ type: "download-verify", file: path }),
      });
      if (result.fetched > 0 || size === 0) fresh.push(digest);
      if (result.fetched > 0) {
        fetchMs += network.clock.now() - started;
      }
      fetchedBytes += result.fetched;
      const source = await store.openBlob(digest, baseName(path));
      add({ path, size, sha256: digest.slice("sha256-".length), blob: digest, modified_ms: modifiedMs }, source, result.verified);
    } catch (error) {
      // The other files are fetched all the same, unless none can be: the next pull then lacks this one only.
      if (!(error instanceof SpellError) || endsAll(error) || plan.files.length === 1) throw error;
      failures.push(error);
    }
  }
  const [failure] = failures;
  if (failure !== undefined) throw failure;
  const described = await describeOrForget(sources, fresh, store, options);
  const inOrder = plan.files.flatMap((file) => files.get(file.kind === "remote" ? file.remote.path : file.external.path) ?? []);
  const host = hostOf(plan);
  const isMeasured = host !== undefined && fetchedBytes >= leastRateBytes && !hasWaited;
  const transfer: TransferRate | undefined = isMeasured ? { host, bytes: fetchedBytes, ms: Math.max(1, Math.round(fetchMs)) } : undefined;
  const manifest: ModelManifest = { ...manifestOf(plan, inOrder, described, verified, options.now), transfer };
  await store.writeManifest(plan.key, manifest);
  onEvent?.({ type: "download-end", manifest, fetchedBytes });
  return manifest;
}

/** The record of a model. @param created_at seconds since the epoch */
export function manifestOf(
  { id, source, revision, license, licenseUrl, byDefault }: PullPlan,
  files: readonly ManifestFile[],
  described: DescribedModel,
  verified: Verified,
  created_at: number,
): ModelManifest {
  return {
    schema: 1,
    id,
    source,
    revision,
    files,
    ...described,
    license: license ?? described.license,
    license_url: licenseUrl,
    verified,
    created_at,
    by_default: byDefault,
  };
}

export function manifestFile({ path, source, sha256, gitSha1 }: ExternalFile): ManifestFile {
  const external = source.path ?? source.name;
  return { path, size: source.size, external, modified_ms: modifiedOf(source), sha256, git_sha1: gitSha1 };
}

/** The host of a plan's remote files; undefined where all are external. */
export function hostOf({ files }: PullPlan): string | undefined {
  const remote = files.find((file) => file.kind === "remote");
  return remote === undefined ? undefined : new URL(remote.remote.url).host;
}

/** Files that do not make a model are not kept: those fetched just now go, unless another model uses them. */
async function describeOrForget(
  sources: readonly ByteSource[],
  fresh: readonly string[],
  store: ArtifactStore,
  options: PullOptions,
): Promise<DescribedModel> {
  try {
    return await options.describe(sources, options.signal);
  } catch (error) {
    const used = await usedBlobs(store);
    for (const digest of fresh) if (!used.has(digest)) await store.removeBlob(digest).catch(() => 0);
    throw error;
  }
}

/** Blobs named by manifests. Where a manifest cannot be read, any blob may be its: then every blob counts as used. */
export async function usedBlobs(
  store: ArtifactStore,
  except: (key: ManifestKey) => boolean = () => false,
): Promise<Pick<ReadonlySet<string>, "has">> {
  const used = new Set<string>();
  for (const key of await store.listManifests()) {
    if (except(key)) continue;
    // Without checks: a manifest that is damaged in one place still keeps its files.
    let value: { readonly files?: unknown } | null | undefined;
    try {
      value = (await store.readManifest(key)) as typeof value;
    } catch {
      return { has: () => true };
    }
    for (const file of Array.isArray(value?.files) ? (value.files as unknown[]) : []) {
      const blob = (file as { readonly blob?: unknown } | null)?.blob;
      if (typeof blob === "string") used.add(blob);
    }
  }
  return used;
}

async function checkSpace(plan: PullPlan, store: ArtifactStore, { force }: PullOptions): Promise<void> {
  let needed = 0;
  for (const file of plan.files) {
    if (file.kind === "external") continue;
    const { size, sha256 } = file.remote;
    const isThere = sha256 !== undefined && force !== true && (await store.lookBlob(`sha256:${sha256}`)) !== undefined;
    if (!isThere) needed += size ?? 0;
  }
  if (needed === 0) return;
  const space = await store.space();
  if (space === undefined) return;
  const isOfPlan = (key: string): boolean => plan.files.some((file) => file.kind === "remote" && file.remote.sha256 === key);
  const kept = sum((await store.listParts()).map(({ key, size }) => (isOfPlan(key) ? size : 0))) ?? 0;
  const wanted = Math.ceil(needed * (1 + spareShare)) + spareBytes - kept;
  if (space.free >= wanted) return;
  const message = `${plan.id} needs ${formatCount(wanted)} bytes of space; ${formatCount(space.free)} are free in ${store.place}`;
  throw new SpellError(space.quota === undefined ? "store-full" : "store-quota", message, {
    where: store.place,
    actions: [{ kind: "prune" }],
    details: { neededBytes: wanted, freeBytes: space.free },
  });
}

/** Errors that the next file would meet too. */
function endsAll({ code }: SpellError): boolean {
  return code.startsWith("store-") || ["run-aborted", "net-offline", "net-tls", "net-gated", "net-auth"].includes(code);
}

function sizeOf(file: PlannedFile): number {
  return file.kind === "remote" ? (file.remote.size ?? Number.MAX_SAFE_INTEGER) : 0;
}

function weaker(a: Verified, b: Verified): Verified {
  const order: readonly Verified[] = ["none", "size", "sha256"];
  return order[Math.min(order.indexOf(a), order.indexOf(b))] ?? "none";
}

function sum(sizes: readonly (number | undefined)[]): number | undefined {
  return sizes.includes(undefined) ? undefined : sizes.reduce<number>((all, size) => all + (size ?? 0), 0);
}

/** @returns milliseconds since the epoch; 0 where the host does not know */
export function modifiedOf({ modifiedMs }: ByteSource): number {
  return modifiedMs ?? 0;
}
