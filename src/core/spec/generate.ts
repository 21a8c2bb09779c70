/** What a caller says to a model, and what comes back as a whole. Types only; defaults and ranges are in text/parameters.ts. */
import type { GenerationParameters } from "./parameters.generated.ts";
import type { DeviceChoice, DeviceReport } from "./runtime.ts";
import type { JsonSchema, StandardJsonSchema } from "./schema.ts";

export type Role = "system" | "user" | "assistant" | "tool";

/** A part of a message: `reasoning` and `tool-call` of an assistant, `tool-result` of a tool. */
export type MessagePart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | ToolCall
  /** `id` is that of the call; a result that is no text is shown to the model as JSON */
  | { readonly type: "tool-result"; readonly id: string; readonly result: unknown };

/** A function that a model may ask for. The program runs it and answers with a `tool-result`. */
export interface Tool {
  /** 1–64 letters, digits, `_` and `-` */
  readonly name: string;
  /** For the model: what it does, and when to take it. */
  readonly description?: string | undefined;
  /** Of the input: a schema of an object. Default: an object without members. */
  readonly inputSchema?: JsonSchema | StandardJsonSchema | undefined;
}

/** A tool that generate() of a spell, and agents, run by themselves. */
export interface RunnableTool extends Tool {
  /**
   * @param input by the schema
   * @returns text or JSON for the model, or a promise of it; what it throws is told to the model
   */
  // biome-ignore lint/suspicious/noExplicitAny: its own schema says what the input is
  execute(input: any, options: { readonly signal: AbortSignal }): unknown;
}

/** `auto`: the model decides; `none`: it sees the tools and calls none; `required`: it calls one; a name: it calls that one. */
export type ToolChoice = "auto" | "none" | "required" | { readonly name: string };

/** A call of a tool that the model asks for. */
export interface ToolCall {
  readonly type: "tool-call";
  readonly id: string;
  readonly name: string;
  /** JSON value by the schema of the tool */
  readonly input: unknown;
}

export interface Message {
  readonly role: Role;
  readonly content: string | readonly MessagePart[];
}

/** Text, or a conversation. Text becomes one user message where the model has a chat template. */
export type Prompt = string | readonly Message[];

/** A message as backends get it: checked, the parts of its text joined. */
export interface ChatMessage {
  readonly role: Role;
  /** of a `tool`: its result, as text */
  readonly content: string;
  /** of an assistant */
  readonly reasoning?: string | undefined;
  /** of an assistant */
  readonly toolCalls?: readonly ToolCall[] | undefined;
  /** of a `tool`: the call that it answers; there is one message for each result */
  readonly toolCallId?: string | undefined;
  /** of a `tool`: name of the tool that was called, where a call before has this id */
  readonly toolName?: string | undefined;
}

/** A prompt as backends get it. */
export type ChatPrompt = string | readonly ChatMessage[];

export type Preset = "greedy" | "balanced" | "conservative" | "creative";

/** Ranges and defaults: text/parameters.ts, and docs/parameters.md made from it. Undefined = the model's own default, else the table's. */
export interface GenerateOptions extends GenerationParameters {
  /** The answer ends before the first of these texts: at most 16 of 1–256 characters. */
  readonly stop?: string | readonly string[] | undefined;
  /** Sets temperature, topP, topK and repeatPenalty together; single values win. */
  readonly preset?: Preset | undefined;
  /** System message put first; not for `raw`. */
  readonly system?: string | undefined;
  /** No chat template and no defusing: the text goes to the model as it is. Only for a text prompt. */
  readonly raw?: boolean | undefined;
  /**
   * The last message is the beginning of the answer: the model goes on with it, and the answer is what it adds. For conversations that end with text of an
   * assistant, and answers without a form. GGUF models in this process and services of Anthropic do it; others refuse.
   */
  readonly continueLast?: boolean | undefined;
  /**
   * Where this call computes; default: where the model was loaded for. The first call that names another device loads the model there too, and it
   * stays on both until it is disposed.
   */
  readonly device?: DeviceChoice | undefined;
  /**
   * Name of the conversation this call belongs to. Calls of one session share their cached prefix; those of others leave it alone, where the runtime
   * keeps several sequences. Default: all calls without a name share one.
   */
  readonly session?: string | undefined;
  /**
   * Keeps what the model computes on disk, and takes what is kept instead of computing it again, where the runtime can. `true`: the state after this
   * prompt, for each later one that begins as it does. A name of 1–100 characters: the state after the answer, in place of what the name had.
   * Default: nothing is kept or taken.
   */
  readonly save?: string | true | undefined;
  /**
   * The answer is JSON that keeps this schema; its value is `json` of the result. A schema that cannot be held is refused before the model is asked. An answer
   * that ended with `length` is cut and has no `json`.
   */
  readonly jsonSchema?: JsonSchema | StandardJsonSchema | undefined;
  /** The answer is one of these texts: at most 1,000 of 1–1,000 characters. */
  readonly choices?: readonly string[] | undefined;
  /** The answer matches as a whole. No look-around, no back references. */
  readonly regex?: string | RegExp | undefined;
  /** The answer keeps this grammar in GBNF, the notation of llama.cpp; its root rule is `root`. Only for GGUF models. */
  readonly grammar?: string | undefined;
  /** What the model may call; at most 128. Its calls are `tool-call` parts, and the answer ends with `tool-calls`. */
  readonly tools?: readonly Tool[] | undefined;
  /** Default `auto`. */
  readonly toolChoice?: ToolChoice | undefined;
  /** Several calls in one answer; default: true with `auto`, else false, since small models repeat themselves. */
  readonly parallelToolCalls?: boolean | undefined;
  /** `off`: no thinking, where the model can leave it out. Default `auto`: as the model does. */
  readonly reasoning?: "auto" | "off" | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** `stop`: end token or stop string; `length`: maxTokens or the context is used up; `tool-calls`: the model waits for results of tools. */
export type FinishReason = "stop" | "length" | "aborted" | "tool-calls";

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
  /** of promptTokens, cached by an earlier call and not computed again; absent where the runtime does not tell */
  readonly cachedTokens?: number | undefined;
}

export type WarningCode =
  | "option-ignored"
  | "prompt-defused"
  | "template-missing"
  | "turn-alone"
  | "device-fallback"
  | "device-note"
  | "file-note"
  | "state-note"
  | "output-invalid"
  | "answer-missing"
  | "provider-note";

export interface GenerateWarning {
  readonly code: WarningCode;
  readonly message: string;
  /** options that the message names, by their names in code */
  readonly options?: readonly string[] | undefined;
}

/** A whole answer. `J`: type of its JSON. */
export interface GenerateResult<J = unknown> {
  readonly text: string;
  /** the model's thinking, where it shows some */
  readonly reasoning?: string | undefined;
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: FinishReason;
  /** the stop string that ended the answer; absent where none did, or a service does not tell */
  readonly stoppedBy?: string | undefined;
  readonly usage: Usage;
  readonly timing: Timing;
  /** start of the random numbers; with the same seed, model, device and version the text is the same */
  readonly seed: number;
  readonly warnings: readonly GenerateWarning[];
  /** only when several sequences were asked for, best first */
  readonly candidates?: readonly string[] | undefined;
  /** With `jsonSchema`: the value of the text. Absent where the answer is cut. */
  readonly json?: J | undefined;
  /** With `choices`, where the runtime tells: natural logarithm of the probability of each, in their order, among the choices alone. */
  readonly choiceLogprobs?: readonly number[] | undefined;
  /** id of the model */
  readonly model: string;
  /** absent where a server computes */
  readonly device?: DeviceReport | undefined;
}

/** Type of the JSON of an answer to options: what their schema says is known to the compiler. */
export type JsonOf<O> = O extends { readonly jsonSchema: StandardJsonSchema<infer J> } ? J : unknown;
export type ResultOf<O> = GenerateResult<JsonOf<O>>;

/** Milliseconds and tokens per second. Rates are 0 where nothing was measured. */
export interface Timing {
  /** from load() to a usable model; 0 when it was loaded already */
  readonly loadMs: number;
  /** from the call to the first text, waiting in the queue included */
  readonly firstTokenMs: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
  /** computed prompt tokens per second */
  readonly prefillRate: number;
  /** completion tokens per second, after the first */
  readonly decodeRate: number;
}
