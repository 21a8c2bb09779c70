/** Ranges of a file that are there: `[from, to)`, ascending, apart from each other. Pure. */

export type Span = readonly [number, number];

/** @returns the spans with one more, joined where they touch */
export function addSpan(spans: readonly Span[], from: number, to: number): readonly Span[] {
  if (to <= from) return spans;
  const before = spans.filter(([, end]) => end < from);
  const after = spans.filter(([start]) => start > to);
  const touching = spans.filter(([start, end]) => end >= from && start <= to);
  const joined: Span = [Math.min(from, ...touching.map(([start]) => start)), Math.max(to, ...touching.map(([, end]) => end))];
  return [...before, joined, ...after];
}

/** @returns what lies between, up to `size`, cut into pieces of at most `pieceBytes` */
export function missingSpans(spans: readonly Span[], size: number, pieceBytes: number): readonly Span[] {
  const gaps: Span[] = [];
  let at = 0;
  for (const [from, to] of [...spans, [size, size] as const]) {
    for (; at < Math.min(from, size); at = Math.min(at + pieceBytes, from, size)) gaps.push([at, Math.min(at + pieceBytes, from, size)]);
    at = Math.max(at, to);
  }
  return gaps;
}

export function spanBytes(spans: readonly Span[]): number {
  return spans.reduce((sum, [from, to]) => sum + to - from, 0);
}
