/** How many ways lead from one place of a GBNF grammar to its next letters: llama.cpp follows them all, and at each letter again. */
import { limits } from "../limits.ts";
import type { Grammar } from "../spec/grammar.ts";
import type { GbnfWord } from "./gbnf-words.ts";

type Node =
  | { readonly kind: "letter" | "nothing" }
  | { readonly kind: "rule"; readonly name: string }
  | { readonly kind: "oneOf"; readonly all: readonly (readonly Node[])[] }
  | { readonly kind: "repeated"; readonly node: Node; readonly least: number; readonly most: number };

/** Of what stands at one place. */
interface Ways {
  /** to a letter */
  readonly letters: number;
  /** past it, without a letter */
  readonly past: number;
  /** empty items on the longest way */
  readonly empty: number;
  /** rules within rules */
  readonly nested: number;
}

const none: Ways = { letters: 0, past: 0, empty: 0, nested: 0 };
const most = 1e9;
const nothing: Ways = { letters: 0, past: 1, empty: 0, nested: 0 };
/** Rules within rules at one place; each is a call of llama.cpp within a call. */
const mostNested = 2 * limits.gbnfDepth;
type Rules = ReadonlyMap<string, readonly (readonly Node[])[]>;
type Fail = (expected: string, got: string) => never;

/** @param fail refuses it; what is no GBNF is left to llama.cpp, which says so */
export function checkWays(words: readonly GbnfWord[], fail: Fail): void {
  const rules = rulesOf(words);
  if (rules !== undefined) checkRules(rules, limits.gbnfWays, fail);
}

/** Whether llama.cpp would be slow to hold an answer to what was made here of a schema or a pattern: a row of `a?` has as many ways as its square. */
export function hasManyWays({ rules }: Grammar): boolean {
  const nodes = Object.entries(rules).map(
    ([name, all]) =>
      [
        name,
        all.map((items) => items.map((item): Node => ("rule" in item ? { kind: "rule", name: item.rule } : { kind: "letter" }))),
      ] as const,
  );
  const over = new Error("too many ways");
  try {
    checkRules(new Map(nodes), limits.formWays, () => {
      throw over;
    });
    return false;
  } catch (error) {
    if (error !== over) throw error;
    return true;
  }
}

function checkRules(rules: Rules, mostWays: number, fail: Fail): void {
  const known = new Map<string, Ways>();
  const tooMany = (): never => fail(`at most ${mostWays.toLocaleString("en-US")} ways to a next letter`, "more");
  const tooDeep = (): never => fail(`at most ${mostNested} rules within rules at one place`, "more");

  const ofRule = (name: string, depth: number): Ways => {
    const found = known.get(name);
    if (found !== undefined) return found;
    if (depth > mostNested) return tooDeep();
    // one that begins with itself is refused by llama.cpp
    known.set(name, none);
    const inner = ofAll(rules.get(name) ?? [], depth + 1);
    const ways = { ...inner, nested: inner.nested + 1 };
    if (ways.nested > mostNested) return tooDeep();
    known.set(name, ways);
    return ways;
  };
  const ofAll = (all: readonly (readonly Node[])[], depth: number): Ways =>
    all.map((nodes) => ofSequence(nodes, depth)).reduce(either, none);
  /** No further than the first letter: what stands behind it may be the rule itself. */
  const ofSequence = (nodes: readonly Node[], depth: number): Ways => {
    let ways = nothing;
    for (const node of nodes) {
      ways = behind(ways, ofNode(node, depth));
      check(ways);
      if (ways.past === 0) return ways;
    }
    return ways.letters === 0 && ways.empty === 0 ? { ...ways, empty: 1 } : ways;
  };
  const ofNode = (node: Node, depth: number): Ways => {
    switch (node.kind) {
      case "letter":
        return { letters: 1, past: 0, empty: 0, nested: 0 };
      case "nothing":
        return nothing;
      case "rule":
        return ofRule(node.name, depth);
      case "oneOf":
        return ofAll(node.all, depth + 1);
      case "repeated":
        return ofRepeated(ofNode(node.node, depth), node.least, node.most);
    }
  };
  const check = (ways: Ways): void => {
    if (Math.max(ways.letters, ways.past, 1) * Math.max(ways.empty, 1) > mostWays) tooMany();
  };
  /** From each place on. */
  const checkAll = (all: readonly (readonly Node[])[]): void => {
    for (const nodes of all) {
      let rest = nothing;
      for (const node of nodes.toReversed()) {
        const inner = node.kind === "repeated" ? node.node : node;
        if (inner.kind === "oneOf") checkAll(inner.all);
        rest = behind(ofNode(node, 0), rest);
        check(rest);
      }
    }
  };
  for (const [name, all] of rules) {
    check(ofRule(name, 0));
    checkAll(all);
  }
}

function either(one: Ways, other: Ways): Ways {
  return {
    letters: Math.min(one.letters + other.letters, most),
    past: Math.min(one.past + other.past, most),
    empty: Math.max(one.empty, other.empty),
    nested: Math.max(one.nested, other.nested),
  };
}

function behind(first: Ways, next: Ways): Ways {
  if (first.past === 0) return first;
  return {
    letters: Math.min(first.letters + first.past * next.letters, most),
    past: Math.min(first.past * next.past, most),
    empty: Math.min(first.empty + next.empty, most),
    nested: Math.max(first.nested, next.nested),
  };
}

function ofRepeated(once: Ways, least: number, times: number): Ways {
  const optional = either(once, { letters: 0, past: 1, empty: 1, nested: 0 });
  // behind a letter nothing is at the same place
  if (once.past === 0) return least > 0 ? once : optional;
  let ways = nothing;
  for (let at = 0; at < Math.min(Math.max(least, Number.isFinite(times) ? times : 1), limits.gbnfWays); at += 1)
    ways = behind(ways, at < least ? once : optional);
  return ways;
}

/** @returns undefined for what is no GBNF */
function rulesOf(words: readonly GbnfWord[]): Rules | undefined {
  const rules = new Map<string, readonly (readonly Node[])[]>();
  let all: Node[][] = [];
  const outer: Node[][][] = [];
  for (const word of words) {
    if (word.kind === "space") continue;
    if (word.kind === "name" && word.defines) {
      if (outer.length > 0) return undefined;
      all = [[]];
      rules.set(word.name, all);
      continue;
    }
    const nodes = all.at(-1);
    if (nodes === undefined || word.kind === "other") return undefined;
    if (word.kind === "name") nodes.push({ kind: "rule", name: word.name });
    else if (word.kind === "literal") nodes.push({ kind: word.text === '""' ? "nothing" : "letter" });
    else if (word.kind === "bar") all.push([]);
    else if (word.kind === "opens") {
      outer.push(all);
      all = [[]];
    } else if (word.kind === "closes") {
      const inner: Node = { kind: "oneOf", all };
      const back = outer.pop();
      if (back === undefined) return undefined;
      all = back;
      all.at(-1)?.push(inner);
    } else if (word.kind === "repeat") {
      const node = nodes.pop();
      if (node === undefined) return undefined;
      nodes.push({ kind: "repeated", node, least: word.least, most: word.most });
    } else nodes.push({ kind: "letter" });
  }
  return outer.length === 0 ? rules : undefined;
}
