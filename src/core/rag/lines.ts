/** Files that are lines, not prose: code, tables, logs, JSON. Lines stay whole; nothing comes again. */
import type { Chunk } from "../spec/search-index.ts";

export interface LineSettings {
  /** units that a chunk aims at, and that one has at most */
  readonly size: number;
  readonly max: number;
  readonly count: (text: string) => number;
  /** The first line names the columns: it is the heading of every chunk. */
  readonly hasHeader: boolean;
}

/** A line longer than `max` is cut at characters. */
export function chunkLines(text: string, { size, max, count, hasHeader }: LineSettings): readonly Chunk[] {
  const limit = Math.min(size, max);
  const lines = text.split(/(?<=\n)/);
  const header = hasHeader && lines.length > 1 ? (lines[0] ?? "").trim() : "";
  const headings = header === "" ? [] : [header];
  const chunks: Chunk[] = [];
  let start = header === "" ? 0 : (lines[0] ?? "").length;
  let end = start;
  let units = 0;
  const close = (): void => {
    const kept = text.slice(start, end).trimEnd();
    if (kept.trim() !== "") chunks.push({ text: kept, headings, start, end: start + kept.length });
    start = end;
    units = 0;
  };
  for (const line of lines.slice(header === "" ? 0 : 1)) {
    const own = count(line);
    // a blank line is where a person would cut too
    if (units > 0 && (units + own > limit || (line.trim() === "" && units > limit / 2))) close();
    if (own <= max) {
      end += line.length;
      units += own;
      continue;
    }
    const step = Math.max(1, Math.floor((line.length * max) / own));
    for (let at = 0; at < line.length; at += step) {
      end += Math.min(step, line.length - at);
      close();
    }
  }
  close();
  return chunks;
}
