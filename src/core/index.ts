/** The public surface of "llmspell/core": the main surface, and all that hosts and programs of their own kind need. Re-exports only. */
export { acceptGguf, readGgufHeader } from "./api/gguf-files.ts";
export type { LocalLlm, LocalResult } from "./api/local-llm.ts";
export type { ModelList } from "./api/models.ts";
export { createPool, type Pool } from "./api/pool.ts";
export { createSpell, type SpellParts, type SurveyOptions } from "./api/spell.ts";
export type { Backend, BackendHost, CallSettings, FileSource, FoundModelEntry, OfferOptions, OpenedModel } from "./backends/backend.ts";
export { bundledModels } from "./backends/candle/bundled.ts";
export type {
  BackendResult,
  BackendStatus,
  ExpectedTime,
  Fit,
  InfoOptions,
  RemoveResult,
  RunningModel,
  ServerPullEvent,
  VerifyResult,
} from "./backends/models.ts";
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
export type { ModelManifest, StoredModel } from "./download/manifest.ts";
export { listStored } from "./download/manifest.ts";
export type { PlannedFile, PlannedVariant, PullPlan } from "./download/pull.ts";
export { errorTable, exitCodeOf, type SpellErrorChanges, type SpellErrorJson, type SpellErrorOptions } from "./errors.ts";
export type { ByteSource } from "./formats/byte-source.ts";
export { blobSource, bytesSource, httpSource } from "./formats/byte-source.ts";
export { supportedArchitectures } from "./gguf/architectures.ts";
export type { GgufFacts } from "./gguf/gate.ts";
export type { GgufHeader, GgufTensor, GgufValue } from "./gguf/header.ts";
export * from "./main.ts";
export type {
  ArtifactStore,
  BlobFacts,
  ConfigFile,
  ConfigHost,
  Environment,
  FileHost,
  ForeignModels,
  FoundFiles,
  Hash,
  Isolate,
  IsolateOptions,
  LockOptions,
  LogEntry,
  LogLevel,
  ManifestKey,
  Offer,
  Part,
  PartFacts,
  PartRecord,
  Platform,
  StoreSpace,
} from "./platform.ts";
export { deviceChoices } from "./spec/devices.ts";
export type { GenerateWarning, MessagePart, Preset, Role, TextMessage, TextPrompt, WarningCode } from "./spec/generate.ts";
export type { ModelSettings } from "./spec/model-settings.ts";
export { defaultModelSettings } from "./spec/model-settings.ts";
export type { ModelSpec } from "./spec/model-spec.ts";
export type {
  Device,
  DeviceAttempt,
  DeviceChoice,
  DevicePreview,
  DeviceReason,
  DeviceReport,
  GgufGenerateOptions,
  GgufHandle,
  GgufOpenOptions,
  GgufRuntime,
  ManyPiece,
  ModelHandle,
  ModelNeeds,
  ModelPiece,
  Seq2SeqGenerateOptions,
  Seq2SeqHandle,
  Seq2SeqOpenOptions,
  Seq2SeqRuntime,
  Seq2SeqVariant,
  ThreadChoice,
} from "./spec/runtime.ts";
export type { Penalties, Sampling, TokenSampling } from "./spec/sampling.ts";
export type { ManyPart } from "./spec/stream-part.ts";
export { collectMany } from "./text/collect.ts";
export type { ParameterRule } from "./text/parameters.ts";
export { parameterRules, presets } from "./text/parameters.ts";
export { type Snake, toSnake } from "./values.ts";
