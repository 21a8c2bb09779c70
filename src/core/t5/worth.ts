/**
 * Whether a draft pays, measured as it goes: what guesses cost and how many are right, in passes of the model without any. Kept from one answer to the
 * next, so that a draft that does not pay is tried seldom and takes next to no time.
 */

import { median } from "../values.ts";

/** Passes without guesses whose median is the usual one; other programs make some of them late. */
const usualPasses = 9;
/** Passes without guesses before the first one with some. */
const leastPasses = 3;
/** What a guess costs until it is measured: making it, and checking it beside others. */
const assumedCost = 0.35;
/** A pass that takes more than this many times what was to be expected waited for another program: the rest of it says nothing of guesses. */
const late = 2;
/** Passes that a trial may lose. */
const mostLost = 2;
/** Passes gained that may be lost again, before a draft that paid counts as one that does not. */
const mostSaved = 4;
/** Tokens without guesses after a trial that failed; twice as many after the next. */
const firstRest = 128;
const longestRest = 4096;
/** Passes with guesses in a row, after which one without says anew what that takes. */
const mostInARow = 32;

export interface Worth {
  /** Asked before guesses are made. @returns how many may be made, 0 while there are to be none */
  affords(): number;
  /** How long a pass for one token took. */
  plain(ms: number): void;
  /** How long making and checking guesses took, and how many of them were right. */
  told(guessed: number, right: number, ms: number): void;
}

export function createWorth(): Worth {
  const passes: number[] = [];
  let cost = assumedCost;
  /** in passes, of this trial */
  let saved = 0;
  let inARow = 0;
  let rest = 0;
  let nextRest = firstRest;
  return {
    affords() {
      if (rest > 0 || passes.length < leastPasses || inARow >= mostInARow) return 0;
      return Math.floor((saved + mostLost) / cost);
    },
    plain(ms) {
      passes.push(ms);
      if (passes.length > usualPasses) passes.shift();
      inARow = 0;
      rest = Math.max(0, rest - 1);
    },
    told(guessed, right, ms) {
      inARow += 1;
      const spent = Math.min(ms / median(passes), late * (1 + cost * guessed));
      cost = (cost + Math.max(0.05, (spent - 1) / guessed)) / 2;
      saved = Math.min(mostSaved, saved + 1 + right - spent);
      if (saved === mostSaved) nextRest = firstRest;
      if (saved + mostLost >= cost) return;
      saved = 0;
      rest = nextRest;
      nextRest = Math.min(longestRest, 2 * nextRest);
    },
  };
}
