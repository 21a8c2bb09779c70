/** The entry of Node: everything of core, with a platform. */
import { createSpell as createSpellOn, type Spell } from "../core/api/spell.ts";
import type { LoadOptions, ModelSource } from "../core/backends/candle.ts";
import type { Platform } from "../core/platform.ts";
import type { LanguageModel } from "../core/spec/language-model.ts";
import type { ModelSettings } from "../core/spec/model-settings.ts";
import { modelSettingsFromEnv } from "./model-settings.ts";
import { nodePlatform } from "./platform.ts";

export * from "../core/index.ts";
export { type NodePlatformOptions, nodePlatform } from "./platform.ts";

/**
 * As core's, with Node's platform by default, and what the variables of Hugging Face's tools and of Ollama say.
 * @throws SpellError env-value
 */
export function createSpell(options: { readonly platform?: Platform; readonly models?: Partial<ModelSettings> } = {}): Spell {
  return createSpellOn({
    platform: options.platform ?? nodePlatform(),
    models: { ...modelSettingsFromEnv(process.env), ...options.models },
  });
}

/**
 * Loads a model by bundled name, path, or Blob: `createSpell().load` in one call. The caller owns the model and disposes it.
 * @throws SpellError model-*, gguf-*, device-*, run-option, run-aborted
 */
export function load(source: ModelSource, options?: LoadOptions): Promise<LanguageModel> {
  return createSpell().load(source, options);
}
