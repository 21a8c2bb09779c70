/** Work that measures texts one by one, where their lengths come from elsewhere: it is done again until it asks for no text that is unknown. */

/** More than such work takes: each time it cuts what it found too long. */
const mostTimes = 8;

/**
 * @param work the same for the same lengths @param guess where nothing knows better
 * @param measure lengths of all texts at once; undefined: guesses are all there is
 */
export async function measured<T>(
  work: (count: (text: string) => number) => T,
  guess: (text: string) => number,
  measure: (texts: readonly string[]) => Promise<readonly number[] | undefined>,
): Promise<T> {
  const known = new Map<string, number>([["", 0]]);
  for (let times = 1; ; times += 1) {
    const unknown = new Set<string>();
    const made = work((text) => {
      const count = known.get(text);
      if (count !== undefined) return count;
      unknown.add(text);
      return guess(text);
    });
    if (unknown.size === 0 || times === mostTimes) return made;
    const texts = [...unknown];
    const counts = await measure(texts);
    if (counts === undefined) return made;
    for (const [i, text] of texts.entries()) known.set(text, counts[i] ?? guess(text));
  }
}
