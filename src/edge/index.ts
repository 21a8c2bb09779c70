/** "llmspell/edge": the main entry, all of "llmspell/core", and the platform of edge hosts. */
export * from "../core/index.ts";
export { createSpell, generate, load, resolveConfig, type SpellOptions } from "./main.ts";
export { type EdgePlatformOptions, edgePlatform } from "./platform.ts";
