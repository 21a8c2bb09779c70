/** Words as a shell would split them: blanks part them, quotes keep them together. */
export function wordsOf(line: string): readonly string[] {
  return (line.match(/(?:[^\s"']+|"[^"]*"?|'[^']*'?)+/g) ?? []).map((word) =>
    word.replace(/"([^"]*)"?|'([^']*)'?/g, (_, double?: string, single?: string) => double ?? single ?? ""),
  );
}
