/** Marks in a text that comes in pieces: stop strings, ends of thoughts, triggers of calls. */

export interface Found {
  readonly mark: string;
  /** where it ends in the piece */
  readonly end: number;
}

/** @returns finds the first mark that is complete, piece by piece */
export function createWatch(marks: readonly string[]): (piece: string) => Found | undefined {
  const longest = marks.reduce((length, mark) => Math.max(length, mark.length), 0);
  let tail = "";
  return (piece) => {
    if (longest === 0 || piece === "") return undefined;
    const all = tail + piece;
    const found = marks.map((mark) => ({ mark, at: all.indexOf(mark) })).filter(({ at }) => at >= 0);
    const [first] = found.sort((a, b) => a.at - b.at);
    const before = tail.length;
    tail = longest === 1 ? "" : all.slice(1 - longest);
    return first === undefined ? undefined : { mark: first.mark, end: first.at + first.mark.length - before };
  };
}
