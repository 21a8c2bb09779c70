/** Where the texts of a conversation come from: a line editor on a terminal, or the lines of a pipe. */
import { writeSync } from "node:fs";
import { createInterface, emitKeypressEvents, type Key } from "node:readline";
import { PassThrough } from "node:stream";
import { limits } from "../../core/limits.ts";
import { plural } from "./format.ts";
import type { History } from "./history.ts";
import { type InputStream, readLines } from "./input.ts";
import type { Interrupt } from "./interrupt.ts";
import { createLineEditor, type LineView } from "./line-editor.ts";
import { createPasteReader, pasteOff, pasteOn } from "./paste.ts";
import type { Screen } from "./render.ts";
import { cellsOfText } from "./terminal.ts";

/** `cancel`: Ctrl-C at the prompt; `emptyLine` when there was nothing to throw away. */
export type ChatLine =
  | { readonly type: "line"; readonly text: string }
  | { readonly type: "cancel"; readonly emptyLine: boolean }
  | { readonly type: "end" };

export interface ChatInput {
  readonly isTerminal: boolean;
  /** Asks for the next text; on a terminal it may have several lines. */
  next(prompt: string): Promise<ChatLine>;
  /** Asks a question aside: neither what was typed before it nor the history has to do with its answer. @returns undefined when it is broken off */
  ask?(question: string): Promise<string | undefined>;
  /** Ctrl-C while next() waits. @returns false when nothing waits */
  cancel(): boolean;
  /** Gives the terminal back as it was. */
  close(): void;
}

export function pipeInput(stdin: InputStream, signal: AbortSignal, screen: Screen): ChatInput {
  const lines = readLines(stdin, signal, screen);
  return {
    isTerminal: false,
    async next() {
      const { done, value } = await lines.next();
      return done === true ? { type: "end" } : { type: "line", text: value };
    },
    cancel: () => false,
    close: () => stdin.destroy(),
  };
}

/** Texts that wait for a taker, or a taker that waits for a text. */
function createQueue() {
  const waiting: ChatLine[] = [];
  let take: ((line: ChatLine) => void) | undefined;
  let ended = false;
  return {
    isAwaited: () => take !== undefined,
    ready: (): ChatLine | undefined => waiting.shift() ?? (ended ? { type: "end" } : undefined),
    wait: () =>
      new Promise<ChatLine>((resolve) => {
        take = resolve;
      }),
    give(line: ChatLine): void {
      if (line.type === "end") ended = true;
      const taker = take;
      take = undefined;
      if (taker !== undefined) taker(line);
      else if (line.type !== "end") waiting.push(line);
    },
  };
}

/** Of a longer text no more than this is shown once it is sent. */
const shownCharacters = 10_000;

function sentLines(prompt: string, text: string): string {
  const more = text.length - shownCharacters;
  const shown = more > 0 ? `${text.slice(0, shownCharacters)}\n(and ${plural(more, "character")} more)` : text;
  return `${prompt}${shown.replaceAll("\n", "\n... ")}\n`.replaceAll("\n", "\r\n");
}

/** The words that may stand where the last `typed` characters before the cursor are. */
export interface Completions {
  readonly typed: string;
  readonly words: readonly string[];
}
export type Complete = (before: string) => Promise<Completions | undefined>;

/**
 * @param history where the up key looks; what is typed is added
 * @param complete asked by the Tab key; absent: that writes a tab
 */
export function terminalInput(screen: Screen, interrupt: Interrupt, history: History, complete?: Complete): ChatInput {
  return screen.errIsTerminal && screen.settings.escapes
    ? editedInput(screen, interrupt, history, complete)
    : plainInput(screen, interrupt);
}

/** Without escape sequences (--no-color, a dumb terminal) the terminal's own editing has to do. */
function plainInput(screen: Screen, interrupt: Interrupt): ChatInput {
  const editor = createInterface({ input: process.stdin, terminal: false });
  const queue = createQueue();
  let answer: ((line: string | undefined) => void) | undefined;
  let begun = "";
  editor.on("line", (line) => {
    if (answer !== undefined) {
      answer(line);
      return;
    }
    const isOpen = line.endsWith("\\");
    begun += isOpen ? `${line.slice(0, -1)}\n` : line;
    if (isOpen) screen.echo("... ");
    else {
      queue.give({ type: "line", text: begun });
      begun = "";
    }
  });
  editor.on("close", () => {
    answer?.(undefined);
    queue.give({ type: "end" });
  });
  return {
    isTerminal: true,
    async next(prompt) {
      const ready = queue.ready();
      if (ready?.type !== "end") screen.echo(ready === undefined ? prompt : `${prompt}${ready.type === "line" ? ready.text : ""}\n`);
      return ready ?? queue.wait();
    },
    ask(question) {
      screen.echo(question);
      return new Promise((resolve) => {
        const done = (line: string | undefined): void => {
          answer = undefined;
          resolve(line);
        };
        answer = done;
        interrupt.signal.addEventListener("abort", () => done(undefined), { once: true });
      });
    },
    cancel() {
      if (!queue.isAwaited()) return false;
      screen.echo("\n");
      queue.give({ type: "cancel", emptyLine: begun === "" });
      begun = "";
      return true;
    },
    close: () => editor.close(),
  };
}

function isAtEnd({ rows, row, column }: LineView): boolean {
  return row === rows.length - 1 && column === cellsOfText(rows[row] ?? "");
}

function commonStart(one: string, other: string): string {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return one.slice(0, length);
}

/** Words side by side, as many rows as they need. */
function columnsOf(words: readonly string[], columns: number): readonly string[] {
  const width = Math.max(...words.map((word) => word.length)) + 2;
  const across = Math.max(1, Math.floor(columns / width));
  const rows: string[] = [];
  for (let i = 0; i < words.length; i += across) {
    rows.push(
      words
        .slice(i, i + across)
        .map((word) => word.padEnd(width))
        .join("")
        .trimEnd(),
    );
  }
  return rows;
}

/** What terminals with an extended keyboard send for Shift-Enter and its like; here all are Alt-Enter. */
const modifiedEnter = /\p{Cc}\[(?:13;[2-8]u|27;[2-8];13~)/gu;

/**
 * The line editor. It is open from the start of the run to its end and takes the keys off the terminal, so that what is typed or pasted while a model
 * loads or answers writes into nothing, and appears at the next prompt.
 */
function editedInput(screen: Screen, interrupt: Interrupt, history: History, complete?: Complete): ChatInput {
  const { stdin, stderr } = process;
  const queue = createQueue();
  let editor = createLineEditor(history.entries);
  /** Asked right now; undefined: silent */
  let prompt: string | undefined;
  let answer: ((line: string | undefined) => void) | undefined;
  /** what the terminal shows of the text, the cursor in it */
  let drawn: LineView | undefined;

  const wipe = (): string => `\r${drawn !== undefined && drawn.row > 0 ? `\u001b[${drawn.row}A` : ""}\u001b[J`;
  const draw = (): void => {
    if (prompt === undefined) return;
    const view = editor.view(prompt, screen.columns, Math.max(2, (stderr.rows || 24) - 1));
    const { rows, row, column } = view;
    const last = drawn?.rows.at(-1) ?? "";
    const isLonger = drawn !== undefined && isAtEnd(drawn) && isAtEnd(view) && rows.join("\n").startsWith(drawn.rows.join("\n"));
    if (isLonger && rows.length === drawn?.rows.length) screen.echo((rows.at(-1) ?? "").slice(last.length));
    else {
      const below = rows.length - 1 - row;
      const place = `\r${below > 0 ? `\u001b[${below}A` : ""}${column > 0 ? `\u001b[${column}C` : ""}`;
      screen.echo(`${drawn === undefined ? "" : wipe()}${rows.join("\r\n")}${isAtEnd(view) ? "" : place}`);
    }
    drawn = view;
  };
  const begin = (text: string): void => {
    prompt = text;
    drawn = undefined;
    draw();
  };
  /** The text stays on the screen, whole; what follows begins below it. */
  const leave = (text: string): void => {
    if (prompt === undefined) return;
    const isThere = drawn !== undefined && isAtEnd(drawn) && drawn.rows.length === 1;
    screen.echo(isThere ? "\r\n" : wipe() + sentLines(prompt, text));
    prompt = undefined;
  };
  const finish = (): void => {
    const text = editor.take();
    leave(text);
    if (answer !== undefined) answer(text);
    else {
      if (text.trim() !== "") history.add(text);
      queue.give({ type: "line", text });
    }
  };
  const end = (): void => {
    leave(editor.take());
    if (answer !== undefined) answer(undefined);
    else queue.give({ type: "end" });
  };
  /** Writes what all words have in common; where that is nothing more, lists them. */
  const offer = async (asked: string): Promise<void> => {
    const found = await complete?.(asked).catch(() => undefined);
    if (found === undefined || found.words.length === 0 || prompt === undefined || editor.before !== asked) return;
    const { typed, words } = found;
    const more = words.reduce(commonStart).slice(typed.length);
    if (more !== "") editor.insert(more);
    else if (words.length > 1) {
      screen.echo(`\r\n${columnsOf(words, screen.columns).join("\r\n")}\r\n`);
      drawn = undefined;
    }
    draw();
  };
  const press = (sign: string | undefined, key: Key): void => {
    const control = key.ctrl === true ? key.name : undefined;
    if (control === "c") interrupt.press();
    else if (key.name === "tab" && complete !== undefined && /\S$/.test(editor.before)) void offer(editor.before);
    else if (control === "z") suspend();
    else if (control === "l") {
      if (prompt === undefined) return;
      screen.echo("\u001b[H\u001b[2J");
      drawn = undefined;
      draw();
    } else {
      const result = editor.press(sign, key);
      if (result === "line") finish();
      else if (result === "end") end();
      else if (result === "again") draw();
    }
  };

  const typed = new PassThrough();
  emitKeypressEvents(typed);
  typed.on("keypress", press);
  const reader = createPasteReader(
    (text) => typed.emit("data", text.replace(modifiedEnter, "\u001b\r")),
    (text) => {
      if (text !== undefined) editor.insert(text);
      else screen.aside(`\nThe paste is too long: expected at most ${limits.promptCharacters.toLocaleString("en-US")} characters.\n`);
      draw();
    },
  );
  const restore = (): void => {
    try {
      writeSync(2, pasteOff);
    } catch {
      // the terminal is gone
    }
  };
  const open = (): void => {
    stdin.setRawMode(true);
    stdin.resume();
    screen.echo(pasteOn);
  };
  const suspend = (): void => {
    if (process.platform === "win32") return; // has no such signal
    stdin.setRawMode(false);
    screen.echo(pasteOff);
    process.once("SIGCONT", () => {
      open();
      drawn = undefined;
      draw();
    });
    process.kill(process.pid, "SIGTSTP");
  };
  stdin.on("data", reader.push);
  stdin.on("end", end);
  stdin.on("error", end);
  stderr.on("resize", draw);
  process.on("exit", restore);
  open();

  return {
    isTerminal: true,
    next(text) {
      const ready = queue.ready();
      if (ready === undefined) begin(text);
      if (ready?.type === "line") screen.echo(sentLines(text, ready.text));
      return ready === undefined ? queue.wait() : Promise.resolve(ready);
    },
    ask(question) {
      const kept = editor;
      editor = createLineEditor([]);
      return new Promise((resolve) => {
        const done = (line: string | undefined): void => {
          if (answer === undefined) return;
          answer = undefined;
          leave(editor.text);
          editor = kept;
          resolve(line);
        };
        answer = done;
        interrupt.signal.addEventListener("abort", () => done(undefined), { once: true });
        begin(question);
      });
    },
    cancel() {
      if (!queue.isAwaited()) return false;
      const text = editor.take();
      leave(text);
      queue.give({ type: "cancel", emptyLine: text === "" });
      return true;
    },
    close() {
      prompt = undefined;
      reader.close();
      stdin.off("data", reader.push).pause();
      stdin.setRawMode(false);
      screen.echo(pasteOff);
      process.off("exit", restore);
    },
  };
}
