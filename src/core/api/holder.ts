/** What a loaded model of the pool is made of, whatever it is loaded for. Types only. */
import type { OpenedModel } from "../backends/backend.ts";
import type { LanguageModel } from "../spec/language-model.ts";

export interface Holder {
  readonly about: Pick<
    LanguageModel,
    "id" | "provider" | "backend" | "architecture" | "contextLength" | "sizeBytes" | "device" | "dispose"
  >;
  /** What the engine that was loaded last says of itself. */
  known(): OpenedModel;
  /** Waits for a turn, and takes it. */
  call<T>(
    asked: AbortSignal | undefined,
    work: (model: OpenedModel, signal: AbortSignal) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined>;
}
