/** Where the lines of a conversation come from: a line editor on a terminal, or the lines of a pipe. */
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { type InputStream, readLines } from "./input.ts";
import type { Interrupt } from "./interrupt.ts";
import type { Screen } from "./render.ts";

/** `cancel`: Ctrl-C at the prompt; `emptyLine` when there was nothing to throw away. */
export type ChatLine =
  | { readonly type: "line"; readonly text: string }
  | { readonly type: "cancel"; readonly emptyLine: boolean }
  | { readonly type: "end" };

export interface ChatInput {
  readonly isTerminal: boolean;
  /** Asks for the next line. */
  next(prompt: string): Promise<ChatLine>;
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

/** Lines of this conversation that the up key brings back. */
const historyLines = 1000;

/**
 * The line editor stays open during answers, silent: what is typed or pasted meanwhile appears at the next prompt.
 * Without escape sequences (NO_COLOR, a dumb terminal) the terminal's own editing has to do.
 */
export function terminalInput(screen: Screen, interrupt: Interrupt): ChatInput {
  let silent = true;
  const output = Object.defineProperty(
    new Writable({
      write(chunk, _encoding, done) {
        if (!silent) screen.echo(String(chunk));
        done();
      },
    }),
    "columns",
    { get: () => screen.columns },
  );
  const editor = createInterface({
    input: process.stdin,
    output,
    terminal: screen.errIsTerminal && screen.settings.color,
    historySize: historyLines,
    removeHistoryDuplicates: true,
  });
  const waiting: ChatLine[] = [];
  let take: ((line: ChatLine) => void) | undefined;
  let ended = false;
  const give = (line: ChatLine): void => {
    silent = true;
    const taker = take;
    take = undefined;
    if (taker === undefined) waiting.push(line);
    else taker(line);
  };
  editor.on("line", (text) => give({ type: "line", text }));
  editor.on("close", () => {
    ended = true;
    give({ type: "end" });
  });
  editor.on("SIGINT", () => interrupt.press());

  return {
    isTerminal: true,
    next(prompt) {
      const ready = waiting.shift();
      if (ready !== undefined) {
        if (ready.type === "line") screen.echo(`${prompt}${ready.text}\n`);
        return Promise.resolve(ready);
      }
      if (ended) return Promise.resolve({ type: "end" });
      return new Promise((resolve) => {
        take = resolve;
        silent = false;
        editor.setPrompt(prompt);
        editor.prompt(true);
      });
    },
    cancel() {
      if (take === undefined) return false;
      const emptyLine = editor.line === "";
      if (!emptyLine) {
        editor.write(null, { ctrl: true, name: "e" });
        silent = true;
        editor.write(null, { ctrl: true, name: "u" });
        silent = false;
      }
      screen.echo("\n");
      give({ type: "cancel", emptyLine });
      return true;
    },
    close() {
      silent = true;
      editor.close();
    },
  };
}
