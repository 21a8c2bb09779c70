/** What LocalLLM answers: records with the field names that programs and scripts read. Unknown values are null. */

import type { Verified } from "../../download/manifest.ts";
import type { PullEvent, PullPlan } from "../../download/pull.ts";
import type { SpellError } from "../../errors.ts";
import type { ModelKind } from "../../hub/catalogue.ts";
import type { GenerateOptions } from "../../spec/generate.ts";
import type { LocalBackend } from "../../spec/model-settings.ts";
import type { Device, DeviceChoice, DevicePreview, DeviceReport } from "../../spec/runtime.ts";

/** A model that is here, in the form of lists. Unknown values are null. */
export interface ModelRecord {
  readonly id: string;
  readonly backend: LocalBackend;
  readonly format: "gguf" | "safetensors" | "onnx" | "ollama";
  readonly architecture: string | null;
  readonly parameter_count: number | null;
  readonly quantization: string | null;
  readonly size_bytes: number;
  /** seconds since the epoch */
  readonly modified_at: number | null;
  readonly source: string | null;
  readonly revision: string | null;
  readonly license: string | null;
  readonly verified: Verified;
  readonly bundled: boolean;
  readonly loaded: boolean;
  readonly path: string | null;
  readonly aliases: readonly string[];
}

export interface ModelInfo extends ModelRecord {
  readonly context_length: number | null;
  readonly embedding_length: number | null;
  readonly block_count: number | null;
  readonly vocab_size: number | null;
  readonly chat_template: string | null;
  readonly capabilities: readonly string[];
  readonly license_url: string | null;
  readonly files: readonly { readonly path: string; readonly size_bytes: number; readonly sha256: string | null }[];
  readonly fits: Fit | null;
  /** where a load would compute, and what was looked at on the way */
  readonly device: DevicePreview | null;
  readonly notes: readonly string[];
}

/** Whether a model fits into memory with the context it is loaded with by default. */
export interface Fit {
  readonly device: Device;
  readonly needed_bytes: number;
  /** null for a card: it was asked already, and says yes or no */
  readonly available_bytes: number | null;
  readonly ok: boolean;
}

export interface AvailableModel {
  readonly name: string;
  readonly backend: LocalBackend;
  readonly kind: ModelKind;
  readonly variants: readonly string[];
  readonly default_variant: string | null;
  readonly size_bytes: number | null;
  readonly parameter_count: number | null;
  readonly license: string | null;
  readonly description: string;
  readonly recommended: boolean;
  readonly installed: boolean;
  readonly spec: string;
  readonly source: string;
}

export interface PullResult {
  readonly model_id: string;
  readonly backend: LocalBackend;
  readonly status: "starting" | "downloading" | "verifying" | "complete" | "failed";
  readonly percent_complete: number;
  readonly bytes_downloaded: number;
  readonly bytes_total?: number | undefined;
  readonly files?: number | undefined;
  readonly path?: string | undefined;
  readonly verified: Verified;
  readonly already_present: boolean;
}

export interface RemoveResult {
  readonly model_id: string;
  readonly freed_bytes: number;
  readonly kept_files: readonly string[];
}

export interface VerifyResult {
  readonly model_id: string;
  readonly file: string;
  readonly ok: boolean;
  readonly expected: string | null;
  readonly actual: string | null;
}

export interface CandleStatus {
  readonly configured: boolean;
  readonly ready: boolean;
  readonly models: number;
  readonly version: string;
  /** where a decoder would compute, and what was looked at on the way; null where the host has no runtime */
  readonly device: DevicePreview | null;
  readonly store: string;
  readonly error?: string | undefined;
}

export interface OllamaStatus {
  readonly configured: boolean;
  readonly running: boolean;
  readonly models: number;
  readonly version?: string | undefined;
  readonly url: string;
  readonly error?: string | undefined;
}

export interface GenerateResult {
  readonly text: string;
  readonly model: string;
  readonly backend: LocalBackend;
  readonly architecture: string;
  readonly device: DeviceReport;
  readonly finish_reason: string;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly seed: number;
  readonly timings: {
    readonly load_ms: number;
    readonly prompt_ms: number;
    readonly first_token_ms: number;
    readonly generation_ms: number;
    readonly tokens_per_second: number;
  };
  readonly candidates?: readonly string[] | undefined;
}

export interface BackendResult {
  readonly backend: LocalBackend;
  readonly ok: boolean;
  readonly error?: SpellError | undefined;
}

export interface PullRequest {
  readonly force?: boolean | undefined;
  readonly quantization?: string | undefined;
  /** another name for it */
  readonly as?: string | undefined;
  readonly allowHosts?: readonly string[] | undefined;
  readonly offline?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** about twice a second */
  readonly on_progress?: ((progress: PullResult) => void) | undefined;
  /** every event as it happens */
  readonly onEvent?: ((event: PullEvent | OllamaPullEvent) => void) | undefined;
}

/** The server's own progress, passed on. */
export interface OllamaPullEvent {
  readonly type: "ollama-progress";
  readonly model: string;
  readonly status: string;
  readonly bytes: number;
  readonly totalBytes: number | undefined;
}

export interface PlanResult {
  readonly id: string;
  readonly backend: LocalBackend;
  /** undefined for models of a server */
  readonly plan?: PullPlan | undefined;
  /** bytes of all files, where the source says */
  readonly sizeBytes: number | undefined;
  /** bytes that still have to come */
  readonly missingBytes: number | undefined;
  /** absent where this store remembers no pull from that host */
  readonly expected?: ExpectedTime | undefined;
}

/** A pull on demand, before it begins. What nobody knows is absent. */
export interface PullOffer extends PlanResult {
  readonly fits?: Fit | undefined;
  /** tokens that `fits` counts with */
  readonly contextLength?: number | undefined;
  /** room where it would be stored */
  readonly freeBytes?: number | undefined;
}

/** At the rate of earlier pulls from the same host that are still in the store. */
export interface ExpectedTime {
  readonly seconds: number;
  readonly bytesPerSecond: number;
  readonly host: string;
}

export type LocalGenerateOptions = GenerateOptions & {
  readonly device?: DeviceChoice | undefined;
  readonly on_token?: ((text: string) => void) | undefined;
};
