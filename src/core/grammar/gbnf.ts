/** A grammar in GBNF, the notation of llama.cpp: literals, classes and names alone, since its counted repetitions differ by version. */
import type { Grammar, GrammarItem, GrammarItems } from "../spec/grammar.ts";

/** The text that both runtimes of llama.cpp read; its root rule is `root`. */
export function toGbnf({ root, rules }: Grammar): string {
  const line = (name: string): string => `${name} ::= ${(rules[name] ?? []).map(alternative).join(" | ")}`;
  const others = Object.keys(rules).filter((name) => name !== root);
  return `${[`root ::= ${root}`, line(root), ...others.map(line)].join("\n")}\n`;
}

/** Neighbouring letters become one literal. */
function alternative(items: GrammarItems): string {
  const words: string[] = [];
  let literal = "";
  const flush = (): void => {
    if (literal !== "") words.push(`"${literal}"`);
    literal = "";
  };
  for (const item of items) {
    const letter = letterOf(item);
    if (letter !== undefined) {
      literal += escaped(letter);
      continue;
    }
    flush();
    if ("rule" in item) words.push(item.rule);
    else words.push(`[${item.chars.map(([from, to]) => (from === to ? escaped(from) : `${escaped(from)}-${escaped(to)}`)).join("")}]`);
  }
  flush();
  return words.join(" ") || '""';
}

function letterOf(item: GrammarItem): number | undefined {
  if (!("chars" in item) || item.chars.length !== 1) return undefined;
  const [[from, to] = [0, 1]] = item.chars;
  return from === to ? from : undefined;
}

function escaped(code: number): string {
  const letter = String.fromCodePoint(code);
  if (code >= 0x20 && code < 0x7f && !'"\\[]^-'.includes(letter)) return letter;
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
