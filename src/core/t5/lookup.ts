/**
 * Prompt-lookup decoding: guesses the next tokens from what followed the same tokens before, in the input or in the answer itself.
 * The model checks all guesses in one pass, so the answer is the one it would have given; only its speed changes.
 * Source: Saxena 2023, "Prompt Lookup Decoding"; checking drafts in one pass: Leviathan et al. 2022 (arXiv 2211.17192).
 */
import { createPace } from "./pace.ts";

/** Ids that must agree before the next ones are guessed; the longer agreement is tried first. */
const matchLengths = [3, 2] as const;

/** Guesses tokens of an answer; whether they are right is for the model to say. */
export interface Guesser {
  /** @returns ids that may come next, at most as many as asked for; often none */
  guess(produced: readonly number[], most: number): Promise<readonly number[]> | readonly number[];
  /** Says how many of the guesses were right, and how long making and checking them took: guessing pauses where it does not pay. */
  learn(guessed: number, right: number, ms: number): void;
  /** Frees what it holds. */
  release(): void;
}

/** @param input encoder ids, without the end token */
export function createLookup(input: readonly number[]): Guesser {
  const pace = createPace();
  return {
    guess(produced, most) {
      const wanted = Math.min(pace.next(), most);
      if (wanted <= 0) return [];
      for (const match of matchLengths) {
        const tail = produced.slice(-match);
        if (tail.length < match) continue;
        for (const text of [input, produced]) {
          const found = findLast(text, tail);
          if (found >= 0) return text.slice(found + match, found + match + wanted);
        }
      }
      return [];
    },
    learn: pace.learn,
    release: () => undefined,
  };
}

/** @returns where `tail` last stands in `text` with something behind it, or -1 */
function findLast(text: readonly number[], tail: readonly number[]): number {
  for (let start = text.length - tail.length - 1; start >= 0; start -= 1) {
    if (tail.every((id, index) => text[start + index] === id)) return start;
  }
  return -1;
}
