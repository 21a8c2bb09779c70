/** The words of a text in GBNF, as llama.cpp tells them apart. */

export type GbnfWord = { readonly text: string } & (
  | { readonly kind: "name"; readonly name: string; readonly defines: boolean }
  | { readonly kind: "class"; readonly letters: readonly string[] }
  | { readonly kind: "literal" | "letter" | "bar" | "opens" | "closes" | "space" | "other" }
  | { readonly kind: "repeat"; readonly least: number; readonly most: number }
);

const word =
  /(?<name>[A-Za-z0-9_-]+)(?<defines>\s*::=)?|(?<literal>"(?:\\.|[^"\\])*")|(?<letters>\[(?:\\.|[^\]\\])*\])|(?<letter>!?<[^<>\s]*>|\.)|(?<counts>\{[\s\d,]*\})|(?<mark>[*+?])|(?<sign>[|()])|(?<space>\s+|#[^\r\n]*)|"(?:\\.|[^"\\])*|\[(?:\\.|[^\]\\])*|./gsu;
/** Letters of a class or a literal, escaped or not. */
export const letterPattern: RegExp = /\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}|\\.|[^\\]/gsu;
const signs = { "|": "bar", "(": "opens", ")": "closes" } as const;

/** Goes on behind what is no word (`other`): llama.cpp has read what stands before it. */
export function* gbnfWords(grammar: string): Generator<GbnfWord, void, undefined> {
  for (const { 0: text, groups = {} } of grammar.matchAll(word)) {
    const { name, defines, literal, letters, letter, counts, mark, sign, space } = groups;
    if (name !== undefined) yield { text, kind: "name", name, defines: defines !== undefined };
    else if (letters !== undefined) yield { text, kind: "class", letters: letters.slice(1, -1).match(letterPattern) ?? [] };
    else if (counts !== undefined || mark !== undefined) yield { text, kind: "repeat", ...repeatOf(text) };
    else if (sign !== undefined) yield { text, kind: signs[sign as keyof typeof signs] };
    else
      yield { text, kind: literal !== undefined ? "literal" : letter !== undefined ? "letter" : space !== undefined ? "space" : "other" };
  }
}

/** @param text a mark, or counts in braces */
function repeatOf(text: string): { readonly least: number; readonly most: number } {
  if (text === "?") return { least: 0, most: 1 };
  if (text === "+" || text === "*") return { least: text === "+" ? 1 : 0, most: Number.POSITIVE_INFINITY };
  const [least = "", most = least] = text.slice(1, -1).replace(/\s+/g, "").split(",");
  return { least: Number(least), most: most === "" ? Number.POSITIVE_INFINITY : Number(most) };
}
