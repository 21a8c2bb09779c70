/** A rate: so many at once, and as many again in each period. */

/** @param now milliseconds, monotonic @returns whether one more may be; then it is counted */
export function bucket(most: number, periodMs: number, now: () => number): () => boolean {
  let left = most;
  let at = now();
  return () => {
    const time = now();
    left = Math.min(most, left + ((time - at) * most) / periodMs);
    at = time;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}
