/** What a caller says to a model and gets counted back. Types only; defaults and ranges are in text/parameters.ts. */
import type { DeviceChoice } from "./runtime.ts";

export type Role = "system" | "user" | "assistant";

export interface Message {
  readonly role: Role;
  readonly content: string;
}

/** Text, or a conversation. Text becomes one user message where the model has a chat template. */
export type Prompt = string | readonly Message[];

export type Preset = "greedy" | "balanced" | "conservative" | "creative";

/** Ranges and defaults: text/parameters.ts, and docs/parameters.md made from it. Undefined = the model's own default, else the table's. */
export interface GenerateOptions {
  readonly maxTokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly minP?: number | undefined;
  readonly repeatPenalty?: number | undefined;
  readonly repeatLastN?: number | undefined;
  readonly presencePenalty?: number | undefined;
  readonly frequencyPenalty?: number | undefined;
  readonly seed?: number | undefined;
  readonly stop?: string | readonly string[] | undefined;
  readonly numBeams?: number | undefined;
  readonly lengthPenalty?: number | undefined;
  readonly numReturnSequences?: number | undefined;
  readonly noRepeatNgramSize?: number | undefined;
  readonly preset?: Preset | undefined;
  /** System message put first; not for `raw`. */
  readonly system?: string | undefined;
  /** No chat template and no defusing: the text goes to the model as it is. Only for a text prompt. */
  readonly raw?: boolean | undefined;
  /**
   * Where this call computes; default: where the model was loaded for. The first call that names another device loads the model there too, and it
   * stays on both until it is disposed.
   */
  readonly device?: DeviceChoice | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type FinishReason = "stop" | "length" | "aborted";

export interface Usage {
  readonly promptTokens: number;
  /** of promptTokens, taken over from the turn before instead of computed */
  readonly cachedPromptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
}

/** Milliseconds and tokens per second. Rates are 0 where nothing was measured. */
export interface Timing {
  /** from load() to a usable model; 0 when it was loaded already */
  readonly loadMs: number;
  /** from the call to the first text, waiting in the queue included */
  readonly firstTokenMs: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
  /** computed prompt tokens per second */
  readonly prefillRate: number;
  /** completion tokens per second, after the first */
  readonly decodeRate: number;
}
