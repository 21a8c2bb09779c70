/**
 * Tells pasted text from typed keys. A terminal puts marks around a paste; a text that holds such a mark itself must not end it early, for what
 * follows would count as typed. So a paste ends with the last mark before a pause.
 */
import { StringDecoder } from "node:string_decoder";
import { limits } from "../../core/limits.ts";
import { visibleText } from "./terminal.ts";

export const pasteOn = "\u001b[?2004h";
export const pasteOff = "\u001b[?2004l";
const begins = "\u001b[200~";
const ends = "\u001b[201~";
/** No hand types within so many milliseconds of the end of a paste. */
const pauseMs = 50;
/** Colours and other sequences that begin with ESC [, titles and links, and those of one or two signs. Only whole ones: text behind is kept. */
const [esc, csi, bell] = ["\u001b", "\u009b", "\u0007"];
const sequence = new RegExp(
  `(?:${esc}\\[|${csi})[0-?]*[ -/]*[@-~]|${esc}\\][^${bell}${esc}\\n]*(?:${bell}|${esc}\\\\)|${esc}(?:[ -/]+[0-~]|[78=>cDEHMNOZ])`,
  "g",
);
const interrupt = "\u0003";

export interface PasteReader {
  push(bytes: Uint8Array): void;
  close(): void;
}

/**
 * @param keys is given typed text, with the escape sequences of keys
 * @param paste is given a pasted text without anything that acts on a terminal; undefined: it was too long
 */
export function createPasteReader(keys: (text: string) => void, paste: (text: string | undefined) => void): PasteReader {
  const decoder = new StringDecoder("utf8");
  let pasted: string | undefined;
  let isTooLong = false;
  /** the beginning of a mark that came in two pieces */
  let carry = "";
  let pause: NodeJS.Timeout | undefined;

  const end = (): void => {
    const whole = pasted ?? "";
    const last = whole.lastIndexOf(ends);
    const text = visibleText(whole.slice(0, last).replace(/\r\n?/g, "\n").replace(sequence, ""));
    pasted = undefined;
    paste(isTooLong || text.length > limits.promptCharacters ? undefined : text);
    isTooLong = false;
    take(whole.slice(last + ends.length));
  };
  const release = (): void => {
    const text = carry;
    pause = undefined;
    carry = "";
    keys(text);
  };
  const take = (text: string): void => {
    if (pasted === undefined) {
      const start = text.indexOf(begins);
      if (start < 0) {
        const part = [5, 4, 3, 2, 1].map((length) => begins.slice(0, length)).find((mark) => text.endsWith(mark)) ?? "";
        carry = part;
        // Esc alone is a key
        if (part !== "") pause = setTimeout(release, pauseMs);
        if (text.length > part.length) keys(text.slice(0, text.length - part.length));
        return;
      }
      if (start > 0) keys(text.slice(0, start));
      pasted = "";
      take(text.slice(start + begins.length));
      return;
    }
    const from = Math.max(0, pasted.length - ends.length);
    pasted += text;
    if (pasted.length > 2 * limits.promptCharacters) {
      isTooLong = true;
      pasted = pasted.slice(-2 * ends.length);
    }
    if (pause === undefined && pasted.indexOf(ends, from > pasted.length ? 0 : from) < 0) return;
    clearTimeout(pause);
    pause = setTimeout(() => {
      pause = undefined;
      end();
    }, pauseMs);
  };
  return {
    push(bytes) {
      const text = carry + decoder.write(Buffer.from(bytes));
      if (carry !== "") {
        clearTimeout(pause);
        pause = undefined;
      }
      carry = "";
      // a terminal that never ends its paste
      if (pasted !== undefined && pause === undefined && text === interrupt) pasted = undefined;
      take(text);
    },
    close: () => clearTimeout(pause),
  };
}
