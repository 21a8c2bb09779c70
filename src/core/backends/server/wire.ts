/** How one kind of service is spoken to: what a call sends, and what its events say. */
import type { SpellError } from "../../errors.ts";
import type { ChatPrompt, FinishReason, GenerateOptions, GenerateWarning, ToolCall, Usage } from "../../spec/generate.ts";
import type { Json } from "../answer-values.ts";
import type { ServerEvent } from "./events.ts";
import type { ServedVectors } from "./vectors.ts";

/** The form of an answer, as a schema of an object. */
export interface ServedForm {
  readonly schema: Json;
  /** The answer is a member of what comes. */
  readonly isInside: boolean;
}

export type WirePart =
  | { readonly type: "text-delta" | "reasoning-delta"; readonly text: string }
  | ToolCall
  | ({ readonly type: "warning" } & GenerateWarning)
  | { readonly type: "ended"; readonly finishReason: FinishReason; readonly stoppedBy?: string | undefined; readonly usage: Usage };

/** Errors of a stream. */
export interface Failures {
  /** the service's own, as it stands in an event */
  readonly reported: (text: string) => SpellError;
  /** of a stream that is not as it should be */
  readonly broken: (problem: string) => SpellError;
}

export interface WireCall {
  readonly path: string;
  readonly body: Json;
  /** options that the service does not know */
  readonly ignored: readonly string[];
  /** The last part is `ended`, or it throws. */
  read(events: AsyncIterable<ServerEvent>, failures: Failures): AsyncIterable<WirePart>;
}

/** How a service is asked for vectors. */
export interface VectorWire {
  write(model: string, texts: readonly string[]): { readonly path: string; readonly body: Json };
  /** @returns undefined for what is no list of vectors */
  read(answer: unknown): ServedVectors | undefined;
}

export interface Wire {
  /** Absent: it makes none. */
  readonly vectors?: VectorWire | undefined;
  /** @throws SpellError run-option */
  write(model: string, prompt: ChatPrompt, options: GenerateOptions, form: ServedForm | undefined): WireCall;
  /** Where models are listed. */
  readonly modelsPath: string;
  /** names of options by those that the service has for them */
  readonly optionNames: Readonly<Partial<Record<string, string>>>;
  readonly headers: Readonly<Record<string, string>>;
  /** The header of a key. */
  readonly secret: (key: string) => { readonly secret: string; readonly secretHeader?: string };
}
