/** Which texts are computed together: those of like length, so that padding costs little. */

/** What a pass over a batch costs on a device. */
export interface PassCosts {
  /** A pass takes as long as this many tokens more than it has: what starting it costs, and that few rows use a processor badly. */
  readonly overhead: number;
  /** Tokens of a batch, padding included: from here on a larger one is no faster, and takes more memory, and an abort waits for it. */
  readonly mostTokens: number;
}

/**
 * MiniLM's shape on two threads: 20 tokens take 2.3 ms, 128 take 9.6; 512 in one pass come to 12,000 tokens a second, 2048 to 11,100 with 80 MB more,
 * since the scores of attention no longer fit into the caches. A card's costs were not measured: there a pass waits for a hundred kernels to be started.
 */
export const onProcessor: PassCosts = { overhead: 12, mostTokens: 512 };
export const onCard: PassCosts = { overhead: 512, mostTokens: 2048 };

const mostTexts = 64;

/**
 * The split of least cost: of all ways to cut the texts, ordered by length, into batches, the one with the fewest tokens to compute, padding and the
 * overhead of passes included.
 * @param lengths tokens of each text, at least 1 @returns places in the list, shortest texts first, each once
 */
export function batchesByLength(lengths: readonly number[], { overhead, mostTokens }: PassCosts): readonly (readonly number[])[] {
  const order = [...lengths.keys()].sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0));
  /** of the first n texts: the least cost, and where the last batch of that split begins */
  const costs = new Float64Array(order.length + 1).fill(Number.POSITIVE_INFINITY);
  const starts = new Int32Array(order.length + 1);
  costs[0] = 0;
  for (let end = 1; end <= order.length; end += 1) {
    const length = lengths[order[end - 1] ?? 0] ?? 0;
    for (let start = end - 1; start >= 0; start -= 1) {
      const texts = end - start;
      if (texts > 1 && (texts > mostTexts || texts * length > mostTokens)) break;
      const cost = (costs[start] ?? 0) + overhead + texts * length;
      if (cost < (costs[end] ?? 0)) {
        costs[end] = cost;
        starts[end] = start;
      }
    }
  }
  const batches: number[][] = [];
  for (let end = order.length; end > 0; end = starts[end] ?? 0) batches.push(order.slice(starts[end] ?? 0, end));
  return batches.reverse();
}
