/// <reference lib="esnext.disposable" preserve="true" />
/** The contract of a loaded embedding model, whatever runs it. Types only. */
import type { LanguageModel } from "./language-model.ts";

export interface EmbedOptions {
  /** The texts are questions: the model's own prefix for questions stands before each. Default false: its prefix for documents, where it has one. */
  readonly query?: boolean | undefined;
  /** Numbers of each vector that are kept, 1 … the model's own; the rest is as long as before. For models that were trained for it (Matryoshka). */
  readonly dimensions?: number | undefined;
  /** A text with more tokens than the model reads is cut, with one warning. Default false: it is refused. */
  readonly truncate?: boolean | undefined;
  /** How often a request to a service is made again that failed and may pass. Default: `max_retries` of its provider. */
  readonly retries?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface EmbedResult {
  /** One for each text, in their order, each of length 1: the cosine of two is the sum of their products. */
  readonly vectors: readonly Float32Array[];
  /** numbers in each vector */
  readonly dimensions: number;
  /** tokens read, special ones included */
  readonly tokens: number;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

/** What the model's own files put before texts; empty where they say nothing. */
export interface EmbedPrefixes {
  readonly query: string;
  readonly document: string;
}

export interface EmbeddingModel
  extends Pick<LanguageModel, "id" | "provider" | "backend" | "architecture" | "contextLength" | "sizeBytes" | "device"> {
  /** Numbers of a vector; undefined where a server does not tell. */
  readonly dimensions: number | undefined;
  readonly prefixes: EmbedPrefixes;
  /**
   * One vector for each text. Calls are queued as those of a LanguageModel; texts of like length are computed together, and padding changes nothing.
   * @throws SpellError run-option (an empty text, too many dimensions), run-context (a text too long, without `truncate`), run-aborted, run-busy,
   *   run-crash, run-closed, run-nan, device-*
   */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<EmbedResult>;
  /**
   * Tokens of each text, without special ones around it; nothing is computed.
   * @returns undefined where what runs the model does not tell: servers, and GGUF in WebAssembly
   */
  countTokens(texts: readonly string[], options?: Pick<EmbedOptions, "signal">): Promise<readonly number[] | undefined>;
  /** As LanguageModel.dispose. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
