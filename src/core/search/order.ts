/** How what was found is scored and put in order, wherever an index lies. */

import type { Copy, Hit, Query } from "../spec/search-index.ts";
import { dot } from "./scores.ts";

/** of BM25 */
export const k1 = 1.2;
export const b = 0.75;
/** Below this share of chunks that are not filtered out, a graph would be walked in vain. */
export const leastKept = 0.1;
/** So many times k candidates are scored by their full vectors. */
const looked = 4;
/** share of relevance beside difference in `mmr` */
const relevance = 0.7;

export interface Candidate {
  readonly document: string;
  /** such that those of one document are in order */
  readonly chunk: number;
  /** of its text, in UTF-16 units */
  readonly length: number;
  readonly vector: Float32Array;
  readonly wordScore: number;
  readonly vectorScore: number;
  readonly score: number;
}

/** What is read of a chunk that is a result. */
export interface ChunkRead extends Pick<Hit, "chunk" | "text" | "headings" | "start" | "end" | "metadata"> {
  readonly hash: string;
}

function mostLooked(k: number): number {
  return Math.max(k * looked, k + 16);
}

/** @param bestWord the best word score of this query */
export function mixer(hybridWeight: number, bestWord: number): (vectorScore: number, wordScore: number) => number {
  return (vectorScore, wordScore) => (1 - hybridWeight) * vectorScore + (bestWord === 0 ? 0 : (hybridWeight * wordScore) / bestWord);
}

/** Of a word in BM25. @param having chunks that have it */
export function rarityOf(chunks: number, having: number): number {
  return Math.log(1 + (chunks - having + 0.5) / (having + 0.5));
}

/** Best first; of equal scores by name and place, so that every host has one order. */
export function byScore(
  one: Pick<Candidate, "document" | "chunk" | "score">,
  other: Pick<Candidate, "document" | "chunk" | "score">,
): number {
  if (one.score !== other.score) return other.score - one.score;
  if (one.document !== other.document) return one.document < other.document ? -1 : 1;
  return one.chunk - other.chunk;
}

/** The best k, as the query wants them. @param read undefined for a chunk that is gone */
export async function choose<T extends Candidate>(
  candidates: readonly T[],
  { k, threshold = Number.NEGATIVE_INFINITY, rerank, deduplicate = false }: Query,
  read: (each: T) => Promise<ChunkRead | undefined>,
): Promise<readonly Hit[]> {
  const ranked = candidates.filter(({ score }) => score >= threshold).sort(byScore);
  const hits: (Hit & { readonly copies: Copy[] })[] = [];
  const known = new Map<string, (typeof hits)[number]>();
  const lengths = new Set<number>();
  const first = rerank === "mmr" ? differing(ranked, k * 2) : ranked;
  // those behind the last hit may stand for one that is there
  for (const [i, each] of [...new Set([...first, ...ranked])].entries()) {
    const isWanted = hits.length < k && i < first.length;
    if (!isWanted && !(deduplicate && lengths.has(each.length))) continue;
    const facts = await read(each);
    if (facts === undefined) continue;
    const { hash, ...rest } = facts;
    const same = facts.text ?? hash;
    const { document, score, vectorScore, wordScore, length } = each;
    const twin = deduplicate ? known.get(same) : undefined;
    if (twin !== undefined) {
      const { chunk, headings, start, end, metadata } = facts;
      twin.copies.push({ document, chunk, headings, start, end, metadata });
    } else if (isWanted) {
      const hit = { document, score, vectorScore, wordScore, ...rest, copies: [] };
      known.set(same, hit);
      lengths.add(length);
      hits.push(hit);
    }
  }
  return hits;
}

/**
 * Looks at more where copies take the room of others.
 * @param look chooses among so many candidates @returns `isAll` where there are no more
 */
export async function widened(
  k: number,
  look: (most: number) => Promise<{ readonly hits: readonly Hit[]; readonly isAll: boolean }>,
): Promise<readonly Hit[]> {
  for (let most = mostLooked(k); ; most *= 4) {
    const { hits, isAll } = await look(most);
    const copies = hits.reduce((sum, hit) => sum + hit.copies.length, 0);
    if (isAll || copies * 2 <= most) return hits;
  }
}

/**
 * One after the other the best that resembles least what was taken (maximal marginal relevance). Scores are measured by the best of them: those of some models
 * all lie far below 1, and likeness, which does not, would weigh more there.
 */
function differing<T extends Candidate>(ranked: readonly T[], most: number): readonly T[] {
  const left = [...ranked];
  const taken: T[] = [];
  const nearest = new Map<T, number>();
  const highest = Math.abs(ranked[0]?.score ?? 0) || 1;
  while (left.length > 0 && taken.length < most) {
    let best = 0;
    let bestValue = Number.NEGATIVE_INFINITY;
    for (const [i, each] of left.entries()) {
      const value = (relevance * each.score) / highest - (1 - relevance) * (nearest.get(each) ?? 0);
      if (value > bestValue) [best, bestValue] = [i, value];
    }
    const [chosen] = left.splice(best, 1);
    if (chosen === undefined) break;
    taken.push(chosen);
    for (const each of left) nearest.set(each, Math.max(nearest.get(each) ?? 0, likeness(each.vector, chosen.vector)));
  }
  return taken;
}

function likeness(one: Float32Array, other: Float32Array): number {
  const lengths = Math.sqrt(dot(one, one) * dot(other, other));
  return lengths === 0 ? 0 : dot(one, other) / lengths;
}
