/** The entry of browsers: everything of core, with a platform. */
import { createSpell as createSpellOn, type Spell } from "../core/api/spell.ts";
import type { LoadOptions, ModelSource } from "../core/backends/candle.ts";
import type { Platform } from "../core/platform.ts";
import type { LanguageModel } from "../core/spec/language-model.ts";
import { browserPlatform } from "./platform.ts";

export * from "../core/index.ts";
export type { EngineFiles } from "./engine-files.ts";
export type { WllamaFiles } from "./gguf.ts";
export type { OnnxFiles } from "./onnx.ts";
export { type BrowserPlatformOptions, browserPlatform } from "./platform.ts";

/** As core's, with the browser's platform by default. */
export function createSpell(options: { readonly platform?: Platform } = {}): Spell {
  return createSpellOn({ platform: options.platform ?? browserPlatform() });
}

/**
 * Loads a model by bundled name, File or Blob: `createSpell().load` in one call. The caller owns the model and disposes it.
 * @throws SpellError model-*, gguf-*, device-*, run-option, run-aborted
 */
export function load(source: ModelSource, options?: LoadOptions): Promise<LanguageModel> {
  return createSpell().load(source, options);
}
