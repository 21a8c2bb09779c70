/**
 * Holds the answer of an encoder-decoder to a grammar. T5's vocabulary has no braces: where the grammar wants one and the token's own text does not fit, another
 * token stands for it. The model reads its token, the text gets the letter. Most choices fit as they are, so ids are tried from the best down, and all of the
 * vocabulary is looked at only where the first few were wrong.
 */
import { SpellError } from "../errors.ts";
import { createMatcher, type Matcher, type MatchState } from "../grammar/matcher.ts";
import { prune } from "../grammar/prune.ts";
import type { CharRange, Constraint } from "../spec/grammar.ts";

/** Letters that a vocabulary may lack, and those whose token stands for them. */
const standIns: readonly (readonly [wanted: string, token: string])[] = [
  ["{", "("],
  ["}", ")"],
  ["[", "("],
  ["]", ")"],
];
/** Ids that are tried before all of them are looked at. */
const guesses = 6;
/** States whose allowed ids are remembered. */
const keptMasks = 256;

interface TrieNode {
  readonly next: Map<number, TrieNode>;
  readonly ids: number[];
}

/** What a vocabulary can write. Made once for each model. */
export interface Vocabulary {
  /** of each id; "" writes nothing */
  readonly texts: readonly string[];
  readonly trie: TrieNode;
  /** code points with a token of their own */
  readonly letters: ReadonlySet<number>;
  /** wanted code point → the one whose token stands for it */
  readonly aliases: readonly (readonly [wanted: number, token: number])[];
}

/** @param texts what each id writes; "" for those that may not be written */
export function createVocabulary(texts: readonly string[]): Vocabulary {
  const trie: TrieNode = { next: new Map(), ids: [] };
  const letters = new Set<number>();
  for (const [id, text] of texts.entries()) {
    if (text === "") continue;
    let node = trie;
    const codes = Array.from(text, codeOf);
    if (codes.length === 1 && codes[0] !== undefined) letters.add(codes[0]);
    for (const code of codes) {
      const known = node.next.get(code) ?? { next: new Map(), ids: [] };
      node.next.set(code, known);
      node = known;
    }
    node.ids.push(id);
  }
  const aliases = standIns
    .map(([wanted, token]) => [codeOf(wanted), codeOf(token)] as const)
    .filter(([wanted, token]) => !letters.has(wanted) && letters.has(token));
  return { texts, trie, letters, aliases };
}

function codeOf(letter: string): number {
  return letter.codePointAt(0) ?? 0;
}

/** One answer on its way. */
export interface HeldAnswer {
  /** Whether this id may come next; an end token where the text is whole. */
  fits(id: number): boolean;
  /** Takes scores from all ids that may not come next, in place. */
  restrict(scores: Float32Array): void;
  /** @returns the text that the id writes, stand-ins resolved */
  push(id: number): string;
}

/** Answers of one form: what they share is made once. @throws SpellError run-option where the vocabulary cannot write any of them */
export function holdAnswers(held: Constraint, vocabulary: Vocabulary, endIds: ReadonlySet<number>): () => HeldAnswer {
  if (held.kind === "grammar")
    throw new SpellError("run-option", "grammar: expected none; T5 models take jsonSchema, choices or regex", { where: "grammar" });
  const { letters, aliases, texts, trie } = vocabulary;
  const writable = writableLetters(new Set([...letters, ...aliases.map(([wanted]) => wanted)]));
  const grammar = prune(held.grammar, writable);
  const missing =
    held.kind === "choices"
      ? held.choices.find((text) => Array.from(text, codeOf).some((code) => writable([[code, code]]).length === 0))
      : undefined;
  if (grammar === undefined || missing !== undefined) {
    const what = missing === undefined ? "any answer of this form" : JSON.stringify(missing.slice(0, 60));
    throw new SpellError("run-option", `${held.kind}: the vocabulary of this model lacks letters to write ${what}`, { where: held.kind });
  }
  const matcher = createMatcher(grammar);
  const masks = new Map<MatchState, Uint8Array>();

  const maskOf = (state: MatchState): Uint8Array => {
    const known = masks.get(state);
    if (known !== undefined) return known;
    const mask = new Uint8Array(texts.length);
    const open: (readonly [TrieNode, MatchState])[] = [[trie, state]];
    for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
      const [node, at] = pair;
      for (const id of node.ids) mask[id] = 1;
      for (const [code, to] of node.next) {
        const then = stepTo(matcher, at, code, aliases);
        if (then !== undefined) open.push([to, then.state]);
      }
    }
    if (masks.size >= keptMasks) masks.clear();
    masks.set(state, mask);
    return mask;
  };
  const start = (): HeldAnswer => {
    let state = matcher.start;
    let isFirst = true;
    /** The space before the first word is no part of the text, as tokenizers have it. */
    const written = (id: number): string => {
      const text = texts[id] ?? "";
      return isFirst && text.length > 1 && text.startsWith(" ") && matcher.step(state, 0x20) === undefined ? text.slice(1) : text;
    };
    const take = (id: number): { readonly state: MatchState; readonly text: string } | undefined => {
      let at = state;
      let text = "";
      for (const letter of written(id)) {
        const then = stepTo(matcher, at, codeOf(letter), aliases);
        if (then === undefined) return undefined;
        at = then.state;
        text += String.fromCodePoint(then.code);
      }
      return { state: at, text };
    };
    const fits = (id: number): boolean => (endIds.has(id) ? state.mayEnd : (texts[id] ?? "") !== "" && take(id) !== undefined);
    return {
      fits,
      restrict(scores) {
        if (isFirst) {
          for (let id = 0; id < scores.length; id += 1) if (!fits(id)) scores[id] = Number.NEGATIVE_INFINITY;
          return;
        }
        const mask = maskOf(state);
        for (let id = 0; id < scores.length; id += 1)
          if (mask[id] !== 1 && !(state.mayEnd && endIds.has(id))) scores[id] = Number.NEGATIVE_INFINITY;
      },
      push(id) {
        if (endIds.has(id)) return "";
        const taken = take(id);
        if (taken === undefined)
          throw new SpellError("internal-error", `a token that does not fit was chosen: ${JSON.stringify(texts[id])}`);
        isFirst = false;
        state = taken.state;
        return taken.text;
      },
    };
  };
  return start;
}

/** The best id that fits, in a row of scores that is left as it is. */
export function bestThatFits(scores: Float32Array, held: HeldAnswer, best: (scores: Float32Array) => number): number {
  const row = scores.slice();
  for (let n = 0; n < guesses; n += 1) {
    const id = best(row);
    if (held.fits(id)) return id;
    row[id] = Number.NEGATIVE_INFINITY;
  }
  held.restrict(row);
  return best(row);
}

/** One letter of a token; where it does not fit, what it stands for. */
function stepTo(
  matcher: Matcher,
  state: MatchState,
  code: number,
  aliases: Vocabulary["aliases"],
): { readonly state: MatchState; readonly code: number } | undefined {
  const plain = matcher.step(state, code);
  if (plain !== undefined) return { state: plain, code };
  for (const [wanted, token] of aliases) {
    const then = token === code ? matcher.step(state, wanted) : undefined;
    if (then !== undefined) return { state: then, code: wanted };
  }
  return undefined;
}

/** Of ranges, the parts whose letters all can be written. */
function writableLetters(codes: ReadonlySet<number>): (chars: readonly CharRange[]) => readonly CharRange[] {
  const runs: [number, number][] = [];
  for (const code of [...codes].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === code - 1) last[1] = code;
    else runs.push([code, code]);
  }
  const kept = new Map<readonly CharRange[], readonly CharRange[]>();
  return (chars) => {
    const known =
      kept.get(chars) ??
      chars.flatMap(([from, to]) =>
        runs.filter(([a, z]) => a <= to && z >= from).map(([a, z]): CharRange => [Math.max(a, from), Math.min(z, to)]),
      );
    kept.set(chars, known);
    return known;
  };
}
