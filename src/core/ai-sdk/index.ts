/** The "llmspell/ai-sdk" entry: models of the AI SDK as models of this library. */
export { type AiSdkModel, fromAiSdk } from "./from-ai-sdk.ts";
