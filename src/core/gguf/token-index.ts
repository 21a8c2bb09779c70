/** The tokens of a vocabulary by their text, without making a string of each: a hash table of token ids. */
import { emptyHash, type GgufStringArray, hashText } from "./string-array.ts";

export interface TokenIndex {
  /** @returns the id of the token with this text, never that of an empty one */
  find(text: string): number | undefined;
}

/** What is wrong with a vocabulary: two equal tokens, or tokens made so that finding one takes forever. */
export type TokenProblem = { readonly equal: readonly [id: number, other: number] } | { readonly crowded: true };

/**
 * Empty tokens are left out and may be equal.
 * @returns the index, or the first problem
 */
export function indexTokens(tokens: GgufStringArray): TokenIndex | TokenProblem {
  const hashes = tokens.hashes();
  // At most half full: a place is found in two steps on average.
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * hashes.length + 1)));
  const mask = slots.length - 1;
  const first = (hash: number): number => (hash ^ (hash >>> 15)) & mask;
  /** Steps beyond the first that all tokens together may take. Those of real vocabularies take less than one each. */
  let steps = 8 * hashes.length;
  /** Different tokens of one hash. A million tokens have some hundred by chance. */
  let clashes = 1024;
  for (let id = 0; id < hashes.length; id++) {
    const hash = hashes[id] ?? emptyHash;
    if (hash === emptyHash) continue;
    let slot = first(hash);
    // A slot holds an id and one, so that 0 is a free one.
    for (let taken = slots[slot] ?? 0; taken !== 0; taken = slots[slot] ?? 0) {
      const other = taken - 1;
      if (hashes[other] === hash) {
        if (tokens.at(other) === tokens.at(id)) return { equal: [other, id] };
        clashes -= 1;
      }
      steps -= 1;
      if (steps < 0 || clashes < 0) return { crowded: true };
      slot = (slot + 1) & mask;
    }
    slots[slot] = id + 1;
  }
  return {
    find(text) {
      const hash = hashText(text);
      let slot = first(hash);
      for (let taken = slots[slot] ?? 0; taken !== 0; taken = slots[slot] ?? 0) {
        if (hashes[taken - 1] === hash && tokens.at(taken - 1) === text) return taken - 1;
        slot = (slot + 1) & mask;
      }
      return undefined;
    },
  };
}
