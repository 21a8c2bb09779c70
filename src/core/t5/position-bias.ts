/** T5's relative positions: which bucket a distance falls into. Numbers only; the graph looks the learned bias up by them. */

/**
 * Bucket of a relative position: near distances one by one, far ones in logarithmic steps.
 * Rounds in f32 at each step, because the reference does; results equal it for every distance in [-1000, 1000].
 *
 * @param distance      key position minus query position, in tokens
 * @param bidirectional true in the encoder; the decoder looks only backwards
 * @param buckets       even, >= 4; 32 in every published checkpoint
 * @param maxDistance   distances from here on share the last bucket; 128 in every published checkpoint
 * @returns integer in [0, buckets)
 * Source: Raffel et al. 2020 (arXiv 1910.10683), section 2.1; same as `_relative_position_bucket` in transformers' modeling_t5.
 */
export function relativePositionBucket(distance: number, bidirectional: boolean, buckets: number, maxDistance: number): number {
  const f32 = Math.fround;
  const half = bidirectional ? buckets >> 1 : buckets;
  const first = bidirectional && distance > 0 ? half : 0;
  const steps = bidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = half >> 1;
  if (steps < exact) return first + steps;
  const share = f32(f32(Math.log(f32(steps / exact))) / f32(Math.log(maxDistance / exact)));
  return first + Math.min(exact + Math.trunc(f32(share * f32(half - exact))), half - 1);
}

/** @returns buckets of the distances -maxDistance … maxDistance; beyond them nothing changes. [2 * maxDistance + 1] */
export function bucketTable(bidirectional: boolean, buckets: number, maxDistance: number): readonly number[] {
  return Array.from({ length: 2 * maxDistance + 1 }, (_, index) =>
    relativePositionBucket(index - maxDistance, bidirectional, buckets, maxDistance),
  );
}
