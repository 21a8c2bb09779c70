/** Takes from a grammar what no text can be made of. */
import type { CharRange, Grammar, GrammarItem, GrammarItems } from "../spec/grammar.ts";

/**
 * Leaves out alternatives that cannot be written to their end, and rules that nothing leads to.
 * @param writable what is left of ranges where only some letters can be written; default: all of them
 * @returns undefined where nothing is left
 */
export function prune({ root, rules }: Grammar, writable?: (chars: readonly CharRange[]) => readonly CharRange[]): Grammar | undefined {
  interface Choice {
    readonly rule: string;
    readonly items: GrammarItems;
    /** rules in it that are not known to end yet */
    open: number;
  }
  const kept = new Map<string, GrammarItems[]>();
  const users = new Map<string, Choice[]>();
  const ready: Choice[] = [];
  for (const [rule, alternatives] of Object.entries(rules)) {
    for (const given of alternatives) {
      const items =
        writable === undefined ? given : given.map((item): GrammarItem => ("chars" in item ? { chars: writable(item.chars) } : item));
      if (items.some((item) => "chars" in item && item.chars.length === 0)) continue;
      const named = new Set(items.flatMap((item) => ("rule" in item ? [item.rule] : [])));
      const choice: Choice = { rule, items, open: named.size };
      for (const name of named) {
        const list = users.get(name);
        if (list === undefined) users.set(name, [choice]);
        else list.push(choice);
      }
      if (choice.open === 0) ready.push(choice);
    }
  }
  for (let choice = ready.pop(); choice !== undefined; choice = ready.pop()) {
    const list = kept.get(choice.rule);
    if (list !== undefined) {
      list.push(choice.items);
      continue;
    }
    kept.set(choice.rule, [choice.items]);
    for (const user of users.get(choice.rule) ?? []) {
      user.open -= 1;
      if (user.open === 0) ready.push(user);
    }
  }
  if (!kept.has(root)) return undefined;
  return { root, rules: reached(root, rules, kept) };
}

/** Rules that the root leads to, their alternatives in the order they were written. */
function reached(root: string, rules: Grammar["rules"], kept: ReadonlyMap<string, readonly GrammarItems[]>): Grammar["rules"] {
  const found = new Set([root]);
  for (const name of found) for (const items of kept.get(name) ?? []) for (const item of items) if ("rule" in item) found.add(item.rule);
  return Object.fromEntries([...found].map((name) => [name, inOrder(kept.get(name) ?? [], rules[name] ?? [])]));
}

function inOrder(kept: readonly GrammarItems[], given: readonly GrammarItems[]): readonly GrammarItems[] {
  const places = new Map(given.map((items, place) => [items, place]));
  return kept.every((items) => places.has(items)) ? [...kept].sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0)) : kept;
}
