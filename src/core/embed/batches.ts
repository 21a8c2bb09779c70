/** Which texts are computed together: those of like length, so that padding costs little. */

/** Tokens of a batch, padding included: from here on a larger one is no faster on a processor, and an abort waits for it. */
const mostTokens = 2048;
const mostTexts = 64;

/** @param lengths tokens of each text, at least 1 @returns places in the list, shortest texts first, each once */
export function batchesByLength(lengths: readonly number[]): readonly (readonly number[])[] {
  const order = [...lengths.keys()].sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0));
  const batches: number[][] = [];
  for (const index of order) {
    const length = lengths[index] ?? 0;
    const last = batches.at(-1);
    const fits = last !== undefined && last.length < mostTexts && (last.length + 1) * length <= mostTokens;
    if (fits) last.push(index);
    else batches.push([index]);
  }
  return batches;
}
