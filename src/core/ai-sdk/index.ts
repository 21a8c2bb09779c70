/** The "llmspell/ai-sdk" entry: models of the AI SDK as models of this library, and the other way round. */
export { type AiSdkModel, fromAiSdk } from "./from-ai-sdk.ts";
export { createLlmspell, type LlmspellProvider, type LlmspellSettings } from "./provider.ts";
export type { AiSdkEmbeddingModel, AiSdkLanguageModel } from "./shape.ts";
