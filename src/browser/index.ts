/** "llmspell/browser": the main entry, all of "llmspell/core", and the platform of browsers. */
export * from "../core/index.ts";
export type { EngineFiles, OnnxFiles } from "./engines/engine-files.ts";
export { type LargestModel, largestModel } from "./engines/largest-model.ts";
export type { WllamaFiles } from "./engines/wllama-engine.ts";
export { createSpell, generate, load, resolveConfig, type SpellOptions } from "./main.ts";
export { type BrowserPlatformOptions, browserPlatform } from "./platform.ts";
