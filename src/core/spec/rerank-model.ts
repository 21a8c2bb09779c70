/// <reference lib="esnext.disposable" preserve="true" />
/** The contract of a loaded re-ranking model, whatever runs it: it reads a question and a text together, and scores how well they fit. Types only. */
import type { EmbedResult } from "./embedding-model.ts";
import type { LanguageModel } from "./language-model.ts";

export interface RerankOptions {
  /** A text that does not fit beside the question is cut, with one warning; the question never is. Default false: it is refused. */
  readonly truncate?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RerankResult {
  /** One for each text, in their order; larger fits better. What the model itself gives: any number, or 0 … 1 where its files name a sigmoid. */
  readonly scores: readonly number[];
  /** tokens read: of each text, of the question beside it, and special ones */
  readonly tokens: number;
  readonly warnings: EmbedResult["warnings"];
}

export interface RerankModel
  extends Pick<LanguageModel, "id" | "provider" | "backend" | "architecture" | "contextLength" | "sizeBytes" | "device"> {
  /**
   * One score for each text. Calls are queued as those of a LanguageModel; pairs of like length are computed together, and padding changes nothing.
   * @throws SpellError run-option (an empty question or text), run-context (a pair too long, without `truncate`; a question that leaves no room),
   *   run-aborted, run-busy, run-crash, run-closed, run-nan, device-*
   */
  rerank(query: string, texts: readonly string[], options?: RerankOptions): Promise<RerankResult>;
  /** As LanguageModel.dispose. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
