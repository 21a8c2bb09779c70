/**
 * What engine adapters implement and core drives. Types only.
 * Core never learns which engine stands behind a runtime; if it needs an `if` for one engine, this file is wrong.
 */
import type { ByteSource } from "../formats/byte-source.ts";
import type { Action } from "./action.ts";
import type { Constraint } from "./grammar.ts";
import type { Sampling, TokenSampling } from "./sampling.ts";

/** Where numbers are computed. */
export type Device = "webgpu" | "metal" | "vulkan" | "cuda" | "cpu" | "wasm";
export type DeviceChoice = "auto" | Device;

export type DeviceReason =
  | "ok"
  | "no-adapter"
  | "software-adapter"
  | "missing-feature"
  | "missing-kernel"
  | "buffer-too-small"
  | "driver-missing"
  | "package-missing"
  | "self-test-failed"
  | "out-of-memory"
  | "not-on-this-platform"
  | "not-configured";

/** One candidate that was looked at: a device, through one runtime. */
export interface DeviceAttempt {
  readonly device: Device;
  readonly ok: boolean;
  readonly reason: DeviceReason;
  /** What was seen, or a complete command that mends it. */
  readonly hint?: string | undefined;
  /** Name of the runtime that would have computed there: "wllama", "node-llama-cpp". */
  readonly runtime?: string | undefined;
  /** Milliseconds of the self-test where it was run for this report: its model loaded, its questions answered. */
  readonly selfTestMs?: number | undefined;
}

/** What a device answered to a look, before any model was loaded on it. */
export type DeviceProbe =
  | {
      readonly ok: true;
      /** what a person calls it: "google swiftshader", "NVIDIA GeForce RTX 3060" */
      readonly label: string;
      /** a software adapter, which computes on the CPU; `auto` never uses one */
      readonly isSoftware: boolean;
      /** Engine version, adapter and driver: what the verdict of a self-test holds for. */
      readonly identity: string;
      /** bytes that weights and KV cache may take; unknown where the device does not say */
      readonly memoryBytes?: number | undefined;
      /** bytes of the largest single buffer */
      readonly bufferBytes?: number | undefined;
      /** bytes of the largest part the engine takes as a whole, where it has a limit of its own */
      readonly partBytes?: number | undefined;
    }
  | {
      readonly ok: false;
      readonly reason: Exclude<DeviceReason, "ok">;
      /** what was seen; for package-missing the command that installs it */
      readonly hint: string;
      /** what a person can do about it */
      readonly actions?: readonly Action[] | undefined;
    };

/** What a model takes of a device, estimated from its header. */
export interface ModelNeeds {
  /** bytes of weights, and of keys and values at the context asked for */
  readonly memoryBytes: number;
  /** bytes of the largest single tensor */
  readonly bufferBytes: number;
  /** bytes of the largest part that an engine takes as a whole: one GGUF file, or all weights of T5 */
  readonly partBytes?: number | undefined;
}

/** What open() of every runtime takes about devices. */
export interface DeviceOptions {
  readonly device: DeviceChoice;
  /** Without it nothing is compared with what the device holds. */
  readonly needs?: ModelNeeds | undefined;
  /** Where the model does not fit as a whole, a part of it may stay with the processor. */
  readonly mayDivide?: boolean | undefined;
  /** Devices that were lost while this model computed on them: `auto` does not take them again. */
  readonly lost?: readonly Device[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What every runtime offers beside opening models. */
export interface DeviceSurvey {
  /**
   * The report that open() would begin with for this choice, without loading anything: what can be seen, and verdicts of earlier self-tests.
   * @returns `chosen` is undefined where nothing fits
   */
  preview(files: readonly ByteSource[], options: DeviceOptions): Promise<DevicePreview>;
  /** Looks at every device, and runs the self-test on each that is there, software adapters included. Verdicts are kept. */
  survey(options?: DeviceSurveyOptions): Promise<DevicePreview>;
}

export interface DeviceSurveyOptions {
  /** this device alone */
  readonly only?: Device | undefined;
  /** told of each device as soon as it is known */
  readonly onAttempt?: ((attempt: DeviceAttempt) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface DevicePreview {
  readonly chosen?: Device | undefined;
  readonly runtime?: string | undefined;
  readonly tried: readonly DeviceAttempt[];
}

/** Threads in use, prompt and decode apart, and how they were found. */
export interface ThreadChoice {
  readonly prompt: number;
  readonly decode: number;
  /**
   * `measured` just now, `cached` from an earlier load on this machine, `asked` by an option, `default` where measuring is not possible;
   * `running`: at most so many, and how many of them is found out while they compute.
   */
  readonly origin: "measured" | "cached" | "asked" | "default" | "running";
}

/** What weights are multiplied as, by how many rows come at once. */
export interface RowForms {
  /** a whole input, or several */
  readonly input: WeightForm;
  /** the newest token of one answer, or of a few */
  readonly answer: WeightForm;
  /** that of so many answers, and of more: batches and beams */
  readonly many?: { readonly from: number; readonly form: WeightForm } | undefined;
}

export type WeightForm = "f32" | "8-bit blocks" | "4-bit blocks" | "8-bit columns";

/** Which device computes, and everything that was tried to get there. A fallback is never silent. */
export interface DeviceReport {
  readonly chosen: Device;
  readonly tried: readonly DeviceAttempt[];
  readonly runtime?: string | undefined;
  readonly threads?: ThreadChoice | undefined;
  /** T5: the forms of its weights. */
  readonly forms?: RowForms | undefined;
}

/**
 * Runs one GGUF model that core/gguf has already accepted.
 * Not a template engine, not a downloader: rendered text goes in, text pieces come out.
 * A handle may die (crash, lost device); every pending call then rejects, and open() may be called again.
 */
export interface GgufRuntime extends Partial<DeviceSurvey> {
  readonly name: string;
  /** Starts what open() will need (a process, a module) while the caller still checks the file. Never throws, never required. */
  prepare?(device?: DeviceChoice): void;
  /**
   * Loads all files of one model (several when it is split, in order).
   * Never resolves with a model that cannot generate.
   * @throws SpellError device-unavailable, device-memory, gguf-metadata, run-crash, run-aborted
   */
  open(files: readonly ByteSource[], options: GgufOpenOptions): Promise<GgufHandle>;
}

export interface GgufOpenOptions extends DeviceOptions {
  /** tokens; the runtime may round up, the handle reports the real number */
  readonly contextLength: number;
  /** prompt tokens per step; smaller aborts sooner */
  readonly batchSize: number;
  /** 0 = find the best number, see ThreadChoice */
  readonly threads: number;
  /** The layer's that has most heads, and how many numbers a key of one has, for engines that choose how attention is computed. */
  readonly heads?: { readonly count: number; readonly size: number } | undefined;
  /** For calls that keep states; without it none are kept. `model`: its name, for lists. `mostBytes`: that all states of this home may have together. */
  readonly keep?: { readonly model: string; readonly mostBytes: number } | undefined;
  /** Text of the begin-of-sequence token, for engines that add it by themselves and must not meet it in the prompt too. */
  readonly bos?: string | undefined;
  /** The model is opened to make vectors, in this way of the three; its handle has embed() and refuses to generate. */
  readonly embed?: Pooling | undefined;
  /** Loaded share, 0 … 1, never falling. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** What every opened model offers, whatever its architecture: text goes in, pieces of text come out. `O`: the options of one call. */
export interface ModelHandle<O> {
  /** False after dispose() or once the engine behind it died; core then opens the model again. */
  readonly alive: boolean;
  readonly device: DeviceReport;
  /** tokens: of prompt and answer together for a decoder, of the input for an encoder-decoder */
  readonly contextLength: number;
  /** Options this runtime cannot do, by their name in GenerateOptions: numbers and `save`; core does not send them and warns. */
  readonly unsupported: readonly string[];
  /** Facts to show as warnings in the first stream: one thread because the page is not isolated, threads clamped … */
  readonly notes: readonly string[];
  /** Why it is not the device that was asked for, or that `auto` would rather have: shown as warnings in the first stream. */
  readonly fallbacks?: readonly string[] | undefined;
  /**
   * Continues a rendered prompt (a decoder), or answers an input (an encoder-decoder). Special tokens in it are read as such (message content was defused before),
   * begin-of-sequence is added exactly once. The longest prefix shared with the previous call of its session is not computed again.
   * Pieces never split a character. One call at a time; core queues.
   * Ends with exactly one `end` piece, or throws; leaving the loop or aborting frees the model within one step.
   * @throws SpellError run-context (prompt alone does not fit; details {promptTokens, contextLength}), run-aborted, run-crash, run-nan, run-closed,
   *   device-lost, device-memory
   */
  generate(prompt: string, options: O): AsyncIterable<ModelPiece>;
  /**
   * Where several prompts are computed together faster than one after the other; pieces name their prompt, and come in any order.
   * Ends after one `end` piece for each prompt.
   * @throws SpellError as generate()
   */
  generateMany?: ((prompts: readonly string[], options: O) => AsyncIterable<ManyPiece>) | undefined;
  /**
   * Of models opened to make vectors: one piece for each text, in any order. One call at a time; core queues.
   * @throws SpellError run-context (a text too long; details {index, promptTokens, contextLength}), and as generate()
   */
  embed?: ((texts: readonly string[], options: ModelEmbedOptions) => AsyncIterable<EmbeddedText>) | undefined;
  /** Numbers of a vector, where it has embed(). */
  readonly dimensions?: number | undefined;
  /** embed() takes `countOnly`. */
  readonly countsTokens?: boolean | undefined;
  /** Of models opened to score pairs: one piece for each text beside the query, in any order. @throws SpellError as embed() */
  rerank?: ((query: string, texts: readonly string[], options: ModelEmbedOptions) => AsyncIterable<ScoredText>) | undefined;
  /** Frees everything; pending calls reject with run-closed. Second call does nothing. */
  dispose(): Promise<void>;
}

/** What models that write no text are opened for. */
export type EncoderUse = "embed" | "rerank";

/** How the vectors of a text's tokens become one: their mean, that of the first token, that of the last. */
/** How the vectors of tokens become one. */
export type Pooling = "mean" | "cls" | "last";

export interface ModelEmbedOptions {
  /** Nothing is computed: vectors are empty, and `tokens` are the text's own, without special ones around it. No text is too long. */
  readonly countOnly?: boolean | undefined;
  /** A text that is too long is cut; else it is refused. */
  readonly truncate: boolean;
  /** of a service: as EmbedOptions */
  readonly retries?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One of several texts, as it was read. */
interface ReadText {
  /** place of the text in the list */
  readonly index: number;
  /** tokens read, special ones and those of a query included */
  readonly tokens: number;
  /** tokens there are, where it was cut */
  readonly wholeTokens?: number | undefined;
}

/** The vector of a text. */
export interface EmbeddedText extends ReadText {
  /** of length 1 */
  readonly vector: Float32Array;
}

/** How well a text fits a query. */
export interface ScoredText extends ReadText {
  readonly score: number;
}

export type GgufHandle = ModelHandle<GgufGenerateOptions>;

/** Options of one call. Core fills defaults and checks ranges. */
export interface ModelGenerateOptions<S extends Sampling = Sampling> {
  /** completion tokens, at least 1 */
  readonly maxTokens: number;
  readonly sampling: S;
  /**
   * Once the text holds one of these the runtime ends with finishReason `stop`, so that its counts are right.
   * The string itself is in the pieces: core cuts it, and knows by it what comes next.
   */
  readonly stop: readonly string[];
  /** Texts of control tokens that are part of the answer's text; all others are left out of it. */
  readonly marks?: readonly string[] | undefined;
  /** Conversation whose prefix is cached; calls without one share a cache. Runtimes with one sequence have one cache for all. */
  readonly session?: string | undefined;
  /** The form that the text has; given only to handles that hold answers to forms of its kind. What is cut by `maxTokens` ends with `length`. */
  readonly constraint?: Constraint | undefined;
  /** As in GenerateOptions; given only to handles that do not list it as unsupported. */
  readonly save?: string | true | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type GgufGenerateOptions = ModelGenerateOptions<TokenSampling>;

export type ModelPiece =
  | { readonly type: "text"; readonly text: string }
  | {
      readonly type: "end";
      /** `stop`: the model's own end token; `length`: maxTokens or the context is used up */
      readonly finishReason: "stop" | "length";
      /** all tokens of the prompt, begin-of-sequence included */
      readonly promptTokens: number;
      /** of these, cached from an earlier call */
      readonly cachedTokens: number;
      readonly completionTokens: number;
      /** time for the promptTokens − cachedTokens computed now */
      readonly prefillMs: number;
      readonly decodeMs: number;
      /** Only when several sequences were asked for: best first, with the score of the search. */
      readonly candidates?: readonly Candidate[] | undefined;
      /** Only where choices hold the answer, and the runtime tells: as in GenerateResult. */
      readonly choiceLogprobs?: readonly number[] | undefined;
      /** What went wrong with the output, where the text before it is good: shown as a warning. */
      readonly note?: string | undefined;
      /** Why a state was not kept, or one that was kept not taken: shown as warnings. */
      readonly stateNotes?: readonly string[] | undefined;
      /** What the device did otherwise than it was asked to: shown as a warning. */
      readonly deviceNote?: string | undefined;
    };

export interface Candidate {
  readonly text: string;
  /** sum of log-probabilities over length^lengthPenalty */
  readonly score: number;
}

/**
 * Runs encoder-decoder models from their files. The decode loop lives behind this contract, beside the engine: each token would
 * otherwise carry its logits through a process.
 */
export interface Seq2SeqRuntime extends Partial<DeviceSurvey> {
  readonly name: string;
  /** As GgufRuntime.prepare. */
  prepare?(device?: DeviceChoice): void;
  /**
   * Loads one model from its files (config.json, weights, tokenizer …, in any order; names tell which is which).
   * Never resolves with a model that cannot generate.
   * @throws SpellError model-*, safetensors-*, tokenizer-*, onnx-*, device-unavailable, device-memory, run-crash, run-aborted
   */
  open(files: readonly ByteSource[], options: Seq2SeqOpenOptions): Promise<Seq2SeqHandle>;
}

/** Form of the weights in memory. `f32` computes what the file says. */
export type Seq2SeqVariant = "f32" | "q8" | "q4";
/** Form of a copy of the decoder that writes ahead; the model checks what it wrote. */
export type Seq2SeqDraft = "q8" | "q4";

export interface Seq2SeqOpenOptions extends DeviceOptions {
  readonly variant: Seq2SeqVariant;
  /** Copy that writes ahead of greedy answers; none by default. Left out, with a note, where it would be no faster. */
  readonly draft?: Seq2SeqDraft | undefined;
  /** The files are those of an encoder: its handle has embed() or rerank(), and refuses to generate. */
  readonly use?: EncoderUse | undefined;
  /** Of an encoder that makes vectors, in place of what its files say. */
  readonly pooling?: Exclude<Pooling, "last"> | undefined;
  /** tokens of one input, its end token included; a longer one is refused */
  readonly inputLength: number;
  /** 0 = the adapter's choice */
  readonly threads: number;
  readonly onProgress?: ((share: number) => void) | undefined;
}

export interface Seq2SeqGenerateOptions extends ModelGenerateOptions {
  /** 0 = off */
  readonly noRepeatNgramSize: number;
}

export type Seq2SeqHandle = ModelHandle<Seq2SeqGenerateOptions>;

/** A piece of the answer to one of several prompts. */
export interface ManyPiece {
  /** place of the prompt in the list */
  readonly index: number;
  readonly piece: ModelPiece;
}
