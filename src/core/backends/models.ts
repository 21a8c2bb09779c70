/** What backends tell of models: plain records, in camelCase; `toSnake()` makes of them what scripts and the command line show. Unknown values are null. */
import type { Verified } from "../download/manifest.ts";
import type { PullEvent, PullPlan } from "../download/pull.ts";
import type { SpellError } from "../errors.ts";
import type { ModelKind } from "../hub/catalogue.ts";
import type { Device, DevicePreview } from "../spec/runtime.ts";

/** An installed model, as lists show it. */
export interface ModelRecord {
  /** usable as a model spec again */
  readonly id: string;
  /** type of the provider that runs it */
  readonly backend: string;
  /** null where a service does not tell */
  readonly format: "gguf" | "safetensors" | "onnx" | "ollama" | null;
  readonly architecture: string | null;
  readonly parameterCount: number | null;
  readonly quantization: string | null;
  readonly sizeBytes: number | null;
  /** seconds since the epoch */
  readonly modifiedAt: number | null;
  readonly source: string | null;
  readonly revision: string | null;
  readonly license: string | null;
  readonly verified: Verified;
  readonly bundled: boolean;
  readonly loaded: boolean;
  readonly path: string | null;
  readonly aliases: readonly string[];
  /** in lists: a file of it is gone; absent where all are there */
  readonly gone?: true | undefined;
}

export interface ModelInfo extends ModelRecord {
  readonly contextLength: number | null;
  readonly embeddingLength: number | null;
  readonly blockCount: number | null;
  readonly vocabSize: number | null;
  readonly chatTemplate: string | null;
  readonly capabilities: readonly string[];
  readonly licenseUrl: string | null;
  readonly files: readonly { readonly path: string; readonly sizeBytes: number; readonly sha256: string | null }[];
  readonly fits: Fit | null;
  /** the device a load would choose, and what it tried */
  readonly device: DevicePreview | null;
  readonly notes: readonly string[];
}

/** Whether a model fits into memory with its default context. */
export interface Fit {
  readonly device: Device;
  readonly neededBytes: number;
  /** null for a graphics card: it answers yes or no by itself */
  readonly availableBytes: number | null;
  readonly ok: boolean;
}

export interface AvailableModel {
  readonly name: string;
  readonly backend: string;
  readonly kind: ModelKind;
  readonly variants: readonly string[];
  readonly defaultVariant: string | null;
  readonly sizeBytes: number | null;
  readonly parameterCount: number | null;
  readonly license: string | null;
  readonly description: string;
  /** one that the model was trained for, by its model card */
  readonly prompt: string | null;
  readonly recommended: boolean;
  readonly installed: boolean;
  readonly spec: string;
  readonly source: string;
}

export interface AvailableFilter {
  /** type or name of a provider; default: all */
  readonly backend?: string | undefined;
  readonly kind?: string | undefined;
  readonly search?: string | undefined;
  readonly recommended?: boolean | undefined;
}

/** Whether a list that is filtered so shows a model. */
export function passes(model: AvailableModel, { kind, search, recommended }: AvailableFilter): boolean {
  const text = `${model.name} ${model.description} ${model.source}`.toLowerCase();
  return (
    (kind === undefined || model.kind === kind) &&
    (recommended !== true || model.recommended) &&
    (search === undefined || text.includes(search.toLowerCase()))
  );
}

export interface PullResult {
  readonly modelId: string;
  readonly backend: string;
  readonly status: "starting" | "downloading" | "verifying" | "complete" | "failed";
  /** 0 to 100, one decimal; 0 where the size is unknown */
  readonly percentComplete: number;
  readonly bytesDownloaded: number;
  readonly bytesTotal?: number | undefined;
  readonly files?: number | undefined;
  readonly path?: string | undefined;
  /** as the header says, which wins over the name; absent for models of a server */
  readonly quantization?: string | undefined;
  /** such as: the header contradicts the name */
  readonly notes?: readonly string[] | undefined;
  readonly verified: Verified;
  readonly alreadyPresent: boolean;
}

export interface PullOptions {
  /** Fetches again what is installed; default false. */
  readonly force?: boolean | undefined;
  /** The variant, such as Q4_K_M; the same as `:VARIANT` in the name. */
  readonly quantization?: string | undefined;
  /** A further name for the model. */
  readonly as?: string | undefined;
  /** Hosts, or `host:port`, that may be private or local. */
  readonly allowHosts?: readonly string[] | undefined;
  /** Uses what is on this machine only; default: of the configuration. */
  readonly offline?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** About twice a second, and with each change of status. */
  readonly onProgress?: ((progress: PullResult) => void) | undefined;
  /** Every event as it happens. */
  readonly onEvent?: ((event: PullEvent | ServerPullEvent) => void) | undefined;
}

/** Progress of a pull that a server does by itself. */
export interface ServerPullEvent {
  readonly type: "server-progress";
  readonly model: string;
  readonly status: string;
  readonly bytes: number;
  readonly totalBytes: number | undefined;
}

/** What a pull would do. Unknown values are absent. */
export interface PullOffer {
  readonly id: string;
  /** the name that pull() takes for it */
  readonly spec: string;
  readonly backend: string;
  /** absent for models of a server */
  readonly plan?: PullPlan | undefined;
  /** bytes of all files */
  readonly sizeBytes: number | undefined;
  /** bytes that are not on this machine yet */
  readonly missingBytes: number | undefined;
  /** absent where the store remembers no pull from that host */
  readonly expected?: ExpectedTime | undefined;
  readonly fits?: Fit | undefined;
  /** tokens that `fits` counts with */
  readonly contextLength?: number | undefined;
  /** room where it would be stored */
  readonly freeBytes?: number | undefined;
}

/** At the rate of the latest pulls from the same host. */
export interface ExpectedTime {
  readonly seconds: number;
  readonly bytesPerSecond: number;
  readonly host: string;
}

export interface RemoveResult {
  readonly modelId: string;
  readonly freedBytes: number;
  /** files of other tools and of the user, which stay */
  readonly keptFiles: readonly string[];
}

export interface VerifyResult {
  readonly modelId: string;
  readonly file: string;
  /** null where there is nothing to compare with: nobody stated or recorded a hash, as of your own files */
  readonly ok: boolean | null;
  /** hash, or null where none is known; of a file without one that has another size now, that size: `3,121,440 bytes` */
  readonly expected: string | null;
  /** hash, or null where the file is missing; the size where `expected` is one */
  readonly actual: string | null;
}

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

export interface InfoOptions {
  /** Reads the headers at their source; no weights are fetched. */
  readonly remote?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Health of a backend. Which members there are depends on its type. */
export interface BackendStatus {
  readonly configured: boolean;
  /** of a server that was asked */
  readonly running?: boolean | undefined;
  /** of the embedded engine; of a service elsewhere that was not asked: whether it has its key */
  readonly ready?: boolean | undefined;
  /** how many `list` gives; absent where nobody asked, or no answer came from a service elsewhere */
  readonly models?: number | undefined;
  readonly version?: string | undefined;
  readonly url?: string | undefined;
  /** the device a load would choose, and what it tried; null where the host has no runtime */
  readonly device?: DevicePreview | null | undefined;
  readonly store?: string | undefined;
  readonly error?: string | undefined;
}

/** A model that a server holds in memory. */
export interface RunningModel {
  readonly modelId: string;
  readonly backend: string;
  readonly sizeBytes: number;
  /** of sizeBytes, on its graphics card */
  readonly gpuBytes: number;
  readonly contextLength: number | undefined;
  /** seconds since the epoch */
  readonly expiresAt: number | undefined;
}

/** A model that this process holds in memory. */
export interface LoadedModel {
  readonly modelId: string;
  /** name of the provider that runs it */
  readonly provider: string;
  /** seconds since the epoch, where nothing asks it until then; undefined: it stays */
  readonly expiresAt: number | undefined;
}

export interface UnloadOptions {
  /** Calls under way are answered first. Default false: they are ended. */
  readonly whenIdle?: boolean | undefined;
}

/** What became of one backend in a question to several. */
export interface BackendResult {
  readonly backend: string;
  readonly provider: string;
  /** false: it is there by default, because nothing was configured */
  readonly isDeclared: boolean;
  readonly ok: boolean;
  readonly error?: SpellError | undefined;
}
