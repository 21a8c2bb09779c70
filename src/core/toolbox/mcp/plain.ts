/** Texts of strangers on one line. */

/** One line a person may be shown: without control characters and without what turns the direction of writing. */
export function plain(text: string, most: number): string {
  return text
    .slice(0, most)
    .replace(/\s+/g, " ")
    .replace(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "")
    .trim();
}
