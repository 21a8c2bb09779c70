/** "llmspell/node": the main entry, all of "llmspell/core", and Node's platform. */
export * from "../core/index.ts";
export { createSpell, generate, load, resolveConfig, type SpellOptions } from "./main.ts";
export { type NodePlatformOptions, nodePlatform } from "./platform.ts";
