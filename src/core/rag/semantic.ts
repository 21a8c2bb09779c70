/** Texts cut where their subject changes: between sentences whose neighbourhoods are less alike than most of the text's are. */
import { sentences } from "../search/chunk.ts";
import type { Chunk } from "../spec/search-index.ts";
import { measured } from "./measured.ts";

export interface SemanticSettings {
  /** units that a part aims at, at most and at least */
  readonly size: number;
  readonly min: number;
  /** as Embedder.count and Embedder.tokens */
  readonly guess: (text: string) => number;
  readonly tokens: (texts: readonly string[]) => Promise<readonly number[] | undefined>;
  readonly embed: (texts: readonly string[]) => Promise<readonly Float32Array[]>;
}

/** Sentences that are compared with as many behind them. */
const windowSize = 3;

/** Each chunk in parts of at most `size`, cut first where the mean likeness less one deviation is not reached. */
export async function splitByMeaning(chunks: readonly Chunk[], settings: SemanticSettings): Promise<readonly Chunk[]> {
  const made: Chunk[] = [];
  for (const chunk of chunks) made.push(...(await splitOne(chunk, settings)));
  return made;
}

async function splitOne(chunk: Chunk, { size, min, guess, tokens, embed }: SemanticSettings): Promise<readonly Chunk[]> {
  const parts = sentences(chunk.text);
  if (parts.length < 2 * windowSize || /^ {0,3}(?:`{3,}|~{3,})/m.test(chunk.text)) return [chunk];
  const windows = await embed(parts.map((_, i) => parts.slice(i, i + windowSize).join("")));
  /** likeness of what ends before sentence i and what begins with it */
  const alike = parts.map((_, i) => dot(windows[Math.max(0, i - windowSize)], windows[i]));
  const inner = alike.slice(windowSize, parts.length - windowSize + 1);
  const mean = inner.reduce((sum, value) => sum + value, 0) / inner.length;
  const deviation = Math.sqrt(inner.reduce((sum, value) => sum + (value - mean) ** 2, 0) / inner.length);
  const isTurn = (i: number): boolean => i >= windowSize && i <= parts.length - windowSize && (alike[i] ?? 1) < mean - deviation;
  return measured((count) => joined(chunk, parts, isTurn, { size, min, count }), guess, tokens);
}

/** The sentences of a chunk as parts. */
function joined(
  chunk: Chunk,
  parts: readonly string[],
  isTurn: (sentence: number) => boolean,
  { size, min, count }: { readonly size: number; readonly min: number; readonly count: (text: string) => number },
): readonly Chunk[] {
  const made: Chunk[] = [];
  let [from, at, units] = [0, 0, 0];
  const close = (): void => {
    const text = chunk.text.slice(from, at).trimEnd();
    const start = chunk.start + from;
    if (text.trim() !== "") made.push({ ...chunk, text, start, end: start + text.length });
    from = at;
    units = 0;
  };
  for (const [i, part] of parts.entries()) {
    const own = count(part);
    if (units > 0 && (units + own > size || (isTurn(i) && units >= min))) close();
    at += part.length;
    units += own;
  }
  const last = made.at(-1);
  if (last !== undefined && units < min && count(last.text) + units <= size) {
    const start = last.start - chunk.start;
    const text = chunk.text.slice(start, at).trimEnd();
    made[made.length - 1] = { ...last, text, end: last.start + text.length };
  } else close();
  return made;
}

function dot(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (a === undefined || b === undefined) return 1;
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}
