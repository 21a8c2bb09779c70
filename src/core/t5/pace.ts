/** How many tokens to guess at once: more where guesses are right, none for a while where they keep failing. */

/** Most guesses in one pass: eight positions cost little more than one where weights are f32 and reading them is the limit. */
const mostGuesses = 7;
/** Tokens without guessing after guesses failed in a row. */
const restTokens = 16;

export interface Pace {
  /** Asked once for each pass. @returns how many guesses to make, 0 while it rests */
  next(): number;
  /** Says how many of the guesses were right. */
  learn(guessed: number, right: number): void;
}

/** @param start guesses of the first pass */
export function createPace(start: number = mostGuesses): Pace {
  let length = Math.min(mostGuesses, start);
  let rest = 0;
  return {
    next() {
      if (rest === 0) return length;
      rest -= 1;
      return 0;
    },
    learn(guessed, right) {
      if (right === guessed) length = Math.min(mostGuesses, length * 2);
      else if (right > 0) length = Math.max(2, right + 1);
      else if (length > 1) length = Math.max(1, length >> 1);
      else {
        rest = restTokens;
        length = 3;
      }
    },
  };
}
