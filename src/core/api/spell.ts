/** The composition root: what a host hands in becomes the library a user calls. */
import { type FoundModel, findModel, type LoadOptions, loadModel, type ModelSource } from "../backends/candle.ts";
import type { Platform } from "../platform.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { ModelSettings } from "../spec/model-settings.ts";
import { createLocalLlm, type LocalLlm } from "./local-llm.ts";

export interface SpellOptions {
  readonly platform: Platform;
  /** Where models come from and lie; what is left out has its default. */
  readonly models?: Partial<ModelSettings>;
}

export interface Spell {
  readonly platform: Platform;
  /**
   * Loads a model that is here: any form of a model's name, a path to a file or folder, or a Blob. The caller owns the model and disposes it.
   * @throws SpellError model-not-installed with the pull command; model-*, gguf-*, device-*, run-option, run-aborted
   */
  load(source: ModelSource, options?: LoadOptions): Promise<LanguageModel>;
  /** Reads a model's header only: architecture, sizes, limits, chat template. Nothing is loaded. */
  inspect(source: ModelSource, options?: { readonly signal?: AbortSignal }): Promise<FoundModel>;
  /** Lists, fetches, removes and runs local models. */
  readonly localLLM: LocalLlm;
}

export function createSpell({ platform, models }: SpellOptions): Spell {
  const localLLM = createLocalLlm({ platform, ...(models === undefined ? {} : { settings: models }) });
  return {
    platform,
    localLLM,
    load: (source, options) => (typeof source === "string" ? localLLM.load(source, options) : loadModel(source, platform, options)),
    inspect: (source, options) =>
      typeof source === "string" ? localLLM.inspect(source, options?.signal) : findModel(source, platform, options?.signal),
  };
}
