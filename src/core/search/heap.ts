/** Rows with their nearness; equal ones in the order of their numbers, so that every host has the same. */
export class Heap {
  size = 0;
  private readonly scores: number[] = [];
  private readonly rows: number[] = [];
  private readonly worstFirst: boolean;

  /** @param worstFirst whether the farthest row is at the top, or the nearest */
  constructor(worstFirst: boolean) {
    this.worstFirst = worstFirst;
  }

  get topScore(): number {
    return this.scores[0] as number;
  }

  get topRow(): number {
    return this.rows[0] as number;
  }

  clear(): void {
    this.size = 0;
  }

  push(score: number, row: number): void {
    const { scores, rows } = this;
    let at = this.size++;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!this.isBefore(score, row, scores[up] as number, rows[up] as number)) break;
      scores[at] = scores[up] as number;
      rows[at] = rows[up] as number;
      at = up;
    }
    scores[at] = score;
    rows[at] = row;
  }

  pop(): void {
    this.size -= 1;
    if (this.size > 0) this.sink(this.scores[this.size] as number, this.rows[this.size] as number);
  }

  /** Puts a row in the place of the top one. */
  replaceTop(score: number, row: number): void {
    this.sink(score, row);
  }

  /** Nearest first. */
  sorted(): { readonly score: number; readonly row: number }[] {
    const all = Array.from({ length: this.size }, (_, i) => ({ score: this.scores[i] as number, row: this.rows[i] as number }));
    return all.sort(nearestFirst);
  }

  private sink(score: number, row: number): void {
    const { scores, rows, size } = this;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= size) break;
      if (
        down + 1 < size &&
        this.isBefore(scores[down + 1] as number, rows[down + 1] as number, scores[down] as number, rows[down] as number)
      )
        down += 1;
      if (!this.isBefore(scores[down] as number, rows[down] as number, score, row)) break;
      scores[at] = scores[down] as number;
      rows[at] = rows[down] as number;
      at = down;
    }
    scores[at] = score;
    rows[at] = row;
  }

  private isBefore(score: number, row: number, otherScore: number, otherRow: number): boolean {
    const isNearer = score > otherScore || (score === otherScore && row < otherRow);
    return this.worstFirst ? !isNearer : isNearer;
  }
}

export function nearestFirst(
  one: { readonly score: number; readonly row: number },
  other: { readonly score: number; readonly row: number },
): number {
  return other.score - one.score || one.row - other.row;
}
