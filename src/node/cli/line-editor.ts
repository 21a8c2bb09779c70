/** A text of one or several lines under the keys of a person: what each key does to text and cursor, without a terminal. */
import type { Key } from "node:readline";
import { cellsOf, visibleText } from "./terminal.ts";

/** `again`: the text may look different now. */
export type KeyResult = "again" | "line" | "end" | undefined;

export interface LineEditor {
  readonly text: string;
  /** What stands before the cursor. */
  readonly before: string;
  /** @param sign what it writes, if anything */
  press(sign: string | undefined, key: Key): KeyResult;
  /** Puts a text in at the cursor, as it is. */
  insert(text: string): void;
  /** Takes the whole text away. */
  take(): string;
  /** What is seen at this size. */
  view(prompt: string, columns: number, rows: number): LineView;
}

export interface LineView {
  readonly rows: readonly string[];
  /** of the cursor, from 0 */
  readonly row: number;
  readonly column: number;
}

/** Continues a text on its further lines. */
const continued = "... ";
const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** No sign that a person sees as one has more units. */
const longestSign = 64;

/** @param history entries of earlier texts, oldest first; the caller adds to them */
export function createLineEditor(history: readonly string[]): LineEditor {
  let text = "";
  let at = 0;
  let killed = "";
  /** how far back in the history; 0 is the text of now */
  let back = 0;
  let draft = "";

  const move = (to: number): void => {
    at = to;
  };
  const show = (shown: string): void => {
    text = shown;
    at = shown.length;
  };
  const insert = (more: string): void => {
    text = text.slice(0, at) + more + text.slice(at);
    at += more.length;
  };
  const cut = (from: number, to: number, keeps = false): void => {
    if (keeps && to > from) killed = text.slice(from, to);
    text = text.slice(0, from) + text.slice(to);
    at = from;
  };
  const before = (): number => at - ([...graphemes.segment(text.slice(Math.max(0, at - longestSign), at))].at(-1)?.segment.length ?? 0);
  const after = (): number => at + ([...graphemes.segment(text.slice(at, at + longestSign))].at(0)?.segment.length ?? 0);
  const wordBefore = (): number => at - (/[\p{L}\p{N}_]*[^\p{L}\p{N}_]*$/u.exec(text.slice(Math.max(0, at - 1000), at))?.[0].length ?? 0);
  const wordAfter = (): number => at + (/^[^\p{L}\p{N}_]*[\p{L}\p{N}_]*/u.exec(text.slice(at, at + 1000))?.[0].length ?? 0);
  const lineStart = (from = at): number => (from === 0 ? 0 : text.lastIndexOf("\n", from - 1) + 1);
  const lineEnd = (from = at): number => (text.indexOf("\n", from) < 0 ? text.length : text.indexOf("\n", from));
  const recall = (steps: number): void => {
    const next = Math.min(history.length, Math.max(0, back + steps));
    if (next === back) return;
    if (back === 0) draft = text;
    back = next;
    show(back === 0 ? draft : (history[history.length - back] ?? ""));
  };
  const up = (): void => {
    const start = lineStart();
    if (start === 0) recall(1);
    else move(Math.min(lineStart(start - 1) + at - start, start - 1));
  };
  const down = (): void => {
    const end = lineEnd();
    if (end === text.length) recall(-1);
    else move(Math.min(end + 1 + at - lineStart(), lineEnd(end + 1)));
  };

  /** By name; c- with Ctrl, m- with Alt. */
  const keys: Readonly<Record<string, () => unknown>> = {
    left: () => move(before()),
    right: () => move(after()),
    up,
    down,
    home: () => move(lineStart()),
    end: () => move(lineEnd()),
    backspace: () => cut(before(), at),
    delete: () => cut(at, after()),
    "c-left": () => move(wordBefore()),
    "c-right": () => move(wordAfter()),
    "c-w": () => cut(wordBefore(), at, true),
    "m-d": () => cut(at, wordAfter(), true),
    "c-u": () => cut(lineStart(), at, true),
    "c-k": () => cut(at, lineEnd() === at ? after() : lineEnd(), true),
    "c-y": () => insert(killed),
    "c-d": () => (text === "" ? "end" : cut(at, after())),
    "m-return": () => insert("\n"),
    return() {
      if (text[at - 1] !== "\\") return "line";
      cut(at - 1, at);
      return insert("\n");
    },
  };
  const aliases: Readonly<Record<string, string>> = {
    "c-b": "left",
    "c-f": "right",
    "c-p": "up",
    "c-n": "down",
    "c-a": "home",
    "c-e": "end",
    "c-h": "backspace",
    "m-b": "c-left",
    "m-f": "c-right",
    "m-left": "c-left",
    "m-right": "c-right",
    "m-backspace": "c-w",
    "c-backspace": "c-w",
    "m-enter": "m-return",
    enter: "return",
  };

  return {
    get text() {
      return text;
    },
    get before() {
      return text.slice(0, at);
    },
    insert,
    press(sign, { name = "", ctrl = false, meta = false }) {
      const plain = `${ctrl ? "c-" : meta ? "m-" : ""}${name}`;
      const known = aliases[plain] ?? plain;
      const run = Object.hasOwn(keys, known) ? keys[known] : undefined;
      if (run !== undefined) {
        const result = run();
        return result === "line" || result === "end" ? result : "again";
      }
      const typed = ctrl || meta ? "" : visibleText(sign ?? "");
      if (typed === "") return undefined;
      insert(typed);
      return "again";
    },
    take() {
      const whole = text;
      show("");
      back = 0;
      return whole;
    },
    view(prompt, columns, rows) {
      // Only lines near the cursor are laid out: a text of a million signs is edited as one of ten.
      let [from, to] = [lineStart(), lineEnd()];
      for (let i = 0; i < rows && from > 0; i++) from = lineStart(from - 1);
      for (let i = 0; i < rows && to < text.length; i++) to = lineEnd(to + 1);
      return layOut(text.slice(from, to), at - from, from === 0 ? prompt : continued, columns, rows);
    },
  };
}

function layOut(text: string, at: number, prompt: string, columns: number, most: number): LineView {
  const rows = [prompt];
  let cells = prompt.length;
  let [row, column] = [0, cells];
  const begin = (start: string): void => {
    rows.push(start);
    cells = start.length;
  };
  const note = (): void => {
    // behind the last cell of a row the cursor is at the start of the next one
    if (cells >= columns) begin("");
    [row, column] = [rows.length - 1, cells];
  };
  let index = 0;
  for (const sign of text) {
    if (index === at) note();
    index += sign.length;
    if (sign === "\n") {
      begin(continued);
      continue;
    }
    const shown = sign === "\t" ? " ".repeat(8 - (cells % 8)) : sign;
    const width = sign === "\t" ? shown.length : cellsOf(sign);
    if (cells + width > columns) begin("");
    rows[rows.length - 1] += shown;
    cells += width;
  }
  if (index === at) note();
  const first = Math.max(0, Math.min(row - Math.floor(most / 2), rows.length - most));
  return { rows: rows.slice(first, first + most), row: row - first, column };
}
