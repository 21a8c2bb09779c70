/** What comes in on standard input: a prompt for `generate`, lines for `chat`. Bounded, and UTF-8 or an error. */
import { SpellError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
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
  if (stdin === undefined) {
    if (operand === undefined || operand === "-") throw noPrompt();
    return operand;
  }
  const text = await readText(stdin, options.signal, options.screen);
  if (options.raw) return operand === undefined || operand === "-" ? wanted(text) : text + operand;
  // echo and editors end a text with a newline that nobody means.
  const piped = text.replace(/\r?\n$/, "");
  if (operand === undefined || operand === "-") return wanted(piped);
  return piped.trim() === "" ? operand : `${piped}\n\n${operand}`;
}

function wanted(text: string): string {
  if (text === "") throw noPrompt();
  return text;
}

function noPrompt(): SpellError {
  return new SpellError("usage-no-prompt", "there is no prompt", {
    hint: "Give it as an operand, or pipe text to standard input:",
    commands: ['llmspell generate -m tiny-stories "Once upon a time"'],
  });
}

async function readText(stdin: InputStream, signal: AbortSignal, screen: Screen): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  for await (const chunk of readChunks(stdin, signal, screen)) text += decode(decoder, chunk);
  return text + decode(decoder, undefined);
}

/**
 * Lines of a pipe or file, without their ends; the last one may lack its newline.
 * @throws SpellError usage-value, run-aborted
 */
export async function* readLines(stdin: InputStream, signal: AbortSignal, screen: Screen): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  for await (const chunk of readChunks(stdin, signal, screen)) {
    const parts = (rest + decode(decoder, chunk)).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) yield line.replace(/\r$/, "");
  }
  rest += decode(decoder, undefined);
  if (rest !== "") yield rest;
}

async function* readChunks(stdin: InputStream, signal: AbortSignal, screen: Screen): AsyncGenerator<Uint8Array, void, undefined> {
  const patience = setTimeout(
    () => screen.note("waiting for text on standard input, which is no terminal; < /dev/null gives none"),
    silenceMs,
  );
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new SpellError("run-aborted", "stopped while standard input was read"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
  aborted.catch(() => undefined);
  const chunks = stdin[Symbol.asyncIterator]();
  let bytes = 0;
  try {
    for (;;) {
      const next = await Promise.race([chunks.next(), aborted]);
      clearTimeout(patience);
      if (next.done === true) return;
      bytes += next.value.byteLength;
      if (bytes > inputBytes) {
        throw new SpellError("usage-value", `standard input: wanted at most ${inputBytes} bytes; got more`, {
          where: "stdin",
          hint: "Give a shorter text.",
        });
      }
      yield next.value;
    }
  } catch (error) {
    if (error instanceof SpellError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new SpellError("usage-value", `standard input cannot be read (${code})`, {
      where: "stdin",
      hint: "Pipe text to it, or give a prompt as an operand.",
      cause: error,
    });
  } finally {
    clearTimeout(patience);
    stdin.destroy();
  }
}

function decode(decoder: InstanceType<typeof TextDecoder>, chunk: Uint8Array | undefined): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch (error) {
    throw new SpellError("usage-value", "standard input is not UTF-8 text", {
      where: "stdin",
      hint: "Convert it first, or name a model file with -m.",
      cause: error,
    });
  }
}
