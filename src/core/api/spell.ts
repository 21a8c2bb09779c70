/** The composition root: what a host hands in becomes the library a user calls. */
import { type FoundModel, findModel, type LoadOptions, loadModel, type ModelSource } from "../backends/candle.ts";
import type { Platform } from "../platform.ts";
import type { LanguageModel } from "../spec/language-model.ts";

export interface SpellOptions {
  readonly platform: Platform;
}

export interface Spell {
  readonly platform: Platform;
  /**
   * Loads a model: a bundled name, a path to a file or folder, or a Blob. The caller owns the model and disposes it.
   * @throws SpellError model-*, gguf-*, device-*, run-option, run-aborted
   */
  load(source: ModelSource, options?: LoadOptions): Promise<LanguageModel>;
  /** Reads a model's header only: architecture, sizes, limits, chat template. Nothing is loaded. */
  inspect(source: ModelSource, options?: { readonly signal?: AbortSignal }): Promise<FoundModel>;
}

export function createSpell({ platform }: SpellOptions): Spell {
  return {
    platform,
    load: (source, options) => loadModel(source, platform, options),
    inspect: (source, options) => findModel(source, platform, options?.signal),
  };
}
