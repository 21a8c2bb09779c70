/** Finds the name that was probably meant. */

/** Words that mean another one, however it is spelled. */
const meanings: ReadonlyMap<string, string> = new Map([
  ["gpu", "auto"],
  ["abortsignal", "signal"],
  ["maxnewtokens", "maxTokens"],
  ["maxoutputtokens", "maxTokens"],
  ["numpredict", "maxTokens"],
]);

/** Longer words are not typing errors, and a comparison costs their length squared. */
const longestWord = 40;

/**
 * @returns the name that means the same, else the closest of those that begin with the word or differ in at most a third of its letters (one letter in short words);
 * undefined if all are further away
 */
export function nearest(word: string, names: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > longestWord) return undefined;
  const typed = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(typed.length / 3)) + 0.5;
  for (const name of names) {
    if (meanings.get(typed) === name) return name;
    // the lengths alone differ too much
    if (Math.abs(name.length - typed.length) >= bestDistance && !name.startsWith(typed)) continue;
    const distance = typed.length >= 3 && name.startsWith(typed) ? 0.5 : editDistance(typed, name.toLowerCase());
    if (distance >= bestDistance) continue;
    best = name;
    bestDistance = distance;
  }
  return best;
}

/** The end of a message about an unknown name; empty where no name is close. */
export function didYouMean(name: string | undefined): string {
  return name === undefined ? "" : `; did you mean ${name}?`;
}

/** Letters to change, add, drop or swap with their neighbour. Source: optimal string alignment (Damerau 1964), one row at a time. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + changed);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
