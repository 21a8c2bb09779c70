/**
 * Holds the answers of an encoder-decoder to a grammar, token by token. Which tokens may come next is found by trying the likeliest first; only where
 * too few of them fit is the vocabulary, as a trie of its texts, walked beside the grammar, once for each state.
 *
 * A vocabulary of T5 has no { } \ < ~ and no line break, so no choice of tokens writes JSON. Where the grammar wants such a letter and the token's own
 * text does not fit, another stands in for it: the model reads its token, the text gets the letter.
 */
import { SpellError } from "../errors.ts";
import { createMatcher, type MatchState } from "../grammar/matcher.ts";
import { prune } from "../grammar/prune.ts";
import { largest } from "../sampling.ts";
import type { CharRange, Constraint, Grammar } from "../spec/grammar.ts";
import type { StreamDecoder } from "../text/stream-decoder.ts";

/** Letter that may be wanting → letter whose token then writes it. */
const standIns = { "{": "(", "}": ")", "[": "(", "]": ")" };
/** Likeliest tokens that are tried before the whole vocabulary is. */
const firstTries = 6;
/** States whose tokens are kept. */
const mostMasks = 512;

/** What the tokens of a model write. Made once for each model. */
export interface Vocabulary {
  /** text of each id, "" for those that write none */
  readonly texts: readonly string[];
  readonly trie: TrieNode;
  /** code points: the token of `have` writes `want` too */
  readonly aliases: readonly { readonly want: number; readonly have: number }[];
  /** code points that can be written anywhere, in order */
  readonly letters: readonly number[];
}

interface TrieNode {
  readonly next: Map<number, TrieNode>;
  readonly ids: number[];
}

/** The answers of a model to one grammar. */
export interface Hold {
  /** One answer: as tokens are chosen. */
  choose(): AnswerHold;
  /** One answer: as its text is written. */
  createDecoder(): StreamDecoder;
  /** A text of the form in letters of the vocabulary. */
  spell(text: string): string;
}

export interface AnswerHold {
  /**
   * @param scores of the next token
   * @param produced start token first; any earlier answer may be taken back
   * @returns the scores of allowed tokens, −∞ for others: of the best `count` at least. Valid until the next call.
   */
  allow(scores: Float32Array, produced: readonly number[], count: number): Float32Array;
}

/** @param texts text of each id, "" for those that are never to come */
export function createVocabulary(texts: readonly string[]): Vocabulary {
  const trie: TrieNode = { next: new Map(), ids: [] };
  const own = new Set<number>();
  for (const [id, text] of texts.entries()) {
    if (text === "") continue;
    let node = trie;
    const codes = codesOf(text);
    for (const code of codes) {
      const to = node.next.get(code) ?? { next: new Map(), ids: [] };
      node.next.set(code, to);
      node = to;
    }
    node.ids.push(id);
    if (codes.length === 1) own.add(codes[0] as number);
  }
  const aliases = Object.entries(standIns)
    .map(([want, have]) => ({ want: want.codePointAt(0) as number, have: have.codePointAt(0) as number }))
    .filter(({ want, have }) => !own.has(want) && own.has(have));
  const letters = [...own, ...aliases.map(({ want }) => want)].sort((a, b) => a - b);
  return { texts, trie, aliases, letters };
}

/** @throws SpellError run-option where the vocabulary cannot write any answer of the form, or one of the choices */
export function createHold(vocabulary: Vocabulary, constraint: Constraint, endIds: ReadonlySet<number>): Hold {
  const { kind } = constraint;
  if (constraint.kind === "grammar")
    throw new SpellError("run-option", "grammar: expected none; T5 models take jsonSchema, choices or regex", { where: kind });
  const { grammar } = constraint;
  const choices = constraint.kind === "choices" ? constraint.choices : [];
  const { texts, trie, aliases, letters } = vocabulary;
  const isWritable = (chars: readonly CharRange[]): boolean =>
    chars.some(([from, to]) => (letters[place(letters, from)] ?? Infinity) <= to);
  const lost = choices.find((text) => !codesOf(text).every((code) => isWritable([[code, code]])));
  // A letter of a range is enough to go on, so ranges stay whole: longer tokens may hold their other letters.
  const writable = lost === undefined ? prune(grammar, (chars) => (isWritable(chars) ? chars : [])) : undefined;
  if (writable === undefined) throw unwritable(kind, grammar, isWritable, lost);
  const matcher = createMatcher(writable);
  const masks = new Map<MatchState, readonly number[]>();

  /** What a token writes at a state, and the state after it. */
  const take = (state: MatchState, text: string): { readonly state: MatchState; readonly text: string } | undefined => {
    let at = state;
    let written = "";
    for (const letter of text) {
      const code = letter.codePointAt(0) as number;
      let next = matcher.step(at, code);
      let shown = letter;
      for (const { want, have } of aliases) {
        if (next !== undefined) break;
        if (have !== code) continue;
        next = matcher.step(at, want);
        shown = String.fromCodePoint(want);
      }
      if (next === undefined) return undefined;
      at = next;
      written += shown;
    }
    return { state: at, text: written };
  };
  /** The first token of an answer begins a word, as every first token the model has learned: its space is left out where it does not fit. */
  const write = (state: MatchState, id: number, isFirst: boolean): ReturnType<typeof take> => {
    const text = texts[id] ?? "";
    if (text === "") return undefined;
    const whole = take(state, text);
    return whole === undefined && isFirst && text.length > 1 && text.startsWith(" ") ? take(state, text.slice(1)) : whole;
  };
  const fits = (state: MatchState, id: number, isFirst: boolean): boolean =>
    endIds.has(id) ? state.mayEnd : write(state, id, isFirst) !== undefined;

  /** All ids that may come at a state. */
  const maskOf = (state: MatchState, isFirst: boolean): readonly number[] => {
    const known = isFirst ? undefined : masks.get(state);
    if (known !== undefined) return known;
    const allowed: number[] = [];
    const walk = (node: TrieNode, at: MatchState): void => {
      allowed.push(...node.ids);
      for (const [code, to] of node.next) {
        const own = matcher.step(at, code);
        if (own !== undefined) walk(to, own);
        else {
          const stands = aliases.find(({ want, have }) => have === code && matcher.step(at, want) !== undefined);
          const next = stands === undefined ? undefined : matcher.step(at, stands.want);
          if (next !== undefined) walk(to, next);
        }
      }
    };
    walk(trie, state);
    const space = isFirst ? trie.next.get(0x20) : undefined;
    if (space !== undefined) walk({ next: space.next, ids: [] }, state);
    if (state.mayEnd) allowed.push(...endIds);
    if (isFirst) return [...new Set(allowed)];
    if (masks.size >= mostMasks) masks.clear();
    masks.set(state, allowed);
    return allowed;
  };

  return {
    spell: (text) => Array.from(text, (letter) => standIn(aliases, letter)).join(""),
    choose() {
      let row = new Float32Array(0);
      /** states after each of `ids` */
      let ids: number[] = [];
      let states: MatchState[] = [];
      const stateAfter = (produced: readonly number[]): MatchState => {
        let same = 0;
        while (same < ids.length && ids[same] === produced[same]) same += 1;
        ids = [...produced];
        states = states.slice(0, same);
        for (let at = same; at < produced.length; at += 1) {
          const before = states[at - 1];
          const next = before === undefined ? matcher.start : write(before, produced[at] as number, at === 1)?.state;
          if (next === undefined) throw new SpellError("internal-error", "an answer left its form");
          states.push(next);
        }
        return states.at(-1) ?? matcher.start;
      };
      return {
        allow(scores, produced, count) {
          const state = stateAfter(produced);
          const isFirst = produced.length === 1;
          if (row.length !== scores.length) row = new Float32Array(scores.length);
          row.fill(Number.NEGATIVE_INFINITY);
          let found = 0;
          for (const id of likeliest(scores, count)) {
            if (!fits(state, id, isFirst)) continue;
            row[id] = scores[id] as number;
            found += 1;
          }
          if (found >= count) return row;
          const allowed = maskOf(state, isFirst);
          if (allowed.length === 0) throw new SpellError("run-form", "the answer cannot go on in its form");
          for (const id of allowed) if (id < row.length) row[id] = scores[id] as number;
          return row;
        },
      };
    },
    createDecoder() {
      let state = matcher.start;
      let isFirst = true;
      return {
        push(id) {
          const next = write(state, id, isFirst);
          isFirst = false;
          if (next === undefined) throw new SpellError("internal-error", "an answer left its form");
          state = next.state;
          return next.text;
        },
        flush: () => "",
      };
    },
  };
}

function standIn(aliases: Vocabulary["aliases"], letter: string): string {
  const alias = aliases.find(({ want }) => want === letter.codePointAt(0));
  return alias === undefined ? letter : String.fromCodePoint(alias.have);
}

/** None where so many are wanted that the whole vocabulary is as near. */
function likeliest(scores: Float32Array, count: number): readonly number[] {
  const tries = Math.max(firstTries, 2 * count);
  return tries >= scores.length / 4 ? [] : largest(scores, tries);
}

function unwritable(
  where: string,
  grammar: Grammar,
  isWritable: (chars: readonly CharRange[]) => boolean,
  lost: string | undefined,
): SpellError {
  const wanted =
    lost === undefined
      ? Object.values(grammar.rules).flatMap((alternatives) => alternatives.flat().flatMap((item) => ("chars" in item ? [item.chars] : [])))
      : codesOf(lost).map((code): readonly CharRange[] => [[code, code]]);
  const missing = new Set(wanted.filter((chars) => !isWritable(chars)).map(([range]) => String.fromCodePoint(range?.[0] ?? 0)));
  const shown = [...missing].slice(0, 5).map((letter) => JSON.stringify(letter));
  const what = lost === undefined ? "a form" : JSON.stringify(lost.slice(0, 80));
  return new SpellError("run-option", `${where}: expected ${what} in letters that the model's vocabulary has, got ${shown.join(", ")}`, {
    where,
  });
}

/** @returns where the first number of a sorted list is that is at least `least` */
function place(list: readonly number[], least: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as number) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

function codesOf(text: string): readonly number[] {
  return Array.from(text, (letter) => letter.codePointAt(0) as number);
}
