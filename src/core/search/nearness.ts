/** How near rows of 8 bits are to each other and to a question, for each metric: one number, larger is nearer, the same on every host. */

import type { Metric } from "../spec/search-index.ts";
import type { RowScan } from "./row-scan.ts";

/**
 * near(a, b) = product · factor a · factor b − bias a − bias b: the cosine, the inner product, or minus the square of the distance.
 * All of it is products, sums and roots of doubles, which every host rounds alike.
 */
export interface Nearness {
  readonly scan: RowScan;
  readonly factors: Float64Array;
  readonly biases: Float64Array;
}

export interface Weight {
  readonly factor: number;
  readonly bias: number;
}

export function nearness(metric: Metric, scan: RowScan, scales: Float32Array): Nearness {
  const factors = new Float64Array(scan.count);
  const biases = new Float64Array(scan.count);
  for (let row = 0; row < scan.count; row += 1) {
    const { factor, bias } = weigh(metric, scan.squares[row] ?? 0, scales[row] ?? 0);
    factors[row] = factor;
    biases[row] = bias;
  }
  return { scan, factors, biases };
}

/** @param square of the row of 8 bits @param scale what one step of it is worth */
export function weigh(metric: Metric, square: number, scale: number): Weight {
  if (metric === "cosine") return { factor: square === 0 ? 0 : 1 / Math.sqrt(square), bias: 0 };
  if (metric === "inner_product") return { factor: scale, bias: 0 };
  return { factor: scale * Math.SQRT2, bias: square * scale * scale };
}

/** @param product of the row and what `weight` is of */
export function nearOf({ factors, biases }: Nearness, weight: Weight, row: number, product: number): number {
  return product * weight.factor * (factors[row] as number) - (biases[row] as number) - weight.bias;
}
