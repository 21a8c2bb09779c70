/** Makes grammars: literals, classes, alternatives and repetitions as rules of plain data. Everything is counted, since what is written here comes from strangers. */
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { CharRange, Grammar, GrammarItem, GrammarItems } from "../spec/grammar.ts";
import { prune } from "./prune.ts";

/** Every method gives items that may stand anywhere in an alternative. */
export interface GrammarBuilder {
  /** The text itself. */
  text(text: string): GrammarItems;
  /** One code point: `"a"`, `"a-z"`, or a range of numbers. */
  chars(...ranges: readonly (string | CharRange)[]): GrammarItems;
  /** @param hint of the rule's name, for those who read the grammar */
  either(hint: string, alternatives: readonly GrammarItems[]): GrammarItems;
  maybe(hint: string, items: GrammarItems): GrammarItems;
  /** The items under one name: what stands in several places is written once. */
  rule(hint: string, items: GrammarItems): GrammarItems;
  /** @param max absent: without end */
  repeat(hint: string, items: GrammarItems, min: number, max?: number): GrammarItems;
  /** A rule that is spoken of before it is made: for what contains itself. */
  later(hint: string): { readonly items: GrammarItems; readonly set: (alternatives: readonly GrammarItems[]) => void };
  /** A rule that is made once, with its first use. */
  once(name: string, make: () => readonly GrammarItems[]): GrammarItems;
  /** @throws SpellError run-option */
  fail(problem: string, path?: string): never;
  /** @throws SpellError run-option where nothing finite can be written, or a rule begins with itself */
  finish(alternatives: readonly GrammarItems[]): Grammar;
}

/** @param where the option that says what is built: "jsonSchema", "tools[0].inputSchema" */
export function createGrammarBuilder(where: string): GrammarBuilder {
  const rules = new Map<string, readonly GrammarItems[]>();
  /** Rules whose text may be empty. One that is not made yet counts as none: it would begin with itself. */
  const nullable = new Set<string>();
  const made = new Map<string, GrammarItems>();
  const letters = new Map<string, GrammarItem>();
  let [size, count, read] = [0, 0, 0];

  const fail = (problem: string, path = ""): never => {
    throw new SpellError("run-option", `${where}${path}: ${problem}`, { where: `${where}${path}` });
  };
  const fresh = (hint: string): string => {
    const word = hint
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-|-$/g, "")
      .slice(0, 24);
    return `${word || "r"}-${count++}`;
  };
  const isEmpty = (items: GrammarItems): boolean => items.every((item) => "rule" in item && nullable.has(item.rule));
  const add = (name: string, alternatives: readonly GrammarItems[]): GrammarItems => {
    size += alternatives.reduce((sum, items) => sum + items.length + 1, 0);
    if (rules.size >= limits.grammarRules || size > limits.grammarItems)
      fail(`expected a form of at most ${limits.grammarRules} rules and ${limits.grammarItems} letters, got more`);
    rules.set(name, alternatives);
    if (alternatives.some(isEmpty)) nullable.add(name);
    return [{ rule: name }];
  };

  /** Alternatives that begin alike share their beginning: fewer places at once where the answer may stand. */
  const factored = (alternatives: readonly GrammarItems[]): readonly GrammarItems[] => {
    const groups = new Map<string, GrammarItems[]>();
    for (const items of alternatives) {
      const key = keyOf(items[0]);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [items]);
      else group.push(items);
    }
    return [...groups.values()].map((group) => {
      const [first = []] = group;
      if (group.length === 1 || first.length === 0) return first;
      let length = 1;
      while (length < first.length && group.every((items) => isSame(items[length], first[length]))) length += 1;
      return [
        ...first.slice(0, length),
        ...either(
          "rest",
          group.map((items) => items.slice(length)),
        ),
      ];
    });
  };
  const either = (hint: string, alternatives: readonly GrammarItems[]): GrammarItems => {
    const [first, ...others] = alternatives;
    if (first !== undefined && others.length === 0) return first;
    const shared = factored(alternatives);
    return shared.length === 1 && shared[0] !== undefined ? shared[0] : add(fresh(hint), shared);
  };
  const maybe = (hint: string, items: GrammarItems): GrammarItems => (items.length === 0 ? [] : add(fresh(hint), [items, []]));

  return {
    text(text) {
      read += text.length;
      if (read > limits.grammarLiterals) fail(`expected texts of at most ${limits.grammarLiterals} letters in all, got more`);
      return Array.from(text, (letter) => {
        const code = letter.codePointAt(0) ?? 0;
        const item = letters.get(letter) ?? { chars: [[code, code]] };
        letters.set(letter, item);
        return item;
      });
    },
    chars: (...ranges) => [{ chars: ranges.map((range) => (typeof range === "string" ? rangeOf(range) : range)) }],
    either,
    maybe,
    rule: (hint, items) => (items.length < 2 ? items : add(fresh(hint), [items])),
    repeat(hint, items, min, max) {
      if (items.length === 0 || max === 0) return [];
      const isMany = min > 1 || (max ?? 2) > 1;
      if (isMany && isEmpty(items)) fail("what may be empty cannot be repeated");
      // Else lists within lists within lists grow as a product.
      const unit = isMany && items.length > 1 ? add(fresh(hint), [items]) : items;
      const head = Array.from({ length: min }, () => unit).flat();
      if (max === undefined) {
        const name = fresh(hint);
        return [...head, ...add(name, [[...unit, { rule: name }], []])];
      }
      let tail: GrammarItems = [];
      for (let left = max - min; left > 0; left -= 1) tail = maybe(hint, [...unit, ...tail]);
      return [...head, ...tail];
    },
    later(hint) {
      const name = fresh(hint);
      return { items: [{ rule: name }], set: (alternatives) => void add(name, alternatives) };
    },
    once(name, make) {
      const known = made.get(name);
      if (known !== undefined) return known;
      const items: GrammarItems = [{ rule: name }];
      made.set(name, items);
      add(name, make());
      return items;
    },
    fail,
    finish(alternatives) {
      const root = "document";
      add(root, alternatives);
      const grammar = prune({ root, rules: Object.fromEntries(rules) });
      if (grammar === undefined) return fail("expected a form that an answer can have, got one without a finite answer");
      if (beginsWithItself(grammar)) fail("expected something between a form and itself within it, got nothing");
      return grammar;
    },
  };
}

/** @param range "a" or "a-z" */
function rangeOf(range: string): CharRange {
  const from = range.charCodeAt(0);
  return [from, range.length === 3 ? range.charCodeAt(2) : from];
}

function isSame(a: GrammarItem | undefined, b: GrammarItem | undefined): boolean {
  return a === b || keyOf(a) === keyOf(b);
}

function keyOf(item: GrammarItem | undefined): string {
  if (item === undefined) return "";
  return "rule" in item ? item.rule : `[${item.chars.join(" ")}`;
}

/** Left recursion, which llama.cpp refuses and a matcher would follow without end. Rules that begin with nothing but finished ones are taken away until none is left. */
function beginsWithItself({ rules }: Grammar): boolean {
  const empty = emptyRules(rules);
  const firsts = new Map<string, Set<string>>();
  const users = new Map<string, string[]>();
  for (const [name, alternatives] of Object.entries(rules)) {
    const first = new Set<string>();
    for (const items of alternatives) {
      for (const item of items) {
        if (!("rule" in item)) break;
        first.add(item.rule);
        if (!empty.has(item.rule)) break;
      }
    }
    firsts.set(name, first);
    for (const other of first) users.set(other, [...(users.get(other) ?? []), name]);
  }
  const open = [...firsts].filter(([, first]) => first.size === 0).map(([name]) => name);
  let finished = 0;
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    finished += 1;
    for (const user of users.get(name) ?? []) {
      const first = firsts.get(user);
      if (first?.delete(name) === true && first.size === 0) open.push(user);
    }
  }
  return finished < firsts.size;
}

/** Rules whose text may be empty. */
function emptyRules(rules: Grammar["rules"]): ReadonlySet<string> {
  const empty = new Set<string>();
  const lists = Object.entries(rules);
  for (let before = -1; before < empty.size; ) {
    before = empty.size;
    for (const [name, alternatives] of lists) {
      if (empty.has(name)) continue;
      if (alternatives.some((items) => items.every((item) => "rule" in item && empty.has(item.rule)))) empty.add(name);
    }
  }
  return empty;
}
