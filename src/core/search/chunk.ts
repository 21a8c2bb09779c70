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

/** What has more letters to a unit is encoded data, a row of signs, or blank: it is cut by its letters. */
const lettersOfUnit = 16;
/** What is cut by letters is cut so that sentences around it fill a chunk. */
const mostLetters = 200;
/** A longer line with its mark is a text. */
const longestHeading = 1000;

/** What stands behind the first unit of a letter: the second of a pair, marks, a joiner. */
const insideLetter = /^(?:[\p{M}\udc00-\udfff]|\u200d)/u;

const fenceMark = /^ {0,3}(`{3,}|~{3,})/;
const headingMark = /^ {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$/;
/** a line under a paragraph of up to three lines, which is a heading then */
const underline = /^ {0,3}(=+|-+)[ \t]*\r?\n?$/;
const rule = /^ {0,3}(?:=+[ \t]*|([-*_])[ \t]*(?:\1[ \t]*){2,})\r?\n?$/;
/** first lines of lists, quotes, tables, HTML and addresses of links, and the second line of a table */
const noParagraph = /^ {0,3}(?:(?:[-*+]|\d{1,9}[.)])\s|[>|]|<(?:!|[^>]*>\s*$)|\[[^\]]+\]:|[:-][\s:-]*\|[\s|:-]*$)/;
/** YAML before the text */
const frontMatter = /^---[ \t]*\r?\n(?=#|[^\n]*:)(?:[\s\S]*?\n)??(?:---|\.\.\.)[ \t]*(?:\r?\n|$)/;

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
  /** where the paragraph begins that an underline makes a heading; -1: none does until a blank line */
  let paragraph: number | undefined;
  const endBlock = (end: number, isCode = false): void => {
    if (from !== undefined) {
      const kept = text.slice(from, end).trimEnd();
      const units = isTooLong(kept.length, settings.max) ? Number.POSITIVE_INFINITY : count(kept);
      if (kept.trim() !== "") blocks.push({ start: from, end: from + kept.length, units, isCode });
    }
    from = undefined;
  };
  /** @param level of the heading that follows */
  const endSection = (level = 0): void => {
    // A heading with nothing under it is found by its own words; one with smaller ones under it stands in their paths.
    if (bare !== undefined && blocks.length === 0 && level <= bare.level) {
      const headings = path.slice(0, -1).filter((each) => each !== undefined && each !== "");
      for (const { start, end } of split(text, { ...bare, units: 0, isCode: false }, settings.max, count))
        chunks.push({ text: text.slice(start, end), headings, start, end });
    }
    bare = undefined;
    const headings = path.filter((each) => each !== undefined && each !== "");
    for (const { start, end } of pack(text, blocks, settings, count)) chunks.push({ text: text.slice(start, end), headings, start, end });
    blocks = [];
  };
  const startSection = (start: number, end: number, level: number, title: string): void => {
    endBlock(start);
    endSection(level);
    bare = { start, end, level };
    path.length = level - 1;
    path[level - 1] = title.replaceAll(/[`*]/g, "");
    paragraph = undefined;
  };
  const matter = frontMatter.exec(text)?.[0].length ?? 0;
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
      paragraph = undefined;
      fence = mark;
      from = at;
    } else {
      const [, level, title = ""] = (line.length > longestHeading ? null : headingMark.exec(line.replace(/\r?\n$/, ""))) ?? [];
      const [, under] = underline.exec(line) ?? [];
      const end = at + line.trimEnd().length;
      if (level !== undefined) startSection(at, end, level.length, title);
      else if (under !== undefined && paragraph !== undefined && paragraph >= 0 && isTitle(text.slice(paragraph, at)))
        startSection(
          paragraph,
          end,
          under.startsWith("=") ? 1 : 2,
          text
            .slice(paragraph, at)
            .trim()
            .replaceAll(/\s*\n\s*/g, " "),
        );
      else if (line.trim() === "") {
        endBlock(at);
        paragraph = undefined;
      } else {
        from ??= at;
        if (rule.test(line)) paragraph = undefined;
        else if (noParagraph.test(line)) paragraph = -1;
        // indented lines are code where no paragraph is open
        else if (!/^(?: {4}| {0,3}\t)/.test(line)) paragraph ??= at;
      }
      if (next <= matter) paragraph = undefined;
    }
    at = next;
  }
  endBlock(at, fence !== undefined);
  endSection();
  return chunks;
}

function isTitle(paragraph: string): boolean {
  return paragraph.length <= longestHeading && /^(?:[^\n]+\n){1,3}$/.test(paragraph);
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
    const fits = (first: Block | undefined): boolean => !isTooLong(part.end - (first ?? part).start, max);
    if ((units > 0 && units + part.units > limit) || !fits(open[0])) {
      close();
      const tail = strategy === "sliding_window" ? lastSentences(text, open.at(-1), Math.min(overlap, max - part.units), count) : undefined;
      open = tail !== undefined && fits(tail) ? [tail] : [];
      units = open[0]?.units ?? 0;
    }
    open.push(part);
    units += part.units;
  }
  const before = made.at(-1);
  const last = open.at(-1);
  if (before !== undefined && last !== undefined && units < min && before.units + units <= max && !isTooLong(last.end - before.start, max))
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
    if ((units > 0 && units + own > limit) || isTooLong(end + piece.length - start, limit)) close();
    end += piece.length;
    units += own;
  };
  for (const piece of block.isCode ? text.slice(block.start, block.end).split(/(?<=\n)/) : sentences(text.slice(block.start, block.end))) {
    if (!isTooLong(piece.length, limit) && count(piece) <= limit) add(piece);
    else for (const small of piece.split(/(?<=\s)(?=\S)/)) for (const part of cutLetters(small, limit, count, mostLetters)) add(part);
  }
  close();
  return parts;
}

export function isTooLong(letters: number, limit: number): boolean {
  return letters > limit * lettersOfUnit;
}

/** Parts of at most `limit` units, as far as no letter has more, cut between letters; together they are the text. @param most letters of a part */
export function cutLetters(text: string, limit: number, count: (text: string) => number, most: number = text.length): readonly string[] {
  const own = isTooLong(text.length, limit) ? text.length / lettersOfUnit : count(text);
  if (own <= limit) return [text];
  const step = Math.max(1, Math.min(most, Math.floor((text.length * limit) / own)));
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    let end = at + step;
    while (end > at && insideLetter.test(text.slice(end, end + 2))) end -= 1;
    // one that does not fit is cut between its marks
    if (end === at) end += Math.max(2, step);
    if (/[\udc00-\udfff]/.test(text.charAt(end))) end += 1;
    const part = text.slice(at, end);
    parts.push(...(part.length < text.length ? cutLetters(part, limit, count, most) : [part]));
    at = end;
  }
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
    if (held.length < mostLetters && words(held).length < 3) continue;
    found.push(held);
    held = "";
  }
  if (held !== "") found.push((found.pop() ?? "") + held);
  return found;
}
