/** One answer on its way: pieces of the engine to parts of a stream. Thoughts, calls of tools and stop strings are found here. */
import { SpellError } from "../errors.ts";
import type { WarningCode } from "../spec/generate.ts";
import type { Constraint } from "../spec/grammar.ts";
import type { ModelPiece } from "../spec/runtime.ts";
import type { StreamPart } from "../spec/stream-part.ts";
import { createStopFilter } from "./stop-filter.ts";
import { createThinkingFilter, type ThinkingForm } from "./thinking.ts";

export type Warning = Extract<StreamPart, { type: "warning" }>;
export type EndPiece = Extract<ModelPiece, { type: "end" }>;

/** @param options that the message names */
export function warning(code: WarningCode, message: string, options?: readonly string[]): Warning {
  return { type: "warning", code, message, ...(options !== undefined && { options }) };
}

/** Text and calls of tools, in their order. */
export type CallPiece = Extract<StreamPart, { type: "text-delta" | "tool-call" }>;

export interface CallReader {
  push(text: string): readonly CallPiece[];
  /** A call that is not whole is text. */
  end(): readonly CallPiece[];
}

/** How the text of an answer is read. */
export interface AnswerForm {
  readonly thinking?: (ThinkingForm & { readonly isOpen: boolean }) | undefined;
  readonly calls?: CallForm | undefined;
  /** Control tokens that are part of the text here; engines leave out all others. */
  readonly marks: readonly string[];
}

/** How calls of tools are written and read. */
export interface CallForm {
  readonly triggers: readonly string[];
  /** A call has to come, and this is what it begins with; absent: the model decides. */
  readonly lead?: string | undefined;
  /** @param begun what of the calls stands there already: a trigger, the lead @returns the form of what comes */
  readonly holds?: ((begun: string) => Constraint) | undefined;
  readonly read: () => CallReader;
}

export interface Answer {
  /** shown so far */
  readonly text: string;
  /** whether text, a thought or a call was shown */
  readonly isBegun: boolean;
  push(piece: ModelPiece): readonly StreamPart[];
  /** @throws SpellError run-crash where no end came */
  finish(facts: { readonly seed: number; readonly loadMs: number }): readonly StreamPart[];
}

/** @param called when the call began, by the same clock */
export function createAnswer(stop: readonly string[], { thinking, calls }: Partial<AnswerForm>, now: () => number, called: number): Answer {
  const thoughts = thinking === undefined ? undefined : createThinkingFilter(thinking, thinking.isOpen);
  const reader = calls?.read();
  const filter = createStopFilter(stop);
  let text = "";
  let firstTokenMs = 0;
  let end: EndPiece | undefined;
  let stoppedBy: string | undefined;
  let [hasCalled, hasThought] = [false, false];

  const show = (more: string): StreamPart[] => {
    if (more === "") return [];
    text += more;
    return [{ type: "text-delta", text: more }];
  };
  const filtered = (more: string): StreamPart[] => {
    if (stoppedBy !== undefined) return []; // what a runtime still says after a stop string is not part of the answer
    const result = filter.push(more);
    stoppedBy = result.stop;
    return show(result.text);
  };
  const callsIn = (pieces: readonly CallPiece[]): StreamPart[] =>
    pieces.flatMap((piece): StreamPart[] => {
      if (piece.type === "text-delta") return filtered(piece.text);
      if (stoppedBy !== undefined) return [];
      hasCalled = true;
      return [...show(filter.flush()), piece];
    });
  const answered = (more: string): StreamPart[] => (reader === undefined ? filtered(more) : callsIn(reader.push(more)));
  const read = (parts: readonly { readonly type: "text" | "reasoning"; readonly text: string }[]): StreamPart[] =>
    parts.flatMap((part): StreamPart[] => {
      if (part.type === "text") return answered(part.text);
      hasThought = true;
      return [{ type: "reasoning-delta", text: part.text }];
    });

  return {
    get text() {
      return text;
    },
    get isBegun() {
      return text !== "" || hasThought || hasCalled;
    },
    push(piece) {
      if (piece.type === "end") {
        end = piece;
        return [];
      }
      if (firstTokenMs === 0) firstTokenMs = now() - called;
      return thoughts === undefined ? answered(piece.text) : read(thoughts.push(piece.text));
    },
    finish({ seed, loadMs }) {
      if (end === undefined) throw new SpellError("run-crash", "the runtime ended without a result");
      const { promptTokens, cachedTokens, completionTokens, prefillMs, decodeMs } = end;
      const rest = [...(thoughts === undefined ? [] : read(thoughts.end())), ...(reader === undefined ? [] : callsIn(reader.end()))];
      const last = [...rest, ...(stoppedBy !== undefined ? [] : show(filter.flush()))];
      const isMissing = hasThought && !hasCalled && text.trim() === "";
      return [
        ...last,
        ...notes("output-invalid", end.note),
        ...notes("device-note", end.deviceNote),
        ...notes("state-note", ...(end.stateNotes ?? [])),
        ...notes("answer-missing", isMissing ? withoutAnswer(end) : undefined),
        {
          type: "stream-end",
          finishReason: hasCalled ? "tool-calls" : stoppedBy !== undefined ? "stop" : end.finishReason,
          ...(stoppedBy !== undefined && !hasCalled && { stoppedBy }),
          seed,
          usage: { promptTokens, cachedTokens, completionTokens, totalTokens: promptTokens + completionTokens },
          timing: {
            loadMs,
            firstTokenMs,
            prefillMs,
            decodeMs,
            prefillRate: rate(promptTokens - cachedTokens, prefillMs),
            decodeRate: rate(completionTokens - 1, decodeMs),
          },
          candidates: end.candidates?.map((candidate) => candidate.text),
          choiceLogprobs: end.choiceLogprobs,
        },
      ];
    },
  };
}

const notes = (code: WarningCode, ...messages: readonly (string | undefined)[]): readonly Warning[] =>
  messages.flatMap((message) => (message === undefined ? [] : [warning(code, message)]));

/** What is said where a model only thought. */
export function withoutAnswer({
  finishReason,
  completionTokens,
}: {
  readonly finishReason: string;
  readonly completionTokens: number;
}): string {
  return finishReason === "length"
    ? `the model spent all ${completionTokens} tokens on thinking and gave no answer`
    : "the model ended after thinking, without an answer";
}

function rate(tokens: number, ms: number): number {
  return tokens > 0 && ms > 0 ? (tokens * 1000) / ms : 0;
}
