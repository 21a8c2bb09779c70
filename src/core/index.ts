/** The public surface of "llmspell/core", and of every other entry. Re-exports only. */
export { type ConfigOptions, resolveConfig } from "./api/configuration.ts";
export { acceptGguf, readGgufHeader } from "./api/gguf-files.ts";
export type { LocalLlm } from "./api/local-llm.ts";
export type {
  AvailableModel,
  CandleStatus,
  ExpectedTime,
  Fit,
  GenerateResult,
  LocalGenerateOptions,
  ModelInfo,
  ModelRecord,
  OllamaStatus,
  PlanResult,
  PullOffer,
  PullRequest,
  PullResult,
  RemoveResult,
  VerifyResult,
} from "./api/models/records.ts";
export type { Spell, SpellLoadOptions, SpellOptions, SurveyOptions } from "./api/spell.ts";
export { createSpell } from "./api/spell.ts";
export type { FoundModel, LoadOptions, ModelSource, PreviewOptions } from "./backends/candle.ts";
export { bundledModels } from "./backends/candle.ts";
export type { ModelSummary } from "./backends/summary.ts";
export { summarizeModel } from "./backends/summary.ts";
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
export type { ConfigWarning, ResolvedConfig } from "./config/resolve.ts";
export type { ModelManifest, StoredModel } from "./download/manifest.ts";
export { listStored } from "./download/manifest.ts";
export type { PlannedFile, PlannedVariant, PullEvent, PullPlan } from "./download/pull.ts";
export type { ErrorCode, SpellErrorJson, SpellErrorOptions } from "./errors.ts";
export { errorTable, exitCodeOf, SpellError } from "./errors.ts";
export type { ByteSource } from "./formats/byte-source.ts";
export { blobSource, bytesSource, httpSource } from "./formats/byte-source.ts";
export { supportedArchitectures } from "./gguf/architectures.ts";
export type { GgufFacts } from "./gguf/gate.ts";
export type { GgufHeader, GgufTensor, GgufValue } from "./gguf/header.ts";
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
export type {
  FinishReason,
  GenerateOptions,
  Message,
  Preset,
  Prompt,
  Role,
  Timing,
  Usage,
} from "./spec/generate.ts";
export type { LanguageModel } from "./spec/language-model.ts";
export type { ModelSettings } from "./spec/model-settings.ts";
export { defaultModelSettings } from "./spec/model-settings.ts";
export type { ModelSpec } from "./spec/model-spec.ts";
export { parseModelSpec, printModelSpec } from "./spec/model-spec.ts";
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
export type { ManyPart, StreamPart, WarningCode } from "./spec/stream-part.ts";
export { collect, collectMany } from "./text/collect.ts";
export type { ParameterRule } from "./text/parameters.ts";
export { parameterRules, presets } from "./text/parameters.ts";
