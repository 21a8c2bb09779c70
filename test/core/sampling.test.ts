import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyPenalties, argmax, completingTokens, draw, filterCandidates, largest, seededRandom } from "../../src/core/sampling.ts";

const rows = fc
  .array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 1, maxLength: 700 })
  .map((values) => Float32Array.from(values));

/** top_k, top_p, min_p, temperature, by sorting everything. */
function naive(scores: Float32Array, { topK, topP = 1, minP = 0, temperature }: Parameters<typeof filterCandidates>[1]) {
  let ids = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
  if (topK !== undefined) ids = ids.slice(0, topK);
  const most = scores[ids[0] ?? 0] ?? 0;
  const weight = (id: number): number => Math.exp((scores[id] ?? 0) - most);
  if (topP < 1) {
    const total = ids.reduce((sum, id) => sum + weight(id), 0);
    let sum = 0;
    const kept = [];
    for (const id of ids) {
      kept.push(id);
      sum += weight(id);
      if (sum >= topP * total) break;
    }
    ids = kept;
  }
  if (minP > 0) ids = ids.filter((id) => weight(id) >= minP);
  const weights = ids.map((id) => Math.exp(((scores[id] ?? 0) - most) / temperature));
  const total = weights.reduce((sum, value) => sum + value, 0);
  return new Map(ids.map((id, at) => [id, (weights[at] ?? 0) / total]));
}

describe("filterCandidates", () => {
  it("keeps what the naive version keeps, with the same probabilities", () => {
    fc.assert(
      fc.property(
        rows,
        fc.record({
          topK: fc.constantFrom(undefined, 1, 5, 40, 300),
          topP: fc.constantFrom(undefined, 1, 0.9, 0.5, 0.01),
          minP: fc.constantFrom(undefined, 0.05, 0.9),
          temperature: fc.constantFrom(0.3, 1, 1.7),
        }),
        (scores, sampling) => {
          const { ids, probabilities } = filterCandidates(scores, sampling);
          const wanted = naive(scores, sampling);
          expect(new Set(ids)).toEqual(new Set(wanted.keys()));
          ids.forEach((id, at) => {
            expect(probabilities[at]).toBeCloseTo(wanted.get(id) ?? Number.NaN, 9);
          });
        },
      ),
      { numRuns: 400 },
    );
  });

  it("leaves out what was forbidden", () => {
    const { ids } = filterCandidates(Float32Array.of(1, Number.NEGATIVE_INFINITY, 0), { temperature: 1 });
    expect([...ids].sort()).toEqual([0, 2]);
  });
});

describe("largest", () => {
  it("gives the first of the sorted ids, of equals the lower one first", () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 60 }), (scores, count) => {
        const wanted = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b).slice(0, count);
        expect(largest(scores, count)).toEqual(wanted);
      }),
      { numRuns: 400 },
    );
  });
});

describe("penalties", () => {
  it("divide positive scores, multiply negative ones, once per token, and take presence and frequency off", () => {
    const scores = Float32Array.of(2, -2, 4, 1);
    applyPenalties(scores, [0, 1, 1, 0, 0], { repeatPenalty: 2, lastTokens: "all", presencePenalty: 0.5, frequencyPenalty: 0.25 });
    expect([...scores]).toEqual([1 - 0.5 - 0.75, -4 - 0.5 - 0.5, 4, 1]);
  });

  it("look at the last tokens only", () => {
    const scores = Float32Array.of(2, 2, 2);
    applyPenalties(scores, [0, 1, 2], { repeatPenalty: 2, lastTokens: 1, presencePenalty: 0, frequencyPenalty: 0 });
    expect([...scores]).toEqual([2, 2, 1]);
  });

  it("know the tokens that would complete a sequence that was there", () => {
    expect(completingTokens([1, 2, 3, 1, 2], 3)).toEqual([3]);
    expect(completingTokens([1, 2, 3, 1, 2, 4, 1, 2], 3)).toEqual([3, 4]);
    expect(completingTokens([4], 1)).toEqual([4]);
    expect(completingTokens([4], 3)).toEqual([]);
    expect(completingTokens([4, 4], 0)).toEqual([]);
  });
});

describe("drawing", () => {
  it("R12 has no answer where no score is a number", () => {
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]) {
      expect(() => argmax(new Float32Array(4).fill(value))).toThrow(expect.objectContaining({ code: "run-nan" }));
    }
  });

  it("follows the probabilities", () => {
    const random = seededRandom(11);
    const counts = [0, 0, 0];
    for (let i = 0; i < 20_000; i += 1) {
      const id = draw({ ids: [0, 1, 2], probabilities: [0.5, 0.3, 0.2] }, random());
      counts[id] = (counts[id] ?? 0) + 1;
    }
    expect(counts.map((count) => Math.round(count / 1000))).toEqual([10, 6, 4]);
  });

  // mulberry32 of 42, as published: 0.6011037519201636, 0.44829055899754167, 0.8524657934904099
  it("repeats with its seed, on every machine", () => {
    const random = seededRandom(42);
    expect([random(), random(), random()].map((value) => Math.round(value * 1e9))).toEqual([601103752, 448290559, 852465793]);
  });
});
