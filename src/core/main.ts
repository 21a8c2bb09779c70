/** What the main entry, "llmspell", gives on every host beside load, generate, createSpell and resolveConfig. Re-exports only. */
export type { ConfigOptions } from "./api/configuration.ts";
export type { Models } from "./api/models.ts";
export type { ModelSource, Spell, SpellGenerateOptions, SpellLoadOptions, SpellResult } from "./api/spell.ts";
export type { AvailableModel, ModelInfo, ModelRecord, PullOffer, PullOptions, PullResult } from "./backends/models.ts";
export type { ResolvedConfig } from "./config/resolve.ts";
export type { PullEvent } from "./download/pull.ts";
export { type ErrorCode, SpellError } from "./errors.ts";
export type { Action } from "./spec/action.ts";
export type { EmbeddingModel, EmbedOptions, EmbedResult } from "./spec/embedding-model.ts";
export type { FinishReason, GenerateOptions, GenerateResult, Message, Prompt, Timing, ToolCall, Usage } from "./spec/generate.ts";
export type { LanguageModel, LocalModel, ModelSession } from "./spec/language-model.ts";
export { parseModelSpec, printModelSpec } from "./spec/model-spec.ts";
export type { DeviceReport } from "./spec/runtime.ts";
export type { ScriptOptions, ScriptResult } from "./spec/scripts.ts";
export type { ModelStream, StreamPart } from "./spec/stream-part.ts";
export { collect } from "./text/collect.ts";
export { version } from "./version.ts";
