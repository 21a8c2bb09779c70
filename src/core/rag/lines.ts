/** Files that are lines, not prose: code, tables, logs, JSON. Lines stay whole; nothing comes again. */
import { cutLetters, isTooLong } from "../search/chunk.ts";
import type { Chunk } from "../spec/search-index.ts";

export interface LineSettings {
  /** units that a chunk aims at, and that one has at most */
  readonly size: number;
  readonly max: number;
  readonly count: (text: string) => number;
  /** The first line names the columns: where it has at most `max` units it is the heading of every chunk, in one line. */
  readonly hasHeader: boolean;
}

/** The first line, with the line breaks that stand in quotes. */
function headerOf(text: string): string {
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "\n" && !isQuoted) return text.slice(0, at + 1);
    if (sign !== '"') continue;
    if (!isQuoted) isQuoted = at === 0 || /[,;\t|]/.test(text.charAt(at - 1));
    else if (text[at + 1] === sign) at += 1;
    else isQuoted = false;
  }
  // a quote without an end is a letter
  return text.slice(0, text.indexOf("\n") + 1);
}

/** A line longer than `max` is cut between letters. */
export function chunkLines(text: string, { size, max, count, hasHeader }: LineSettings): readonly Chunk[] {
  const limit = Math.min(size, max);
  const header = hasHeader ? headerOf(text) : "";
  const heading = header.trim().replace(/\s*\n\s*/g, " ");
  const isHeading = heading !== "" && cutLetters(heading, max, count).length === 1;
  const headings = isHeading ? [heading] : [];
  const chunks: Chunk[] = [];
  let start = isHeading ? header.length : 0;
  let end = start;
  let units = 0;
  const close = (): void => {
    const kept = text.slice(start, end).trimEnd();
    if (kept.trim() !== "") chunks.push({ text: kept, headings, start, end: start + kept.length });
    start = end;
    units = 0;
  };
  for (const line of text.slice(start).split(/(?<=\n)/)) {
    const parts = cutLetters(line, max, count);
    for (const part of parts) {
      const own = parts.length > 1 ? 0 : count(part);
      // a blank line is where a person would cut too
      const isBreak = units > 0 && (units + own > limit || (line.trim() === "" && units > limit / 2));
      if (isBreak || parts.length > 1 || isTooLong(end + part.length - start, max)) close();
      end += part.length;
      units += own;
    }
    if (parts.length > 1) close();
  }
  close();
  return chunks;
}
