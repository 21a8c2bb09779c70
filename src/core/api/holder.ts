/** What a loaded model of the pool is made of, whatever it is loaded for. */
import type { OpenedModel } from "../backends/backend.ts";
import type { LanguageModel } from "../spec/language-model.ts";

export interface Holder {
  readonly about: Pick<
    LanguageModel,
    "id" | "provider" | "backend" | "architecture" | "contextLength" | "sizeBytes" | "device" | "dispose" | typeof Symbol.asyncDispose
  >;
  /** What the engine that was loaded last says of itself. */
  known(): OpenedModel;
  /** Waits for a turn, and takes it. */
  call<T>(
    asked: AbortSignal | undefined,
    work: (model: OpenedModel, signal: AbortSignal) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined>;
}

/** @returns `own` with what is told of every model: read when it is asked for, as an engine that is loaded again may compute elsewhere */
export function withAbout<T extends object>(about: Holder["about"], own: T): T & Holder["about"] {
  return Object.defineProperties(own, Object.getOwnPropertyDescriptors(about)) as T & Holder["about"];
}
