/** How near vectors are, by the metrics of an index: larger is nearer. */
import { quantizeRow } from "./segment.ts";
import type { Metric } from "./types.ts";

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** `cosine` −1 … 1, `euclidean` 1 / (1 + distance), `inner_product` any number. A vector of zeros is near to nothing. */
export function scoreOf(metric: Metric, a: Float32Array, b: Float32Array): number {
  return fromProducts(metric, dot(a, b), dot(a, a), dot(b, b));
}

function fromProducts(metric: Metric, product: number, ownA: number, ownB: number): number {
  if (metric === "inner_product") return product;
  if (metric === "euclidean") return 1 / (1 + Math.sqrt(Math.max(0, ownA + ownB - 2 * product)));
  const lengths = Math.sqrt(ownA * ownB);
  return lengths === 0 ? 0 : product / lengths;
}

/** Rows of 8 bits, as a segment has them. */
export interface Rows {
  readonly rows: Int8Array;
  readonly scales: Float32Array;
  readonly count: number;
}

/** The score of every row, to within what 8 bits lose. */
export function roughScores(metric: Metric, query: Float32Array, { rows, scales, count }: Rows): Float32Array {
  const dimensions = query.length;
  const small = new Int8Array(dimensions);
  const scale = quantizeRow(query, small);
  const own = dot(query, query);
  const scores = new Float32Array(count);
  for (let row = 0; row < count; row += 1) {
    const from = row * dimensions;
    let product = 0;
    let square = 0;
    for (let i = 0; i < dimensions; i += 1) {
      const value = rows[from + i] ?? 0;
      product += value * (small[i] ?? 0);
      square += value * value;
    }
    const rowScale = scales[row] ?? 0;
    scores[row] = fromProducts(metric, product * scale * rowScale, own, square * rowScale * rowScale);
  }
  return scores;
}
