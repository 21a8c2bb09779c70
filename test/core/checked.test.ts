import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkedAdd, checkedAlign, checkedMul } from "../../src/core/checked.ts";

const max = Number.MAX_SAFE_INTEGER;
/** Sizes of all magnitudes, with the ends of the range and powers of two more often than by chance. */
const size = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(1000),
  fc.nat(53).chain((power) => fc.integer({ min: -2, max: 2 }).map((step) => Math.min(max, Math.max(0, 2 ** power + step)))),
);

const exact = (result: bigint): number | undefined => (result <= BigInt(max) ? Number(result) : undefined);

describe("checked arithmetic equals BigInt, or is undefined above 2^53 − 1", () => {
  it("sums", () => {
    fc.assert(
      fc.property(size, size, (a, b) => {
        expect(checkedAdd(a, b)).toBe(exact(BigInt(a) + BigInt(b)));
      }),
      { numRuns: 3000 },
    );
  });

  it("products", () => {
    fc.assert(
      fc.property(size, size, (a, b) => {
        expect(checkedMul(a, b)).toBe(exact(BigInt(a) * BigInt(b)));
      }),
      { numRuns: 3000 },
    );
  });

  it("alignment", () => {
    const alignment = fc.oneof(
      fc.nat(20).map((power) => 2 ** power),
      fc.integer({ min: 1, max: 1000 }),
    );
    fc.assert(
      fc.property(size, alignment, (value, step) => {
        const wanted = ((BigInt(value) + BigInt(step) - 1n) / BigInt(step)) * BigInt(step);
        expect(checkedAlign(value, step)).toBe(exact(wanted));
      }),
      { numRuns: 3000 },
    );
  });
});
