/** What a caller says to a model, and what comes back as a whole. Types only; defaults and ranges are in text/parameters.ts. */
import type { GenerationParameters } from "./parameters.generated.ts";
import type { DeviceChoice, DeviceReport } from "./runtime.ts";

export type Role = "system" | "user" | "assistant" | "tool";

/** A part of a message. Models of this release read `text`; the others are refused by name until tools arrive. */
export type MessagePart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | ToolCall
  | { readonly type: "tool-result"; readonly id: string; readonly result: unknown };

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

/** A message whose parts are joined to one text. */
export interface TextMessage {
  readonly role: Exclude<Role, "tool">;
  readonly content: string;
}

/** A prompt as the models of this release read it. */
export type TextPrompt = string | readonly TextMessage[];

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
   * Where this call computes; default: where the model was loaded for. The first call that names another device loads the model there too, and it
   * stays on both until it is disposed.
   */
  readonly device?: DeviceChoice | undefined;
  /**
   * Name of the conversation this call belongs to. Calls of one session share their cached prefix; those of others leave it alone, where the runtime
   * keeps several sequences. Default: all calls without a name share one.
   */
  readonly session?: string | undefined;
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
  | "output-invalid"
  | "answer-missing";

export interface GenerateWarning {
  readonly code: WarningCode;
  readonly message: string;
}

/** A whole answer. */
export interface GenerateResult {
  readonly text: string;
  /** the model's thinking, where it shows some */
  readonly reasoning?: string | undefined;
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: FinishReason;
  readonly usage: Usage;
  readonly timing: Timing;
  /** start of the random numbers; with the same seed, model, device and version the text is the same */
  readonly seed: number;
  readonly warnings: readonly GenerateWarning[];
  /** only when several sequences were asked for, best first */
  readonly candidates?: readonly string[] | undefined;
  /** id of the model */
  readonly model: string;
  /** absent where a server computes */
  readonly device?: DeviceReport | undefined;
}

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
