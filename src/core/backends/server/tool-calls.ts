/** Calls of tools that come in pieces: each comes out whole. Arguments that are no JSON come as the text they are: who runs the tool tells it to the model. */
import { isObject, readJson } from "../../json.ts";
import { limits } from "../../limits.ts";
import type { ToolCall } from "../../spec/generate.ts";
import type { Json } from "../answer-values.ts";
import type { Failures } from "./wire.ts";

interface Building {
  readonly id: string | undefined;
  name: string;
  pieces: string;
}

export interface Calls {
  /** @param index of the call; some servers leave it out: then an id, or a name, begins another */
  add(index: number | undefined, id: string | undefined, name: string | undefined, pieces: string): void;
  end(): readonly ToolCall[];
}

export function createCalls({ broken }: Pick<Failures, "broken">): Calls {
  const calls = new Map<number, Building>();
  let last = -1;
  return {
    add(index, id, name, pieces) {
      const begins = id !== undefined || name !== undefined;
      const before = calls.get(last);
      const isNext = begins && before !== undefined && (id === undefined || before.id !== id);
      const place = index ?? (before === undefined || isNext ? last + 1 : last);
      last = place;
      const call = calls.get(place) ?? { id, name: "", pieces: "" };
      calls.set(place, call);
      // the name comes whole; some servers repeat it
      call.name = name ?? call.name;
      call.pieces += pieces;
      if (calls.size > limits.serverToolCalls) throw broken(`calls more than ${limits.serverToolCalls} tools at once`);
      if (call.pieces.length > limits.serverEventBytes) throw broken("sends arguments without end");
    },
    end: () =>
      [...calls].map(([place, { id = `call_${place}`, name, pieces }]) => ({
        type: "tool-call",
        id,
        name,
        input: inputOrText(pieces),
      })),
  };
}

/** No arguments at all are an object without members. */
export function inputOf(text: string, fail: (problem: string) => Error): unknown {
  if (text.trim() === "") return {};
  const bytes = new TextEncoder().encode(text);
  return readJson(bytes, { bytes: limits.serverEventBytes * 3, depth: limits.jsonDepth }, ({ message }) =>
    fail(`arguments that are no JSON: ${message}`),
  );
}

/** @returns the text itself where it is no JSON */
export function inputOrText(text: string): unknown {
  try {
    return inputOf(text, (problem) => new Error(problem));
  } catch {
    return text;
  }
}

/** The input of a call as a service takes it back: always an object. */
export function objectInput(input: unknown): Json {
  return isObject(input) ? input : { unreadable: input };
}
