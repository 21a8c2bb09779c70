/** How near vectors are, by the metrics of an index: larger is nearer. */
import type { Metric } from "../spec/search-index.ts";

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

export function squareOf(row: Int8Array): number {
  let sum = 0;
  for (let i = 0; i < row.length; i += 1) sum += (row[i] as number) ** 2;
  return sum;
}

/** `cosine` −1 … 1, `euclidean` 1 / (1 + distance), `inner_product` any number. A vector of zeros is near to nothing. */
export function scoreOf(metric: Metric, a: Float32Array, b: Float32Array): number {
  const product = dot(a, b);
  if (metric === "inner_product") return product;
  if (metric === "euclidean") return scoreOfNear(metric, 2 * product - dot(a, a) - dot(b, b));
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  return lengths === 0 ? 0 : product / lengths;
}

/** @param near of nearness.ts @returns the score, to within what 8 bits lose */
export function scoreOfNear(metric: Metric, near: number): number {
  return metric === "euclidean" ? 1 / (1 + Math.sqrt(Math.max(0, -near))) : near;
}
