/**
 * Guesses the next tokens from what followed the same tokens before, in the prompt or in the answer; the engine checks them in one step. Whether guesses are
 * right is watched before any is computed, and what they cost is measured: an answer loses one step or two by them, or gains.
 * Source: Saxena 2023, "Prompt Lookup Decoding".
 */

import { median } from "../../core/values.ts";

/** Tokens that must agree before what followed them is watched. */
const matchTokens = 3;
/** Watched tokens in a row that must have come before the next ones are guessed; free text seldom repeats so many. */
const provenTokens = 4;
/** Most guesses of a step. */
const mostGuesses = 12;
/** What a guess costs beside a step of one token, until it is measured: processors that read weights as fast as they multiply. */
const assumedCost = 0.8;
/** No guess costs much more than a step of its own: where one took longer, the step waited for another program. */
const mostCost = 1.25;
/** Steps whose median is the usual one. */
const usualSteps = 9;
/** Steps that an answer may lose by guesses. */
const mostLost = 1.4;

export interface Guesser {
  /** @returns tokens that may come next, at most as many as asked for; mostly none */
  guess(most: number): readonly number[];
  /** A token came, guessed or not. */
  push(token: number): void;
  /** How long a step took, with so many guesses, of which so many were right. */
  told(guessed: number, right: number, ms: number): void;
}

/**
 * What steps with guesses cost beside those of one token, by the number of guesses: what a model's answers measured. Several cost little more than one where a
 * processor has quicker products for more than one column.
 */
export type GuessCosts = Map<number, number>;

/** What so many guesses cost, by what is known of fewer and of more of them. */
function costOf(costs: GuessCosts, count: number): number {
  const bounds = [...costs].map(([known, cost]) => (known >= count ? cost : (cost * count) / known));
  return bounds.length === 0 ? assumedCost * count : Math.min(...bounds);
}

/**
 * @param prompt tokens before the answer
 * @param costs of the model that answers, for all its answers; they are written here
 */
export function createGuesser(prompt: readonly number[], costs: GuessCosts = new Map()): Guesser {
  const tokens: number[] = [];
  /** where a row of tokens last ended, by a number of the row; should two rows share one, what is watched does not come */
  const ends = new Map<number, number>();
  /** place of the token that would come next, were the past repeated */
  let at: number | undefined;
  let proven = 0;
  /** of the last steps with one token: the usual one counts, other programs make some of them late */
  const oneMs: number[] = [];
  // What other programs made dear before is tried again.
  for (const [count, cost] of costs) costs.set(count, Math.min(cost, assumedCost * count));
  /** in steps of one token */
  let saved = 0;

  const push = (token: number): void => {
    const isRight = at !== undefined && tokens[at] === token;
    proven = isRight ? proven + 1 : 0;
    at = isRight ? (at ?? 0) + 1 : undefined;
    tokens.push(token);
    if (tokens.length < matchTokens) return;
    const row = tokens.slice(-matchTokens).reduce((sum, id) => sum * 131_071 + id, 0);
    const end = ends.get(row);
    ends.set(row, tokens.length);
    at ??= end;
  };
  for (const token of prompt) push(token);
  // a prompt that repeats itself says nothing of its answer
  proven = 0;

  return {
    push,
    guess(most) {
      if (at === undefined || proven < provenTokens || oneMs.length === 0) return [];
      let count = Math.min(most, proven, mostGuesses);
      while (count > 0 && costOf(costs, count) > saved + mostLost) count -= 1;
      return count <= 0 ? [] : tokens.slice(at, at + count);
    },
    told(guessed, right, ms) {
      if (guessed === 0) {
        oneMs.push(ms);
        if (oneMs.length > usualSteps) oneMs.shift();
        return;
      }
      const steps = Math.min(ms / median(oneMs), 1 + mostCost * guessed);
      const cost = Math.max(0.05 * guessed, steps - 1);
      costs.set(guessed, (cost + (costs.get(guessed) ?? cost)) / 2);
      saved += 1 + right - steps;
    },
  };
}
