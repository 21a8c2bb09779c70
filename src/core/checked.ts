/**
 * Arithmetic on sizes that come from files: the only copy of it. Every result is exact or `undefined`; nothing rounds, nothing wraps.
 * Operands are whole numbers in 0 … 2^53 − 1, proven so where they are read (HeaderWindow.uint64). A double holds each of these exactly
 * and rounds a larger sum or product to at least 2^53, so a result within the range is the true one; the tests hold that against BigInt.
 */

/** a + b, or `undefined` above 2^53 − 1. */
export function checkedAdd(a: number, b: number): number | undefined {
  return inRange(a + b);
}

/** a · b, or `undefined` above 2^53 − 1. */
export function checkedMul(a: number, b: number): number | undefined {
  return inRange(a * b);
}

/**
 * The smallest multiple of `alignment` that is not below `value`, or `undefined` above 2^53 − 1.
 * @param alignment at least 1
 */
export function checkedAlign(value: number, alignment: number): number | undefined {
  const rest = value % alignment;
  return rest === 0 ? inRange(value) : checkedAdd(value, alignment - rest);
}

function inRange(result: number): number | undefined {
  return Number.isSafeInteger(result) && result >= 0 ? result : undefined;
}
