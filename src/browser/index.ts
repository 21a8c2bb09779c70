/** The entry of browsers: everything of core, with a platform. */
import { type ConfigOptions, resolveConfig as resolveConfigOn } from "../core/api/configuration.ts";
import { createSpell as createSpellOn, type Spell, type SpellLoadOptions } from "../core/api/spell.ts";
import type { ModelSource } from "../core/backends/candle.ts";
import type { ResolvedConfig } from "../core/config/resolve.ts";
import type { Platform } from "../core/platform.ts";
import type { LanguageModel } from "../core/spec/language-model.ts";
import { browserPlatform } from "./platform.ts";

export * from "../core/index.ts";
export type { EngineFiles, OnnxFiles } from "./engines/engine-files.ts";
export { type LargestModel, largestModel } from "./engines/largest-model.ts";
export type { WllamaFiles } from "./engines/wllama-engine.ts";
export { type BrowserPlatformOptions, browserPlatform } from "./platform.ts";

/** As core's, with the browser's platform by default. */
export function createSpell(options: ConfigOptions & { readonly platform?: Platform | undefined } = {}): Spell {
  return createSpellOn({ ...options, platform: options.platform ?? browserPlatform() });
}

/**
 * Loads a model by bundled name, File or Blob; without a source the default model of the configuration. One call for
 * `createSpell({ profile, config }).load`. The caller owns the model and disposes it.
 * @throws SpellError config-*, env-value, profile-unknown, backend-*, model-*, gguf-*, device-*, run-option, run-aborted
 */
export function load(
  source?: ModelSource,
  { profile, config, env, ...options }: SpellLoadOptions & ConfigOptions = {},
): Promise<LanguageModel> {
  const given = {
    profile,
    config,
    env,
  };
  return createSpell(given).load(source, options);
}

/**
 * The effective configuration, every value with its origin. It starts nothing.
 * @throws SpellError config-*, env-value, profile-unknown: all problems in one error
 */
export function resolveConfig(options: ConfigOptions = {}): Promise<ResolvedConfig> {
  return resolveConfigOn(options, browserPlatform());
}
