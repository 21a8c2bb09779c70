/** What a terminal is to the rest: columns, cells of a character, and signs that would act on it. */
import { eastAsianWidth } from "get-east-asian-width";

/** What this program needs of process.stdout and process.stderr. */
export interface OutputStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  /** of its file, where it is one of the process */
  readonly fd?: number | undefined;
  write(text: string, done?: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** Some terminals, and pseudo ones above all, say 0. */
export function columnsOf(stream: OutputStream): number {
  return stream.columns === undefined || stream.columns <= 0 ? 80 : stream.columns;
}

/**
 * Text without what would act on a terminal: C0 but newline and tab, DEL, C1, direction controls, zero-width space.
 * Characters go, never whole sequences: an unfinished one would take the rest of the answer with it. So chunks need no memory.
 */
export function visibleText(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Bidi_Control}\u200b]/gu, "");
}

/** Signs that stand on the one before them. */
const noCell = /^[\p{Mn}\p{Me}\p{Cf}\p{Emoji_Modifier}\u1160-\u11ff]$/u;

/** @param sign one code point @returns cells that it takes: 0, 1 or 2 */
export function cellsOf(sign: string): number {
  const point = sign.codePointAt(0) ?? 0;
  if (point < 0x300) return 1;
  return noCell.test(sign) ? 0 : eastAsianWidth(point);
}

export function cellsOfText(text: string): number {
  let cells = 0;
  for (const sign of text) cells += cellsOf(sign);
  return cells;
}
