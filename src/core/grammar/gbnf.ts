/** A grammar in GBNF, the notation of llama.cpp: literals, classes and names alone, since its counted repetitions differ by version. */
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Constraint, Grammar, GrammarItem, GrammarItems } from "../spec/grammar.ts";
import { checkWays, hasManyWays } from "./gbnf-ways.ts";
import { gbnfWords, letterPattern } from "./gbnf-words.ts";

/** What engines of llama.cpp hold an answer by. @throws SpellError run-option for a form that would take them minutes */
export function gbnfOf(held: Constraint): string {
  if (held.kind === "grammar") return held.gbnf;
  if (!hasManyWays(held.grammar)) return toGbnf(held.grammar);
  const where = held.kind;
  const message = `${where}: expected a form with at most ${limits.formWays.toLocaleString("en-US")} ways to a next letter, got more, which llama.cpp would all follow`;
  throw new SpellError("run-option", message, {
    where,
    hint: "Fewer optional parts in a row make it smaller; counts, as in a{0,99}, are one part.",
  });
}

/**
 * What is told of an answer that was cut there: llama.cpp's grammars take characters in more bytes than they have (E0 84 80 for C4 80), which are no text.
 */
export const bytesNoText = "the model wrote bytes that are not text; the answer ends there";

/** GBNF that the engine refuses: a caller's own is wrong, what is made here can only be too much for it. */
export function badGrammar(cause: unknown, kind: Constraint["kind"] = "grammar"): SpellError {
  if (kind !== "grammar") {
    const where = kind === "tools" ? "tools" : kind;
    return new SpellError("run-option", `${where}: expected a form that llama.cpp has room for, got a larger one`, {
      where,
      hint: "Fewer members, branches and counts make it smaller.",
      cause,
    });
  }
  const hint = "The notation is described in grammars/README.md of llama.cpp; the first rule is named root.";
  return new SpellError("run-option", "grammar: expected GBNF, got a text that llama.cpp cannot read", { where: "grammar", hint, cause });
}

/**
 * What llama.cpp would read without end, or until its stack does.
 * @throws SpellError run-option for a NUL, which no token writes and which ends the engine, for groups within groups beyond the limit, for a repetition of a repetition: each doubles what stands before it, for a range
 *   that runs backwards, which ends the process, and for more ways to a next letter than the limit
 */
export function checkGbnf(text: string): void {
  const fail = (expected: string, got: string): never => {
    throw new SpellError("run-option", `grammar: expected ${expected}, got ${got}`, { where: "grammar" });
  };
  const words = [...gbnfWords(text)];
  let depth = 0;
  let repeat: string | undefined;
  let gap = "";
  for (const each of words) {
    if (each.kind === "space") {
      gap = " ";
      continue;
    }
    if (each.kind === "repeat" && repeat !== undefined)
      fail("one repetition behind an item; a group may have another", `${repeat.slice(-1)}${gap}${each.text.slice(0, 1)}`);
    if (each.kind === "opens") depth += 1;
    if (each.kind === "closes") depth -= 1;
    if (depth > limits.gbnfDepth) fail(`at most ${limits.gbnfDepth} groups within groups`, "more");
    if (each.kind === "class") checkRanges(each.letters, fail);
    if ((each.kind === "class" && each.letters.length > 0 && each.letters.every(isNul)) || (each.kind === "literal" && hasNul(each.text)))
      fail("letters that a model can write", "NUL alone");
    repeat = each.kind === "repeat" ? each.text : undefined;
    gap = "";
  }
  checkWays(words, fail);
}

function isNul(letter: string): boolean {
  return /^(?:\0|\\x00|\\u0000|\\U0{8})$/u.test(letter);
}

function hasNul(literal: string): boolean {
  return (literal.match(letterPattern) ?? []).some(isNul);
}

const namedLetters: Readonly<Record<string, string>> = { t: "\t", r: "\r", n: "\n" };

/** Letters as llama.cpp reads them: one, or two with a hyphen between that does not end the class. */
function checkRanges(all: readonly string[], fail: (expected: string, got: string) => never): void {
  const letters = all[0] === "^" ? all.slice(1) : all;
  const codeOf = (letter: string): number => {
    if (/^\\[xuU]./.test(letter)) return Number.parseInt(letter.slice(2), 16);
    const plain = letter.startsWith("\\") ? letter.slice(1) : letter;
    return (letter === plain ? plain : (namedLetters[plain] ?? plain)).codePointAt(0) ?? 0;
  };
  for (let at = 0; at < letters.length; at += 1) {
    const [from = "", sign, to] = letters.slice(at, at + 3);
    if (sign !== "-" || to === undefined) continue;
    if (codeOf(to) < codeOf(from)) fail("ranges that run forwards, as in [a-z]", `[${from}-${to}]`);
    at += 2;
  }
}

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
