/**
 * The contract of a backend: who runs the models of one provider. Made by the table in types.ts. What a backend cannot do is absent; spell.models says so.
 * It gets names that are parsed and routed already, and knows no other backend.
 */
import type { ResolvedConfig } from "../config/resolve.ts";
import type { Network } from "../download/request.ts";
import type { EmbedPart, ScorePart } from "../embed/collect.ts";
import type { CatalogueEntry } from "../hub/catalogue.ts";
import type { Platform } from "../platform.ts";
import type { EmbedPrefixes } from "../spec/embedding-model.ts";
import type { ChatPrompt, GenerateOptions } from "../spec/generate.ts";
import type { Constraint } from "../spec/grammar.ts";
import type { ModelSpec, NameSpec } from "../spec/model-spec.ts";
import type { DeviceChoice, DeviceReport, EncoderUse, ModelEmbedOptions, Pooling, Seq2SeqDraft } from "../spec/runtime.ts";
import type { ManyPart } from "../spec/stream-part.ts";
import type {
  AvailableFilter,
  AvailableModel,
  BackendStatus,
  InfoOptions,
  ModelInfo,
  ModelRecord,
  PrunedItem,
  PruneOptions,
  PullOffer,
  PullOptions,
  PullResult,
  RemoveResult,
  RunningModel,
  VerifyOptions,
  VerifyResult,
} from "./models.ts";

/** How a model is loaded. Undefined = the setting of its provider, else the default named here. */
export interface LoadOptions {
  /** Where it computes; default `auto`: the best device that works. */
  readonly device?: DeviceChoice | undefined;
  /**
   * Tokens kept. Decoders: 128 … the model's limit, default 4096 or that limit, whichever is smaller.
   * T5: tokens of one input, 128 … 4096, default 512.
   */
  readonly contextSize?: number | undefined;
  /** Processor threads, 0 … 1024; default 0 = measured on this machine. */
  readonly threads?: number | undefined;
  /**
   * The variant. Of a named model the same as `:VARIANT` in its name (Q4_K_M); of T5 the form of the weights in memory, made at load: f32 (default), q8, q4;
   * of an ONNX export one of the forms it has, by default the first of f32, q8, q4.
   */
  readonly quantization?: string | undefined;
  /**
   * T5: a copy of the decoder in this form drafts greedy answers, and the model checks them. The text stays the same; speed costs memory
   * (a tenth to a quarter of the weights more). Pays from some 50 MB of weights on. Default: none.
   */
  readonly draft?: Seq2SeqDraft | undefined;
  /** Prompt tokens per step, 1 … 16384, default 512; smaller aborts sooner. */
  readonly batchSize?: number | undefined;
  /** Embedding models: how the tokens of a text become one vector; default: as the model's files say. A checkpoint takes any of them, GGUF its own alone. */
  readonly pooling?: Pooling | undefined;
  /** Loaded share, 0 … 1 */
  readonly onProgress?: ((share: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a model is loaded for. */
export interface FindOptions extends LoadOptions {
  /** It shall make vectors, or score pairs of texts; default: it shall generate. */
  readonly use?: EncoderUse | undefined;
}

/** What a pull would do, and whether the model would run under these options of a load. */
export type OfferOptions = PullOptions & Pick<LoadOptions, "device" | "contextSize">;

/** Files handed in instead of a name. */
export type FileSource = Blob | readonly File[];

/** What a provider says about calls. */
export interface CallSettings {
  /** Defaults of every call; they stand before what the model itself recommends. */
  readonly generate: GenerateOptions;
  /** longest wait without progress */
  readonly timeoutMs: number;
  /** generations at once, over all models */
  readonly maxConcurrent: number;
  /** generations at once on one model */
  readonly maxPerModel: number;
  /** an idle model is unloaded after this; 0 = at once, undefined = never */
  readonly keepAliveMs: number | undefined;
}

/** A model whose files were found, or that a server has. */
export interface FoundModelEntry {
  /** canonical name */
  readonly id: string;
  /** Equal for loads that may share one engine. */
  readonly key: string;
  /** Whether its files are still those that were found; absent: they are. */
  isCurrent?(): Promise<boolean>;
  /** Opens it; it can generate when this resolves. */
  open(options: Pick<LoadOptions, "onProgress" | "signal">): Promise<OpenedModel>;
}

/** An open model, before the pool puts its queue and the provider's settings in front of it. Calls come one at a time. */
export interface OpenedModel {
  readonly id: string;
  readonly architecture: string;
  readonly contextLength: number | undefined;
  readonly hasChatTemplate: boolean;
  readonly isSeq2Seq: boolean;
  readonly sizeBytes?: number | undefined;
  readonly device?: DeviceReport | undefined;
  /** It takes the option `save`, and says itself where a state is not kept. Absent: the pool says so. */
  readonly keepsStates?: true | undefined;
  /** Of models opened to make vectors; those generate nothing. */
  readonly vectors?: OpenedVectors | undefined;
  /** Of models opened to score pairs of texts. */
  readonly scores?: OpenedScores | undefined;
  /** Forms that it holds answers to. Absent: none, and the pool refuses such calls. */
  readonly holds?: readonly Constraint["kind"][] | undefined;
  /**
   * As LanguageModel.streamMany.
   * @param held the form that the options ask for, of a kind in `holds`. The pool judges what comes.
   */
  streamMany(prompts: readonly ChatPrompt[], options: GenerateOptions, held?: Constraint): AsyncIterable<ManyPart>;
  dispose(): Promise<void>;
}

export interface OpenedVectors {
  /** numbers in each; undefined where a server does not tell */
  readonly dimensions: number | undefined;
  /** embed() takes `countOnly`. */
  readonly countsTokens?: boolean | undefined;
  readonly prefixes: EmbedPrefixes;
  /** One for each text, each of length 1, in any order. @throws SpellError as EmbeddingModel.embed */
  embed(texts: readonly string[], options: ModelEmbedOptions): AsyncIterable<EmbedPart>;
}

export interface OpenedScores {
  /** One score for each text, in any order. @throws SpellError as RerankModel.rerank */
  rerank(query: string, texts: readonly string[], options: ModelEmbedOptions): AsyncIterable<ScorePart>;
}

/** A name that a server was asked for in vain. */
export interface NotFound {
  readonly reason: string;
  readonly isServerThere: boolean;
}

export interface Backend {
  /** name of its provider */
  readonly name: string;
  readonly type: string;
  readonly calls: CallSettings;
  /**
   * Whether a name that names no provider is a model of this one: it is here for `sure`, it is `known`, this is the `default` provider, or as a `guess`.
   * @returns a reason where it was looked for in vain
   */
  claims(spec: NameSpec, how: "sure" | "known" | "default" | "guess"): Promise<boolean | NotFound>;
  /** @throws SpellError model-not-installed, model-*, run-option */
  find(source: ModelSpec | FileSource, options: FindOptions): Promise<FoundModelEntry>;
  /** @param looks asks a service elsewhere; without it only what is configured is told */
  status(looks: boolean): Promise<BackendStatus>;
  list(signal?: AbortSignal): Promise<readonly ModelRecord[]>;
  /** Models that can be pulled; asks no network. */
  available?(filter: AvailableFilter): Promise<readonly AvailableModel[]>;
  info(source: ModelSpec | FileSource, options: InfoOptions): Promise<ModelInfo>;
  /** What a pull would do, and whether the model would run here. @param looksAhead reads headers at the source to find out */
  offer?(spec: ModelSpec, options: OfferOptions, looksAhead: boolean): Promise<Omit<PullOffer, "spec">>;
  pull?(spec: ModelSpec, options: PullOptions): Promise<PullResult>;
  remove?(spec: ModelSpec): Promise<RemoveResult>;
  verify?(spec: ModelSpec | undefined, options: VerifyOptions): Promise<readonly VerifyResult[]>;
  prune?(options: PruneOptions): Promise<readonly PrunedItem[]>;
  /** Models that the server holds in memory. */
  running?(signal?: AbortSignal): Promise<readonly RunningModel[]>;
}

/** What the table hands to a backend. */
export interface BackendHost {
  readonly platform: Platform;
  readonly config: ResolvedConfig;
  readonly network: Network;
  readonly ollamaRegistry?: string | undefined;
  /** Entries of models.toml and of `models.catalogue`; read once. */
  readonly catalogue: () => Promise<readonly CatalogueEntry[]>;
  /** milliseconds since the epoch */
  readonly wallTime: () => number;
  /** Whether the pool holds a model of this provider. */
  readonly isLoaded: (provider: string, id: string) => boolean;
  /** Reads a name as people type it. @throws SpellError spec-syntax, spec-host, backend-unknown */
  readonly parse: (text: string) => ModelSpec;
  /** The provider was declared by a profile, file, variable or object, not by the built-in defaults. */
  readonly isDeclared: (provider: string) => boolean;
}
