/** The "llmspell/testing" entry: a platform and a runtime without a system, for tests of programs that use this library. */

export { type MemoryStoreOptions, memoryStore } from "../store/memory-store.ts";
export { inPlaceIsolate, type MemoryPlatformOptions, memoryPlatform } from "./memory-platform.ts";
export { type ScriptedModelOptions, scriptedModel } from "./scripted-model.ts";
export { type ScriptedRuntimeOptions, scriptedRuntime } from "./scripted-runtime.ts";
