/** Several files to one model: each into the store or taken where it lies, looked at as a whole, and only then written down. */
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { formatCount } from "../formats/format-count.ts";
import type { ArtifactStore, ManifestKey } from "../platform.ts";
import type { ManifestFile, ModelManifest, TransferRate, Verified } from "./manifest.ts";
import type { Network } from "./request.ts";
import { type RemoteFile, transferFile } from "./transfer.ts";

/** A file that another tool, or the user, keeps. */
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
  /** nobody named a variant */
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

/** What the headers of a complete set of files say. */
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
  /** Looks at the files together. What it throws ends the pull, and nothing is written down. */
  describe(files: readonly ByteSource[], signal?: AbortSignal): Promise<DescribedModel>;
}

/** Less says nothing about a rate: it is the time of a few answers. */
const leastRateBytes = 1024 * 1024;
/** Room that must stay: a share of the download, and a floor. */
const spareShare = 0.05;
const spareBytes = 256 * 1024 * 1024;

/**
 * @throws SpellError net-*, store-*, gguf-*, safetensors-*, model-*, run-aborted. Files that arrived whole are kept for the next pull
 */
export async function pullModel(plan: PullPlan, store: ArtifactStore, network: Network, options: PullOptions): Promise<ModelManifest> {
  const { onEvent, signal } = options;
  const totalBytes = sum(plan.files.map((file) => (file.kind === "remote" ? file.remote.size : file.external.source.size)));
  onEvent?.({ type: "download-start", plan, totalBytes });
  await checkSpace(plan, store, options);
  const done = new Map<string, number>();
  const files: ManifestFile[] = [];
  const sources: ByteSource[] = [];
  const fresh: string[] = [];
  let fetchedBytes = 0;
  let fetchMs = 0;
  let hasWaited = false;
  let verified: Verified = "sha256";
  const report = (file: string, bytes: number, total: number | undefined): void => {
    done.set(file, bytes);
    onEvent?.({
      type: "download-progress",
      file,
      fileBytes: bytes,
      fileTotal: total,
      bytes: [...done.values()].reduce((all, each) => all + each, 0),
      totalBytes,
    });
  };
  // Small files first: what is wrong with them is told before gigabytes have come.
  const failures: SpellError[] = [];
  for (const file of [...plan.files].sort((a, b) => sizeOf(a) - sizeOf(b))) {
    const path = file.kind === "remote" ? file.remote.path : file.external.path;
    if (file.kind === "external") {
      const { source } = file.external;
      files.push(manifestFile(file.external));
      sources.push(source);
      verified = weaker(verified, file.external.verified);
      report(path, source.size, source.size);
      continue;
    }
    const started = network.clock.now();
    try {
      const result = await transferFile(file.remote, store, network, {
        maxParallel: options.maxParallel,
        partBytes: options.partBytes,
        force: options.force,
        signal,
        onProgress: (bytes, total) => report(path, bytes, total),
        onRetry: (error, waitMs) => onEvent?.({ type: "download-retry", file: path, error, waitMs }),
        onWait: () => {
          hasWaited = true;
          onEvent?.({ type: "download-wait", file: path });
        },
        onVerify: () => onEvent?.({ type: "download-verify", file: path }),
      });
      report(path, result.size, result.size);
      if (result.fetched > 0) {
        fresh.push(result.digest);
        fetchMs += network.clock.now() - started;
      }
      fetchedBytes += result.fetched;
      verified = weaker(verified, result.verified);
      const sha256 = result.digest.slice("sha256-".length);
      files.push({ path, size: result.size, sha256, blob: result.digest, modified_ms: result.modifiedMs });
      sources.push(await store.openBlob(result.digest, baseName(path)));
    } catch (error) {
      // The other files of the set are fetched all the same, unless nothing can be: the next pull then lacks one only.
      if (!(error instanceof SpellError) || endsAll(error) || plan.files.length === 1) throw error;
      failures.push(error);
    }
  }
  const [failure] = failures;
  if (failure !== undefined) throw failure;
  const described = await describeOrForget(sources, fresh, store, options);
  const order = new Map(plan.files.map((file, index) => [file.kind === "remote" ? file.remote.path : file.external.path, index]));
  files.sort((a, b) => (order.get(a.path) ?? 0) - (order.get(b.path) ?? 0));
  const host = hostOf(plan);
  const isMeasured = host !== undefined && fetchedBytes >= leastRateBytes && !hasWaited;
  const transfer: TransferRate | undefined = isMeasured ? { host, bytes: fetchedBytes, ms: Math.max(1, Math.round(fetchMs)) } : undefined;
  const manifest: ModelManifest = {
    ...manifestOf(plan, files, described, verified, options.now),
    ...(transfer === undefined ? {} : { transfer }),
  };
  await store.writeManifest(plan.key, manifest);
  onEvent?.({ type: "download-end", manifest, fetchedBytes });
  return manifest;
}

/** The record of a model. @param createdAt seconds since the epoch */
export function manifestOf(
  { id, source, revision, license: stated, licenseUrl, byDefault }: PullPlan,
  files: readonly ManifestFile[],
  described: DescribedModel,
  verified: Verified,
  createdAt: number,
): ModelManifest {
  const license = stated ?? described.license;
  return {
    schema: 1,
    id,
    source,
    revision,
    files,
    ...described,
    ...(license === undefined ? {} : { license }),
    ...(licenseUrl === undefined ? {} : { license_url: licenseUrl }),
    verified,
    created_at: createdAt,
    ...(byDefault === undefined ? {} : { by_default: byDefault }),
  };
}

export function manifestFile({ path, source, sha256, gitSha1 }: ExternalFile): ManifestFile {
  return {
    path,
    size: source.size,
    external: source.path ?? source.name,
    modified_ms: modifiedOf(source),
    sha256,
    git_sha1: gitSha1,
  };
}

/** The host that files of a plan are asked from; undefined where none are. */
export function hostOf({ files }: PullPlan): string | undefined {
  const remote = files.find((file) => file.kind === "remote");
  return remote === undefined ? undefined : new URL(remote.remote.url).host;
}

/** Bytes that are no model take no room: what came just now and nothing else uses goes again. */
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

/** Blobs that some manifest names. Where one cannot be read at all, any may be its: then every blob counts as used. */
export async function usedBlobs(
  store: ArtifactStore,
  except: (key: ManifestKey) => boolean = () => false,
): Promise<Pick<ReadonlySet<string>, "has">> {
  const used = new Set<string>();
  for (const key of await store.listManifests()) {
    if (except(key)) continue;
    // Read loosely: a manifest that is damaged in one place still holds on to its files.
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
  const kept = (await store.listParts()).reduce(
    (all, { key, size }) => all + (plan.files.some((file) => file.kind === "remote" && file.remote.sha256 === key) ? size : 0),
    0,
  );
  const wanted = Math.ceil(needed * (1 + spareShare)) + spareBytes - kept;
  if (space.free >= wanted) return;
  throw new SpellError(
    space.quota === undefined ? "store-full" : "store-quota",
    `${plan.id} needs ${formatCount(wanted)} bytes of room; ${formatCount(space.free)} are free in ${store.place}`,
    { where: store.place, commands: ["llmspell model prune"], details: { neededBytes: wanted, freeBytes: space.free } },
  );
}

/** Where the next file would fail in the same way. */
function endsAll({ code }: SpellError): boolean {
  return (
    code === "run-aborted" ||
    code.startsWith("store-") ||
    code === "net-offline" ||
    code === "net-tls" ||
    code === "net-gated" ||
    code === "net-auth"
  );
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

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Sources over files carry the time of their last change in `version`; others have none. */
export function modifiedOf({ modifiedMs }: ByteSource): number {
  return modifiedMs ?? 0;
}
