/** Beams against a naive search: search.test.ts. Here: the arithmetic of their scores. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logSumExp } from "../../../src/core/t5/beam-search.ts";

/** By its definition, in the order of the values. */
function plain(values: Float32Array): number {
  const most = Math.max(...values);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

describe("logSumExp", () => {
  it("is that of the definition to 1 in 10^8", () => {
    fc.assert(
      fc.property(fc.float32Array({ minLength: 1, maxLength: 300, noNaN: true, min: -200, max: 200 }), (values) => {
        expect(Math.abs(logSumExp(values) - plain(values))).toBeLessThan(1e-8);
      }),
    );
  });

  it("counts values far below the largest, and none that was forbidden", () => {
    expect(logSumExp(new Float32Array(100_000).fill(-3))).toBeCloseTo(Math.log(100_000) - 3, 8);
    expect(logSumExp(Float32Array.of(1, Number.NEGATIVE_INFINITY, -90))).toBe(1);
  });
});
