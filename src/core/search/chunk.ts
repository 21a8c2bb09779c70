/**
 * Texts cut into chunks: Markdown by headings, blocks and fenced code; everything else by blocks. Each chunk knows its headings and its place, and no two of
 * them cut a sentence that fits into one.
 */

import type { Chunk } from "../spec/search-index.ts";
import { words } from "./terms.ts";

export interface ChunkSettings {
  /** `sliding_window`: the last sentences of a chunk come again in the next; `sentence`: nothing comes again */
  readonly strategy: "sliding_window" | "sentence";
  /** units that a chunk aims at */
  readonly size: number;
  /** units of the end of a chunk that the next one begins with, < size */
  readonly overlap: number;
  /** units that no chunk exceeds */
  readonly max: number;
  /** An end with fewer units joins the chunk before it. */
  readonly min: number;
  /** Fenced code of at most `max` units is not cut. */
  readonly keepCode: boolean;
  /** Units of a text, such as tokens of the model that embeds it; default: words. */
  readonly count?: ((text: string) => number) | undefined;
}

interface Block {
  readonly start: number;
  readonly end: number;
  readonly units: number;
  readonly isCode: boolean;
}

const fenceMark = /^ {0,3}(`{3,}|~{3,})/;
const headingMark = /^ {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$/;

/** Sections of a Markdown text; of a text without headings and fences, one section of its blocks. */
export function chunkMarkdown(text: string, settings: ChunkSettings): readonly Chunk[] {
  const count = settings.count ?? ((part: string) => words(part).length);
  const chunks: Chunk[] = [];
  const path: string[] = [];
  let blocks: Block[] = [];
  let from: number | undefined;
  let fence: string | undefined;
  /** the heading that is open, as long as nothing stands under it */
  let bare: { readonly start: number; readonly end: number; readonly level: number } | undefined;
  const endBlock = (end: number, isCode = false): void => {
    if (from !== undefined) {
      const kept = text.slice(from, end).trimEnd();
      if (kept.trim() !== "") blocks.push({ start: from, end: from + kept.length, units: count(kept), isCode });
    }
    from = undefined;
  };
  /** @param level of the heading that follows */
  const endSection = (level = 0): void => {
    // A heading with nothing under it is found by its own words; one with smaller ones under it stands in their paths.
    if (bare !== undefined && blocks.length === 0 && level <= bare.level) {
      const { start, end } = bare;
      chunks.push({
        text: text.slice(start, end),
        headings: path.slice(0, -1).filter((each) => each !== undefined && each !== ""),
        start,
        end,
      });
    }
    bare = undefined;
    const headings = path.filter((each) => each !== undefined && each !== "");
    for (const { start, end } of pack(text, blocks, settings, count)) chunks.push({ text: text.slice(start, end), headings, start, end });
    blocks = [];
  };
  let at = 0;
  for (const line of text.split(/(?<=\n)/)) {
    const next = at + line.length;
    const [, mark] = fenceMark.exec(line) ?? [];
    if (fence !== undefined) {
      if (mark !== undefined && mark[0] === fence[0] && mark.length >= fence.length && line.trim() === mark) {
        endBlock(next, true);
        fence = undefined;
      }
    } else if (mark !== undefined) {
      endBlock(at);
      fence = mark;
      from = at;
    } else {
      const [, level, title = ""] = headingMark.exec(line.replace(/\r?\n$/, "")) ?? [];
      if (level !== undefined) {
        endBlock(at);
        endSection(level.length);
        bare = { start: at, end: at + line.trimEnd().length, level: level.length };
        path.length = level.length - 1;
        path[level.length - 1] = title.replaceAll(/[`*]/g, "");
      } else if (line.trim() === "") endBlock(at);
      else from ??= at;
    }
    at = next;
  }
  endBlock(at, fence !== undefined);
  endSection();
  return chunks;
}

/** Ranges of a section: blocks put together up to the size. */
function pack(text: string, blocks: readonly Block[], settings: ChunkSettings, count: (text: string) => number): readonly Block[] {
  const { strategy, size, overlap, max, min, keepCode } = settings;
  const limit = Math.min(size, max);
  const parts = blocks.flatMap((block) => {
    const most = block.isCode && keepCode ? max : limit;
    return block.units <= most ? [block] : split(text, block, most, count);
  });
  const made: Block[] = [];
  let open: Block[] = [];
  let units = 0;
  const close = (): void => {
    const [first, last] = [open[0], open.at(-1)];
    if (first !== undefined && last !== undefined) made.push({ start: first.start, end: last.end, units, isCode: false });
  };
  for (const part of parts) {
    if (units > 0 && units + part.units > limit) {
      close();
      const tail = strategy === "sliding_window" ? lastSentences(text, open.at(-1), Math.min(overlap, max - part.units), count) : undefined;
      open = tail === undefined ? [] : [tail];
      units = tail?.units ?? 0;
    }
    open.push(part);
    units += part.units;
  }
  const before = made.at(-1);
  const last = open.at(-1);
  if (before !== undefined && last !== undefined && units < min && before.units + units <= max)
    made[made.length - 1] = { ...before, end: last.end, units: before.units + units };
  else close();
  return made;
}

/** By sentences (code: lines), and by words where one is longer than the limit. */
function split(text: string, block: Block, limit: number, count: (text: string) => number): readonly Block[] {
  const parts: Block[] = [];
  let start = block.start;
  let end = block.start;
  let units = 0;
  const close = (): void => {
    if (text.slice(start, end).trim() !== "") parts.push({ ...block, start, end: start + text.slice(start, end).trimEnd().length, units });
    start = end;
    units = 0;
  };
  const add = (piece: string): void => {
    const own = count(piece);
    if (units > 0 && units + own > limit) close();
    end += piece.length;
    units += own;
  };
  for (const piece of block.isCode ? text.slice(block.start, block.end).split(/(?<=\n)/) : sentences(text.slice(block.start, block.end))) {
    if (count(piece) <= limit) add(piece);
    else for (const small of piece.match(/\s*\S{1,200}\s*/g) ?? []) add(small);
  }
  close();
  return parts;
}

/** What fits of the end of a block: whole sentences, never all of it. */
function lastSentences(text: string, block: Block | undefined, limit: number, count: (text: string) => number): Block | undefined {
  if (block === undefined || block.isCode || limit <= 0) return undefined;
  let start = block.end;
  let units = 0;
  for (const sentence of sentences(text.slice(block.start, block.end)).toReversed()) {
    const own = count(sentence);
    if (units + own > limit) break;
    start -= sentence.length;
    units += own;
  }
  return units === 0 || start <= block.start ? undefined : { start, end: block.end, units, isCode: false };
}

let segmenter: Intl.Segmenter | undefined;

/** Together they are the text. What has fewer than three words, as after "Dr.", goes with the next. */
export function sentences(text: string): readonly string[] {
  segmenter ??= new Intl.Segmenter("und", { granularity: "sentence" });
  const found: string[] = [];
  let held = "";
  for (const { segment } of segmenter.segment(text)) {
    held += segment;
    if (words(held).length < 3) continue;
    found.push(held);
    held = "";
  }
  if (held !== "") found.push((found.pop() ?? "") + held);
  return found;
}
