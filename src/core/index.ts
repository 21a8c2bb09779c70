/** The public surface of "llmspell/core": the main surface, and all that hosts and programs of their own kind need. Re-exports only. */

export { type AgentHost, type Agents, createAgents } from "./agents/agents.ts";
export { acceptGguf, readGgufHeader } from "./api/gguf-files.ts";
export type { LocalLlm, LocalResult } from "./api/local-llm.ts";
export type { ModelList } from "./api/models.ts";
export { createPool, type Pool } from "./api/pool.ts";
export { createSpell, type SpellParts, type SurveyOptions } from "./api/spell.ts";
export type * from "./backends/backend.ts";
export { bundledModels } from "./backends/candle/bundled.ts";
export type * from "./backends/models.ts";
export type {
  CandleProvider,
  Config,
  ConfigInput,
  ModelsConfig,
  OllamaProvider,
  ProviderConfig,
  ProvidersConfig,
} from "./config/config.generated.ts";
export { providerNames, providerOf } from "./config/providers.ts";
export type { ConfigWarning } from "./config/resolve.ts";
export { listStored, type ModelManifest, type StoredModel } from "./download/manifest.ts";
export type { PlannedFile, PlannedVariant, PullPlan } from "./download/pull.ts";
export { errorTable, exitCodeOf, type SpellErrorChanges, type SpellErrorJson, type SpellErrorOptions } from "./errors.ts";
export { type ByteSource, blobSource, bytesSource, httpSource } from "./formats/byte-source.ts";
export { supportedArchitectures } from "./gguf/architectures.ts";
export type { GgufFacts } from "./gguf/gate.ts";
export type { GgufHeader, GgufTensor, GgufValue } from "./gguf/header.ts";
export * from "./main.ts";
export type * from "./platform.ts";
export type { RequestRecord } from "./serve/record.ts";
export { createServe, type RefusedRequest, type Serve, type ServeContext } from "./serve/serve.ts";
export { deviceChoices } from "./spec/devices.ts";
export type * from "./spec/generate.ts";
export type { ModelSpec } from "./spec/model-spec.ts";
export type * from "./spec/runtime.ts";
export type * from "./spec/sampling.ts";
export type * from "./spec/scripts.ts";
export type * from "./spec/stream-part.ts";
export { collectMany } from "./text/collect.ts";
export { type ParameterRule, parameterRules, presets } from "./text/parameters.ts";
export { type Snake, toSnake } from "./values.ts";
