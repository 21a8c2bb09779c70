/** A word as a shell takes it back: bare where that is safe, in double quotes where they change nothing, else in single ones. */
export function shellQuote(text: string): string {
  if (/^[\w./~:@%+=,-]+$/.test(text)) return text;
  return /["$`\\!]/.test(text) ? `'${text.replaceAll("'", `'\\''`)}'` : `"${text}"`;
}
