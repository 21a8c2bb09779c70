/** Which chunks answer a question: vectors and words together, the best read exactly. */
import type { Place } from "./collection.ts";
import { dot, roughScores, scoreOf } from "./scores.ts";
import type { Segment } from "./segment.ts";
import { terms } from "./terms.ts";
import type { CollectionSettings, Hit, Query } from "./types.ts";

/** of BM25 */
const [k1, b] = [1.2, 0.75];
/** So many times k candidates are scored by their full vectors. */
const looked = 4;
/** share of relevance beside difference in `mmr` */
const relevance = 0.7;

export interface Ranked extends Pick<CollectionSettings, "embedder" | "metric"> {
  readonly segments: readonly Segment[];
  readonly live: ReadonlyMap<string, Place>;
}

interface Candidate {
  readonly segment: Segment;
  readonly document: string;
  readonly first: number;
  readonly chunk: number;
  readonly wordScore: number;
  vectorScore: number;
  score: number;
}

export async function rank({ segments, live, metric }: Ranked, query: Query): Promise<readonly Hit[]> {
  const { k, hybridWeight, threshold = Number.NEGATIVE_INFINITY, keep, deduplicate = false } = query;
  const wordScores = hybridWeight > 0 ? await scoreWords(segments, query.text) : new Map<Segment, Float32Array>();
  const vectorScores = new Map(
    hybridWeight < 1 ? segments.map((segment) => [segment, roughScores(metric, query.vector, segment)] as const) : [],
  );
  const found: Candidate[] = [];
  let bestWord = 0;
  for (const [id, { segment, at }] of live) {
    const document = segment.documents[at];
    if (document === undefined || keep?.(document.metadata, id) === false) continue;
    for (let chunk = document.from; chunk < document.from + document.count; chunk += 1) {
      const wordScore = wordScores.get(segment)?.[chunk] ?? 0;
      bestWord = Math.max(bestWord, wordScore);
      found.push({
        segment,
        document: id,
        first: document.from,
        chunk,
        wordScore,
        vectorScore: vectorScores.get(segment)?.[chunk] ?? 0,
        score: 0,
      });
    }
  }
  const mix = ({ vectorScore, wordScore }: Candidate): number =>
    (1 - hybridWeight) * vectorScore + (bestWord === 0 ? 0 : (hybridWeight * wordScore) / bestWord);
  for (const each of found) each.score = mix(each);
  const best = found.sort(byScore).slice(0, Math.max(k * looked, k + 16));
  const vectors = new Map<Candidate, Float32Array>();
  for (const each of best) {
    const vector = await each.segment.vector(each.chunk);
    vectors.set(each, vector);
    if (hybridWeight < 1) each.vectorScore = scoreOf(metric, query.vector, vector);
    each.score = mix(each);
  }
  const ranked = best.filter(({ score }) => score >= threshold).sort(byScore);
  const ordered = query.rerank === "mmr" ? differing(ranked, vectors, k * 2) : ranked;
  const hits: Hit[] = [];
  const seen = new Set<string>();
  for (const each of ordered) {
    if (hits.length === k) break;
    const { segment, chunk } = each;
    const facts = segment.chunks[chunk];
    if (facts === undefined) continue;
    const text = await segment.text(chunk);
    const same = text ?? facts.hash;
    if (deduplicate && seen.has(same)) continue;
    seen.add(same);
    const { document, first, score, vectorScore, wordScore } = each;
    const metadata = live.get(document)?.segment.documents[live.get(document)?.at ?? 0]?.metadata ?? {};
    const { headings, start, end } = facts;
    hits.push({ document, chunk: chunk - first, score, vectorScore, wordScore, text, headings, start, end, metadata });
  }
  return hits;
}

/** Best first; of equal scores by name and place, so that every host has one order. */
function byScore(one: Candidate, other: Candidate): number {
  if (one.score !== other.score) return other.score - one.score;
  if (one.document !== other.document) return one.document < other.document ? -1 : 1;
  return one.chunk - other.chunk;
}

/** BM25 of every chunk, over all segments together. */
async function scoreWords(segments: readonly Segment[], text: string): Promise<ReadonlyMap<Segment, Float32Array>> {
  const asked = [...new Set(terms(text))];
  const chunks = segments.reduce((sum, { count }) => sum + count, 0);
  const average = segments.reduce((sum, { words }) => sum + words, 0) / chunks || 1;
  const lists = await Promise.all(segments.map((segment) => Promise.all(asked.map((term) => segment.postings(term)))));
  const rarity = asked.map((_, i) => {
    const having = lists.reduce((sum, list) => sum + (list[i]?.chunks.length ?? 0), 0);
    return Math.log(1 + (chunks - having + 0.5) / (having + 0.5));
  });
  return new Map(
    segments.map((segment, s) => {
      const scores = new Float32Array(segment.count);
      for (const [i, found] of (lists[s] ?? []).entries()) {
        for (const [j, chunk] of found?.chunks.entries() ?? []) {
          const count = found?.counts[j] ?? 0;
          const length = (segment.lengths[chunk] ?? 0) / average;
          scores[chunk] = (scores[chunk] ?? 0) + ((rarity[i] ?? 0) * count * (k1 + 1)) / (count + k1 * (1 - b + b * length));
        }
      }
      return [segment, scores];
    }),
  );
}

/** One after the other the best that resembles least what was taken (maximal marginal relevance). */
function differing(ranked: readonly Candidate[], vectors: ReadonlyMap<Candidate, Float32Array>, most: number): readonly Candidate[] {
  const left = [...ranked];
  const taken: Candidate[] = [];
  const nearest = new Map<Candidate, number>();
  while (left.length > 0 && taken.length < most) {
    let best = 0;
    let bestValue = Number.NEGATIVE_INFINITY;
    for (const [i, each] of left.entries()) {
      const value = relevance * each.score - (1 - relevance) * (nearest.get(each) ?? 0);
      if (value > bestValue) [best, bestValue] = [i, value];
    }
    const [chosen] = left.splice(best, 1);
    if (chosen === undefined) break;
    taken.push(chosen);
    for (const each of left) nearest.set(each, Math.max(nearest.get(each) ?? 0, likeness(vectors.get(each), vectors.get(chosen))));
  }
  return taken;
}

function likeness(one: Float32Array | undefined, other: Float32Array | undefined): number {
  if (one === undefined || other === undefined) return 0;
  const lengths = Math.sqrt(dot(one, one) * dot(other, other));
  return lengths === 0 ? 0 : dot(one, other) / lengths;
}
