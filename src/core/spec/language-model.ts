/// <reference lib="esnext.disposable" preserve="true" />
/** The contract of a loaded model, whatever runs it. Types only. */
import type { GenerateOptions, Prompt, ResultOf } from "./generate.ts";
import type { DeviceReport } from "./runtime.ts";
import type { ManyPart, ModelStream } from "./stream-part.ts";

export interface LanguageModel {
  /** Usable as a model spec again: bundled name or path; the file's name for a Blob. */
  readonly id: string;
  /** Name of the provider that runs it, as the configuration declares it. */
  readonly provider: string;
  /** Type of that provider: `candle`, `ollama`. */
  readonly backend: string;
  /** Family named by the file: `llama`, `qwen2`, `t5` …; `unknown` where a server does not tell. */
  readonly architecture: string;
  /** Tokens of prompt and answer together that the model keeps; undefined where a server does not tell. */
  readonly contextLength: number | undefined;
  /** Whether messages pass the model's own chat template; without one, they are continued as plain text. */
  readonly hasChatTemplate: boolean;
  /** An encoder-decoder: each input is answered by itself, without what was said before, and beams can be searched. */
  readonly isSeq2Seq: boolean;
  /** Bytes of its files; undefined where a server keeps them. */
  readonly sizeBytes?: number | undefined;
  /** Of the device it was loaded for; a call that names another has its report in `stream-start`. Undefined where a server computes. */
  readonly device?: DeviceReport | undefined;
  /**
   * Generates. Calls are queued and answered in order, one at a time in this process; at most 16 wait.
   * Leaving the loop cancels the work. After run-crash or device-lost the next call loads the model again by itself. A graphics card that fails under
   * `auto` before any text was shown is replaced by the next device, with one warning; otherwise the error carries the text so far.
   * @throws SpellError from the iterator: run-aborted (details.partialText), run-context, run-option, run-busy, run-crash, run-closed, run-nan, device-*,
   *   template-parse, template-limit
   */
  stream(prompt: Prompt, options?: GenerateOptions): ModelStream;
  /** The whole answer of stream(). @throws SpellError as stream() */
  generate<const O extends GenerateOptions>(prompt: Prompt, options?: O): Promise<ResultOf<O>>;
  /**
   * Answers several prompts, each as stream() would alone: computed together by encoder-decoders, one after the other by decoders.
   * Counts as one call in the queue. Parts name their prompt, and those of different prompts come mixed.
   * Timings are those of the whole call; seeds count up from the first.
   * @throws SpellError from the iterator, as stream()
   */
  streamMany(prompts: readonly Prompt[], options?: GenerateOptions): AsyncIterable<ManyPart>;
  /**
   * A conversation, or prompts with a long beginning in common: its calls share what was computed for them, and leave alone what others share. With
   * `save` later processes take it up too: their `usage.cachedTokens` tells how much.
   * @throws SpellError run-option
   */
  session(options?: SessionOptions): ModelSession;
  /**
   * Gives the model back. Running and waiting calls of this holder reject with run-closed; a second call does nothing. The engine is freed with the
   * last holder of the model.
   */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface SessionOptions {
  /** As GenerateOptions.save. Default: what was computed ends with the process. */
  readonly save?: string | true | undefined;
}

/** Calls of one session. They hold no messages: a prompt is whole, as everywhere, and what it has in common with the last one is not computed again. */
export interface ModelSession {
  /** @throws SpellError as LanguageModel.stream */
  stream(prompt: Prompt, options?: SessionGenerateOptions): ModelStream;
  /** @throws SpellError as LanguageModel.stream */
  generate<const O extends SessionGenerateOptions>(prompt: Prompt, options?: O): Promise<ResultOf<O>>;
}

export type SessionGenerateOptions = Omit<GenerateOptions, "session" | "save">;

/** A model that computes in this process. */
export interface LocalModel extends LanguageModel {
  readonly contextLength: number;
  readonly sizeBytes: number;
  readonly device: DeviceReport;
}
