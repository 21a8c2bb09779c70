/** What comes in on standard input: a prompt for `generate`, lines for `chat`. Bounded, and UTF-8 or an error. */
import { SpellError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { shell } from "./advice.ts";
import { whenAborted } from "./interrupt.ts";
import { defaultModel } from "./names.ts";
import type { Screen } from "./render.ts";

/** What this file needs of process.stdin. */
export interface InputStream extends AsyncIterable<Uint8Array> {
  destroy(): unknown;
}

/** No prompt is longer than promptCharacters, and a character takes at most 4 bytes. */
const inputBytes = limits.promptCharacters * 4;
/** A pipe that stays open and silent looks like a program that hangs; then say what it waits for. */
const silenceMs = 2000;

/**
 * Puts a prompt together: text of standard input first, then a blank line, then the operand; "-" is standard input alone.
 * @param stdin undefined: it is a terminal
 * @throws SpellError usage-no-prompt, usage-value (too long, not UTF-8, unreadable), run-aborted
 */
export async function readPrompt(
  operand: string | undefined,
  stdin: InputStream | undefined,
  options: { readonly raw: boolean; readonly signal: AbortSignal; readonly screen: Screen },
): Promise<string> {
  // Mostly a variable of a shell that is not set; what a model makes of nothing is not what was asked for.
  const isBlank = (text: string): boolean => (options.raw ? text : text.trim()) === "";
  if (stdin === undefined) {
    if (operand === undefined || operand === "-" || isBlank(operand)) throw noPrompt(operand);
    return operand;
  }
  const text = await readAll(stdin, options.signal, options.screen);
  // echo and editors end a text with a newline that is not meant.
  const piped = options.raw ? text : text.replace(/\r?\n$/, "");
  if (operand === undefined || operand === "-") {
    if (isBlank(piped)) throw noPrompt();
    return piped;
  }
  const isPiped = !isBlank(piped);
  if (!isPiped && isBlank(operand)) throw noPrompt(operand);
  if (options.raw) return piped + operand;
  return isPiped ? `${piped}\n\n${operand}` : operand;
}

function noPrompt(operand?: string): SpellError {
  const message = operand === undefined || operand === "-" ? "no prompt was given" : "the prompt is empty: expected a text";
  return new SpellError("usage-no-prompt", message, {
    hint: "Give it as an operand, or pipe text to standard input:",
    actions: shell(`llmspell generate -m ${defaultModel} "Once upon a time"`),
  });
}

/**
 * Lines of a pipe or file, without their ends; the last one may lack its newline.
 * @throws SpellError usage-value, run-aborted
 */
export async function* readLines(stdin: InputStream, signal: AbortSignal, screen: Screen): AsyncGenerator<string, void, undefined> {
  let rest = "";
  for await (const piece of readText(stdin, signal, screen)) {
    const parts = (rest + piece).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) yield line.replace(/\r$/, "");
  }
  if (rest !== "") yield rest;
}

/** All of a pipe or file. @throws SpellError usage-value, run-aborted */
export async function readAll(stdin: InputStream, signal: AbortSignal, screen: Screen): Promise<string> {
  let text = "";
  for await (const piece of readText(stdin, signal, screen)) text += piece;
  return text;
}

/** Text in pieces as it comes; the last one holds what the decoder kept back. */
async function* readText(stdin: InputStream, signal: AbortSignal, screen: Screen): AsyncGenerator<string, void, undefined> {
  const waiting = "waiting for text on standard input, which is not a terminal; < /dev/null gives none";
  const patience = setTimeout(() => screen.note(waiting), silenceMs);
  const aborted = whenAborted(signal, "stopped while standard input was read");
  const chunks = stdin[Symbol.asyncIterator]();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (bytes?: Uint8Array): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (error) {
      throw wrong("standard input is not UTF-8 text", "Convert it first, or name a model file with -m.", error);
    }
  };
  let size = 0;
  try {
    for (;;) {
      const next = await Promise.race([chunks.next(), aborted]);
      clearTimeout(patience);
      if (next.done === true) break;
      size += next.value.byteLength;
      if (size > inputBytes) throw wrong(`standard input: expected at most ${inputBytes} bytes; got more`, "Give a shorter text.");
      yield decode(next.value);
    }
    yield decode();
  } catch (error) {
    if (error instanceof SpellError) throw error;
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    throw wrong(`standard input cannot be read (${code})`, "Pipe text to it, or give a prompt as an operand.", error);
  } finally {
    clearTimeout(patience);
    stdin.destroy();
  }
}

function wrong(message: string, hint: string, cause?: unknown): SpellError {
  return new SpellError("usage-value", message, { where: "stdin", hint, cause });
}
