/** Patterns with wildcards, without regular expressions: the time is the product of both lengths, whatever a pattern holds. */

/**
 * @param pattern what has to be there, in order
 * @param isOne fits any one item
 * @param isMany fits any number of them
 */
export function fits<T>(pattern: readonly T[], items: readonly T[], isOne: (part: T) => boolean, isMany: (part: T) => boolean): boolean {
  let [p, i] = [0, 0];
  /** the last `many`, and where the items behind it begin */
  let [many, from] = [-1, 0];
  while (i < items.length) {
    const part = pattern[p];
    if (p < pattern.length && isMany(part as T)) {
      many = p++;
      from = i;
    } else if (p < pattern.length && (isOne(part as T) || part === items[i])) {
      p++;
      i++;
    } else if (many >= 0) {
      p = many + 1;
      i = ++from;
    } else return false;
  }
  while (p < pattern.length && isMany(pattern[p] as T)) p++;
  return p === pattern.length;
}

/** A name against a pattern where `*` is any text and `?` any one character. */
export function fitsName(pattern: string, name: string): boolean {
  return fits(
    [...pattern],
    [...name],
    (sign) => sign === "?",
    (sign) => sign === "*",
  );
}

/** A type of events against a pattern: parts between dots, `*` any one part, `**` any number of them. */
export function fitsType(pattern: string, type: string): boolean {
  return fits(
    pattern.split("."),
    type.split("."),
    (part) => part === "*",
    (part) => part === "**",
  );
}
