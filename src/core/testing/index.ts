/** The "llmspell/testing" entry: a platform and a runtime without a system, for tests of programs that use this library. */
export { inPlaceIsolate, type MemoryPlatformOptions, memoryPlatform } from "./memory-platform.ts";
export { type MemoryStoreOptions, memoryStore } from "./memory-store.ts";
export { type ScriptedModelOptions, scriptedModel } from "./scripted-model.ts";
export { type ScriptedRuntimeOptions, scriptedRuntime } from "./scripted-runtime.ts";
