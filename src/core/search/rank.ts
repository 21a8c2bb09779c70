/** Which chunks answer a question: vectors and words together, the best read exactly. */

import type { CollectionSettings, Hit, Query } from "../spec/search-index.ts";
import { Heap } from "./heap.ts";
import { nearOf, type Weight, weigh } from "./nearness.ts";
import { b, byScore, type Candidate, choose, k1, leastKept, mixer, rarityOf, widened } from "./order.ts";
import { scoreOf, scoreOfNear, squareOf } from "./scores.ts";
import { quantizeRow, type Segment, type SegmentDocument } from "./segment.ts";
import { terms } from "./terms.ts";

export interface Ranked extends Pick<CollectionSettings, "metric" | "graph"> {
  readonly segments: readonly Segment[];
  /** chunks of documents that no other segment has newer */
  readonly alive: ReadonlyMap<Segment, Kept>;
}

interface Found extends Pick<Candidate, "document" | "chunk" | "score"> {
  readonly segment: Segment;
  /** of the segment */
  readonly at: SegmentDocument;
  readonly wordScore: number;
}

export function rank(ranked: Ranked, query: Query): Promise<readonly Hit[]> {
  return widened(query.k, (most) => look(ranked, query, most));
}

async function look(
  { segments, alive, metric, graph }: Ranked,
  query: Query,
  most: number,
): Promise<{ readonly hits: readonly Hit[]; readonly isAll: boolean }> {
  const { hybridWeight, keep } = query;
  const wordScores = hybridWeight > 0 ? await scoreWords(segments, query.text) : new Map<Segment, Float32Array>();
  const kept = new Map(segments.map((segment) => [segment, keepChunks(segment, alive.get(segment) as Kept, keep)] as const));
  let bestWord = 0;
  for (const [segment, scores] of wordScores) {
    const { flags } = kept.get(segment) as Kept;
    for (let chunk = 0; chunk < scores.length; chunk += 1)
      if (flags[chunk] === 1 && (scores[chunk] as number) > bestWord) bestWord = scores[chunk] as number;
  }
  const mix = mixer(hybridWeight, bestWord);
  const small = new Int8Array(query.vector.length);
  const scale = quantizeRow(query.vector, small);
  const weight = weigh(metric, squareOf(small), scale);
  const found: Found[] = [];
  for (const segment of segments) {
    const words = wordScores.get(segment);
    const own = kept.get(segment) as Kept;
    const best = new Heap(true);
    const offer = (chunk: number, vectorScore: number): void => {
      const score = mix(vectorScore, words === undefined ? 0 : (words[chunk] as number));
      if (best.size < most) best.push(score, chunk);
      else if (score > best.topScore) best.replaceTop(score, chunk);
    };
    const { near } = segment;
    if (hybridWeight < 1) near.scan.ask(small);
    const walked = hybridWeight < 1 && graph !== undefined ? walk(segment, own, weight, most, graph.efSearch) : undefined;
    if (walked !== undefined) {
      const chunks = new Set(walked);
      if (words !== undefined) for (const chunk of bestOf(words, own, most)) chunks.add(chunk);
      for (const chunk of chunks) {
        near.scan.ids[0] = chunk;
        offer(chunk, scoreOfNear(metric, nearOf(near, weight, chunk, near.scan.gather(-1, 1)[0] as number)));
      }
    } else {
      const products = hybridWeight < 1 ? near.scan.all() : undefined;
      for (let chunk = 0; chunk < segment.count; chunk += 1) {
        if (own.flags[chunk] === 0) continue;
        offer(chunk, products === undefined ? 0 : scoreOfNear(metric, nearOf(near, weight, chunk, products[chunk] as number)));
      }
    }
    for (const { row, score } of best.sorted()) {
      const document = segment.documents[segment.documentOf[row] as number];
      if (document !== undefined)
        found.push({ segment, at: document, document: document.id, chunk: row, wordScore: words?.[row] ?? 0, score });
    }
  }
  const best = await Promise.all(
    found
      .sort(byScore)
      .slice(0, most)
      .map(async ({ segment, at, ...each }): Promise<Candidate & Pick<Found, "segment" | "at">> => {
        const vector = await segment.vector(each.chunk);
        const vectorScore = hybridWeight < 1 ? scoreOf(metric, query.vector, vector) : 0;
        const facts = segment.chunks[each.chunk];
        const length = facts === undefined ? 0 : facts.end - facts.start;
        return { ...each, segment, at, length, vector, vectorScore, score: mix(vectorScore, each.wordScore) };
      }),
  );
  const hits = await choose(best, query, async ({ segment, at, chunk }) => {
    const facts = segment.chunks[chunk];
    return facts === undefined ? undefined : { ...facts, chunk: chunk - at.from, text: await segment.text(chunk), metadata: at.metadata };
  });
  return { hits, isAll: found.length < most };
}

/** Chunks of a segment that may be found. */
export interface Kept {
  /** of each chunk */
  readonly flags: Uint8Array;
  readonly count: number;
}

/** @param documents of the segment, by their places */
export function keepDocuments(segment: Segment, documents: Iterable<number>): Kept {
  const flags = new Uint8Array(segment.count);
  let count = 0;
  for (const at of documents) {
    const document = segment.documents[at];
    if (document === undefined) continue;
    flags.fill(1, document.from, document.from + document.count);
    count += document.count;
  }
  return { flags, count };
}

function keepChunks(segment: Segment, alive: Kept, keep: Query["keep"]): Kept {
  if (keep === undefined) return alive;
  const kept = [...segment.documents.entries()].filter(
    ([, { id, metadata, from, count }]) => count > 0 && alive.flags[from] === 1 && keep(metadata, id),
  );
  return keepDocuments(
    segment,
    kept.map(([at]) => at),
  );
}

/** Chunks near the question by the segment's graph. @returns undefined where a look at every chunk is better */
function walk(
  { walk: through, count }: Segment,
  { flags, count: kept }: Kept,
  weight: Weight,
  most: number,
  efSearch: number,
): readonly number[] | undefined {
  if (through === undefined || kept < count * leastKept) return undefined;
  for (let ef = Math.max(most, efSearch); ef * 4 < count; ef *= 4) {
    const chunks = through.search(weight, ef).flatMap(({ row }) => (flags[row] === 1 ? [row] : []));
    if (chunks.length >= most) return chunks.slice(0, Math.max(most, efSearch));
  }
  return undefined;
}

/** Chunks with the best words. */
function bestOf(scores: Float32Array, { flags }: Kept, most: number): readonly number[] {
  const best = new Heap(true);
  for (let chunk = 0; chunk < scores.length; chunk += 1) {
    const score = scores[chunk] as number;
    if (score === 0 || flags[chunk] === 0) continue;
    if (best.size < most) best.push(score, chunk);
    else if (score > best.topScore) best.replaceTop(score, chunk);
  }
  return best.sorted().map(({ row }) => row);
}

/** BM25 of every chunk, over all segments together. */
async function scoreWords(segments: readonly Segment[], text: string): Promise<ReadonlyMap<Segment, Float32Array>> {
  const asked = [...new Set(terms(text))];
  const chunks = segments.reduce((sum, { count }) => sum + count, 0);
  const average = segments.reduce((sum, { words }) => sum + words, 0) / chunks || 1;
  const lists = await Promise.all(segments.map((segment) => Promise.all(asked.map((term) => segment.postings(term)))));
  const rarity = asked.map((_, i) =>
    rarityOf(
      chunks,
      lists.reduce((sum, list) => sum + (list[i]?.chunks.length ?? 0), 0),
    ),
  );
  return new Map(
    segments.map((segment, s) => {
      const scores = new Float32Array(segment.count);
      for (const [i, found] of (lists[s] ?? []).entries()) {
        if (found === undefined) continue;
        const { chunks: having, counts } = found;
        const rare = (rarity[i] as number) * (k1 + 1);
        for (let j = 0; j < having.length; j += 1) {
          const chunk = having[j] as number;
          const count = counts[j] as number;
          const length = (segment.lengths[chunk] as number) / average;
          scores[chunk] = (scores[chunk] as number) + (rare * count) / (count + k1 * (1 - b + b * length));
        }
      }
      return [segment, scores];
    }),
  );
}
