/**
 * From logits to the next token: penalties, top_k, top_p, min_p, temperature, draw, in this order. Pure functions over one row of scores.
 * test/core/sampling.test.ts holds them against a naive version, and against transformers' own processors.
 */
import { SpellError } from "./errors.ts";
import type { Penalties, RandomSampling, TokenSampling } from "./spec/sampling.ts";

/** Tokens that stay in the draw, and their probabilities, which add up to 1. */
export interface Candidates {
  readonly ids: readonly number[];
  readonly probabilities: readonly number[];
}

/**
 * Weakens tokens that were produced lately, in place.
 * repeatPenalty divides positive scores and multiplies negative ones (Keskar et al. 2019, arXiv 1909.05858), once per distinct token;
 * presence and frequency are taken off.
 * @param scores f32 [vocabSize]
 * @param produced decoder ids so far, the start token included
 */
export function applyPenalties(scores: Float32Array, produced: readonly number[], penalties: Penalties): void {
  const { repeatPenalty, lastTokens, presencePenalty, frequencyPenalty } = penalties;
  const counts = new Map<number, number>();
  for (const id of lastTokens === "all" ? produced : produced.slice(-lastTokens)) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const [id, count] of counts) {
    const score = scores[id];
    if (score === undefined) continue;
    const weakened = score > 0 ? score / repeatPenalty : score * repeatPenalty;
    scores[id] = weakened - presencePenalty - count * frequencyPenalty;
  }
}

/** @returns each token that would complete a sequence of `size` ids which is in `produced` already. 0 = off. */
export function completingTokens(produced: readonly number[], size: number): readonly number[] {
  if (size <= 0 || produced.length + 1 < size) return [];
  const tail = produced.slice(produced.length - size + 1);
  const found: number[] = [];
  for (let start = 0; start + size <= produced.length; start += 1) {
    if (tail.every((id, index) => produced[start + index] === id)) found.push(produced[start + size - 1] as number);
  }
  return found;
}

/**
 * @returns the id of the largest score; of equals the first
 * @throws SpellError run-nan when no score is a number above −∞
 */
export function argmax(scores: Float32Array): number {
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < scores.length; id += 1) {
    const score = scores[id] as number;
    if (score > most) {
      most = score;
      best = id;
    }
  }
  if (best < 0 || most === Number.POSITIVE_INFINITY) throw noNumbers(most);
  return best;
}

/**
 * What a draw chooses from.
 * @param scores f32 [vocabSize], penalties applied
 * @throws SpellError run-nan
 */
export function filterCandidates(scores: Float32Array, sampling: Omit<RandomSampling, "kind" | "seed">): Candidates {
  const { topK = scores.length, topP = 1, minP = 0, temperature } = sampling;
  const most = scores[argmax(scores)] as number;
  const limit = Math.min(topK, scores.length);
  let ids = topP < 1 ? nucleus(scores, most, limit, topP) : largest(scores, limit);
  if (minP > 0) {
    const least = Math.log(minP) + most;
    ids = ids.filter((id) => (scores[id] as number) >= least);
  }
  const weights = ids.map((id) => Math.exp(((scores[id] as number) - most) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { ids, probabilities: weights.map((weight) => weight / total) };
}

/** @param random in [0, 1) */
export function draw({ ids, probabilities }: Candidates, random: number): number {
  let sum = 0;
  for (let i = 0; i < ids.length; i += 1) {
    sum += probabilities[i] as number;
    if (random < sum) return ids[i] as number;
  }
  return ids[ids.length - 1] as number; // the probabilities may add up to a little less than 1
}

/** One of a few, by the log-probability of each: the likeliest, or drawn as a token would be. @returns its place @throws SpellError run-nan */
export function chooseAmong(odds: readonly number[], sampling: TokenSampling): number {
  const scores = Float32Array.from(odds);
  return sampling.kind === "random" ? draw(filterCandidates(scores, sampling), seededRandom(sampling.seed)()) : argmax(scores);
}

/** Uniform numbers in [0, 1), the same on every machine: mulberry32, one 32-bit state. @param seed unsigned 32-bit */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @returns ids of the `count` largest finite scores, largest first; of equals the lower id first */
export function largest(scores: Float32Array, count: number): number[] {
  const better = (a: number, b: number): number => (scores[b] as number) - (scores[a] as number) || a - b;
  const heap: number[] = []; // the worst kept id on top, once it is full
  const worse = (a: number, b: number): boolean => better(a, b) > 0;
  const sink = (): void => {
    for (let at = 0; ; ) {
      let next = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && worse(heap[child] as number, heap[next] as number)) next = child;
      if (next === at) return;
      [heap[at], heap[next]] = [heap[next] as number, heap[at] as number];
      at = next;
    }
  };
  if (count >= scores.length / 4) {
    return Array.from({ length: scores.length }, (_, id) => id)
      .filter((id) => (scores[id] as number) > Number.NEGATIVE_INFINITY)
      .sort(better)
      .slice(0, count);
  }
  let least = Number.NEGATIVE_INFINITY; // what a score must pass
  for (let id = 0; id < scores.length; id += 1) {
    if (!((scores[id] as number) > least)) continue;
    if (heap.length < count) {
      heap.push(id);
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1;
        if (!worse(heap[at] as number, heap[parent] as number)) break;
        [heap[at], heap[parent]] = [heap[parent] as number, heap[at] as number];
        at = parent;
      }
    } else {
      heap[0] = id;
      sink();
    }
    if (heap.length === count) least = scores[heap[0] as number] as number;
  }
  return heap.sort(better);
}

/**
 * The shortest beginning of the `limit` likeliest whose weights reach the share topP of theirs.
 * Looks at few first: sorting a whole vocabulary costs more than a step of the model.
 */
function nucleus(scores: Float32Array, most: number, limit: number, topP: number): number[] {
  const weight = (id: number): number => Math.exp((scores[id] as number) - most);
  const total =
    limit < scores.length
      ? largest(scores, limit).reduce((sum, id) => sum + weight(id), 0)
      : scores.reduce((sum, score) => sum + Math.exp(score - most), 0);
  for (let count = 128; ; count *= 8) {
    const ids = largest(scores, Math.min(count, limit));
    let sum = 0;
    const end = ids.findIndex((id) => {
      sum += weight(id);
      return sum >= topP * total;
    });
    if (end >= 0) return ids.slice(0, end + 1);
    if (count >= limit) return ids;
  }
}

export function noNumbers(most: number): SpellError {
  return new SpellError("run-nan", `the model's scores are not numbers to choose from: expected at least one finite score, got ${most}`);
}
