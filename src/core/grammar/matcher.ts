/**
 * Walks a grammar over code points. States are interned: equal sets of places are one object, so a state is a key for caches, and the walk becomes a table
 * that fills itself. A stack is a linked list of places, innermost first.
 */
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Grammar, GrammarItems } from "../spec/grammar.ts";

/** Where a text stands in the grammar. */
export interface MatchState {
  /** the text may end here */
  readonly mayEnd: boolean;
}

export interface Matcher {
  readonly start: MatchState;
  /** @returns the state after one code point, or undefined where it may not stand here */
  step(state: MatchState, code: number): MatchState | undefined;
  /** The state after a text. */
  walk(state: MatchState, text: string): MatchState | undefined;
  /** Whether this is a whole text of the grammar. */
  accepts(text: string): boolean;
  /** Code points at which what may follow can change: the first of each range that may come next. */
  edges(state: MatchState): readonly number[];
}

interface Place {
  readonly id: number;
  /** the alternative it is in: "rule/2" */
  readonly name: string;
  readonly items: GrammarItems;
  readonly index: number;
  readonly parent: Place | undefined;
  readonly depth: number;
}

interface State extends MatchState {
  readonly places: readonly Place[];
  readonly next: Map<number, State | undefined>;
}

export function createMatcher({ root, rules }: Grammar): Matcher {
  const places = new Map<string, Place>();
  const states = new Map<string, State>();
  let count = 0;

  /** The place before an item; behind the last one it is that of the parent: lists do not grow a stack. */
  const placeAt = (name: string, items: GrammarItems, index: number, parent: Place | undefined): Place | undefined => {
    if (index >= items.length) return parent;
    const key = `${name}/${index}/${parent?.id ?? 0}`;
    const known = places.get(key);
    if (known !== undefined) return known;
    count += 1;
    const place: Place = { id: count, name, items, index, parent, depth: (parent?.depth ?? 0) + 1 };
    places.set(key, place);
    return place;
  };

  /** All places where a code point is read next, reachable without reading one. */
  const close = (open: (Place | undefined)[]): State => {
    const seen = new Set<Place>();
    const found: Place[] = [];
    let mayEnd = false;
    for (let at = 0; at < open.length; at += 1) {
      const place = open[at];
      if (place === undefined) mayEnd = true;
      else if (!seen.has(place) && place.depth <= limits.grammarDepth) {
        seen.add(place);
        const item = place.items[place.index];
        if (item === undefined) continue;
        if ("chars" in item) {
          found.push(place);
          continue;
        }
        const after = placeAt(place.name, place.items, place.index + 1, place.parent);
        for (const [n, items] of (rules[item.rule] ?? []).entries()) open.push(placeAt(`${item.rule}/${n}`, items, 0, after));
      }
    }
    if (found.length > limits.grammarPlaces)
      throw new SpellError("run-option", "the form of the answer can be read in too many ways at once");
    found.sort((a, b) => a.id - b.id);
    const key = `${mayEnd}${found.map(({ id }) => id).join()}`;
    const known = states.get(key);
    if (known !== undefined) return known;
    if (states.size >= limits.grammarStates) {
      // A long text: the tables begin anew. Numbers stay unique, so older states stay right.
      states.clear();
      places.clear();
    }
    const state: State = { places: found, mayEnd, next: new Map() };
    states.set(key, state);
    return state;
  };

  const step = (state: MatchState, code: number): State | undefined => {
    const { next, places: here } = state as State;
    if (next.has(code)) return next.get(code);
    const open: (Place | undefined)[] = [];
    for (const place of here) {
      const item = place.items[place.index];
      if (item === undefined || !("chars" in item) || !item.chars.some(([from, to]) => from <= code && code <= to)) continue;
      open.push(placeAt(place.name, place.items, place.index + 1, place.parent));
    }
    const to = open.length === 0 ? undefined : close(open);
    next.set(code, to);
    return to;
  };
  const walk = (state: MatchState, text: string): MatchState | undefined => {
    let at: MatchState | undefined = state;
    for (const letter of text) {
      at = step(at, letter.codePointAt(0) ?? 0);
      if (at === undefined) return undefined;
    }
    return at;
  };
  const start = close((rules[root] ?? []).map((items, n) => placeAt(`${root}/${n}`, items, 0, undefined)));
  return {
    start,
    step,
    walk,
    accepts: (text) => walk(start, text)?.mayEnd === true,
    edges(state) {
      const codes = (state as State).places.flatMap((place) => {
        const item = place.items[place.index];
        return item !== undefined && "chars" in item ? item.chars.flatMap(([from, to]) => [from, to + 1]) : [];
      });
      return [...new Set(codes)];
    },
  };
}

/** Whether every text of one grammar is one of the other. Only for small ones; false where that is too much to say. */
export function isWithin(inner: Grammar, outer: Grammar): boolean {
  const [a, b] = [createMatcher(inner), createMatcher(outer)];
  const seen = new Map<MatchState, Set<MatchState>>();
  const open: (readonly [MatchState, MatchState])[] = [[a.start, b.start]];
  let pairs = 0;
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [left, right] = pair;
    const known = seen.get(left) ?? new Set();
    if (known.has(right)) continue;
    seen.set(left, known.add(right));
    pairs += 1;
    if (pairs > limits.grammarPairs || (left.mayEnd && !right.mayEnd)) return false;
    for (const code of new Set([...a.edges(left), ...b.edges(right)])) {
      const next = a.step(left, code);
      if (next === undefined) continue;
      const other = b.step(right, code);
      if (other === undefined) return false;
      open.push([next, other]);
    }
  }
  return true;
}
