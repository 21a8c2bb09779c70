/** Text as it comes → text and whole calls. What could still become a call is held back; what is none after all is text. */
import { overlap } from "../text/stop-filter.ts";
import type { ToolFamily } from "./families.ts";

export type CallPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "call"; readonly name: string; readonly input: unknown };

export interface CallParser {
  push(text: string): readonly CallPart[];
  /** The answer is over: a call that is not whole is text. */
  end(): readonly CallPart[];
}

/** Calls of one answer. */
export const mostCalls = 8;
/** Characters between a trigger and the input; names have at most 64. */
const openingLength = 200;
const inputDepth = 64;

type Step = "text" | "opening" | "input" | "after";

/** @param most calls; what follows them is text */
export function createCallParser(family: ToolFamily, most: number = mostCalls): CallParser {
  /** not decided yet; within a call, from its trigger on */
  let held = "";
  let step: Step = "text";
  let name: string | undefined;
  /** The input in `held`: where it begins, how far it is read, what of it is not read yet, and what was met there. */
  let [start, at, unread, depth, inText, escaped] = [0, 0, "", 0, false, false];
  let calls = 0;
  /** White space before calls and between them is no text. */
  let isAfter = false;
  let hasSaid = false;
  let out: CallPart[] = [];

  const say = (text: string): void => {
    const shown = isAfter ? text.trimStart() : text;
    if (shown === "") return;
    isAfter = false;
    hasSaid = true;
    out.push({ type: "text", text: shown });
  };
  /** What is held is no call. */
  const giveUp = (): void => {
    const [first = ""] = held;
    say(first);
    held = held.slice(first.length);
    step = "text";
  };
  const begins = (): readonly string[] =>
    family.again === undefined || calls === 0 ? family.triggers : [...family.triggers, family.again];
  const begin = (from: number, called: string | undefined): void => {
    [start, at, unread, depth, inText, escaped] = [from, from, held.slice(from), 0, false, false];
    name = called;
    step = "input";
  };

  /** @returns whether there may be more to do */
  const steps: Readonly<Record<Step, () => boolean>> = {
    text() {
      const triggers = calls < most ? begins() : [];
      const found = triggers.map((trigger) => held.indexOf(trigger)).filter((each) => each >= 0);
      const isFound = found.length > 0;
      const safe = isFound
        ? Math.min(...found)
        : held.length - triggers.reduce((longest, each) => Math.max(longest, overlap(held, each)), 0);
      const text = held.slice(0, safe);
      const isBlank = !hasSaid && text.trim() === "";
      if (isBlank && !isFound) return false;
      held = held.slice(safe);
      if (!isBlank) say(text);
      if (isFound) step = "opening";
      return isFound;
    },
    opening() {
      const trigger = begins().find((each) => held.startsWith(each)) ?? "";
      const from = trigger.startsWith("{") ? 0 : held.indexOf("{", trigger.length);
      if (from < 0 && held.length < trigger.length + openingLength) return false;
      const match = from < 0 ? null : family.opening.exec(held.slice(Math.min(from, trigger.length), from));
      if (match === null) giveUp();
      else begin(from, match.groups?.["name"]);
      return true;
    },
    input() {
      // piece by piece: to look into what is held would copy it each time
      for (let i = 0; i < unread.length; i += 1) {
        const letter = unread[i];
        if (escaped) escaped = false;
        else if (inText) {
          if (letter === "\\") escaped = true;
          else if (letter === '"') inText = false;
        } else if (letter === '"') inText = true;
        else if (letter === "{" || letter === "[") depth += 1;
        else if (letter === "}" || letter === "]") depth -= 1;
        if (depth > 0 && depth <= inputDepth) continue;
        const end = at + i + 1;
        const call = depth === 0 ? readCall(held.slice(start, end), name) : undefined;
        if (call === undefined) giveUp();
        else {
          out.push(call);
          calls += 1;
          held = held.slice(end);
          step = "after";
        }
        return true;
      }
      at += unread.length;
      unread = "";
      return false;
    },
    after() {
      held = held.trimStart();
      isAfter = true;
      const glue = family.glue.find((each) => held.startsWith(each));
      if (glue !== undefined) {
        held = held.slice(glue.length);
        return true;
      }
      if (held === "" || family.glue.some((each) => each.startsWith(held))) return false;
      if (family.isList && held.startsWith("{") && calls < most) begin(0, undefined);
      else step = "text";
      return true;
    },
  };
  const work = (): readonly CallPart[] => {
    while (steps[step]());
    const done = out;
    out = [];
    return done;
  };

  return {
    push(text) {
      held += text;
      unread = text;
      return work();
    },
    end() {
      // of a call that is whole, what is left is its mark
      if (step !== "after") say(held);
      held = "";
      const done = out;
      out = [];
      return done;
    },
  };
}

/** @param name where it stood before the input */
function readCall(text: string, name: string | undefined): CallPart | undefined {
  try {
    const value = JSON.parse(text) as Readonly<Record<string, unknown>>;
    if (name !== undefined) return { type: "call", name, input: value };
    const { name: own, arguments: given, parameters } = value;
    if (typeof own !== "string" || own === "") return undefined;
    const input = given ?? parameters ?? {};
    return { type: "call", name: own, input: typeof input === "string" ? (JSON.parse(input) as unknown) : input };
  } catch {
    return undefined;
  }
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** @returns nine letters and digits, the form that Mistral's templates insist on and others take */
export function newCallId(): string {
  // 256 is no multiple of 62: the first letters are a little likelier, which an id bears
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => letters[byte % letters.length]).join("");
}
