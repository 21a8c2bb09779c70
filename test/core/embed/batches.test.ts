/** Batches of texts of like length, against every way to cut a short list. */
import { describe, expect, it } from "vitest";
import { batchesByLength, onCard, onProcessor, type PassCosts } from "../../../src/core/embed/batches.ts";

function costOf(batches: readonly (readonly number[])[], lengths: readonly number[], { overhead }: PassCosts): number {
  return batches.reduce((sum, batch) => sum + overhead + batch.length * Math.max(...batch.map((place) => lengths[place]!)), 0);
}

/** Every way to cut a list. */
function cuts<T>(list: readonly T[]): readonly (readonly (readonly T[])[])[] {
  if (list.length === 0) return [[]];
  return list.flatMap((_, at) => cuts(list.slice(at + 1)).map((rest) => [list.slice(0, at + 1), ...rest]));
}

function someLengths(count: number, seed: number): readonly number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return 1 + (state >>> 24);
  });
}

describe("batchesByLength", () => {
  it.each([1, 2, 3, 4, 5, 6])("finds the split of least cost (list %i)", (seed) => {
    const lengths = someLengths(9, seed);
    for (const costs of [onProcessor, { overhead: 100, mostTokens: 700 }]) {
      const sorted = [...lengths.keys()].sort((a, b) => lengths[a]! - lengths[b]!);
      const allowed = cuts(sorted).filter((split) =>
        split.every((batch) => batch.length === 1 || batch.length * lengths[batch.at(-1)!]! <= costs.mostTokens),
      );
      const least = Math.min(...allowed.map((split) => costOf(split, lengths, costs)));
      expect(costOf(batchesByLength(lengths, costs), lengths, costs)).toBe(least);
    }
  });

  it.each([onProcessor, onCard])("gives each text once, shortest first, at most 64 and %j", (costs) => {
    const lengths = [...someLengths(700, 9), 5000, ...Array.from({ length: 300 }, () => 1)];
    const batches = batchesByLength(lengths, costs);
    const places = batches.flat();
    expect([...places].sort((a, b) => a - b)).toEqual([...lengths.keys()]);
    expect(places.map((place) => lengths[place]!)).toEqual([...lengths].sort((a, b) => a - b));
    for (const batch of batches) {
      expect(batch.length).toBeLessThanOrEqual(64);
      if (batch.length > 1) expect(batch.length * lengths[batch.at(-1)!]!).toBeLessThanOrEqual(costs.mostTokens);
    }
  });

  it("cuts where padding would cost more than a pass, and not where it would not", () => {
    expect(batchesByLength([30, 8, 31, 9, 8], onProcessor)).toEqual([
      [1, 4, 3],
      [0, 2],
    ]);
    expect(batchesByLength([30, 8, 31, 9, 8], onCard)).toHaveLength(1);
    expect(batchesByLength([], onProcessor)).toEqual([]);
  });
});
