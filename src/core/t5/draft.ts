/**
 * Drafting: a copy of the decoder in 4 or 8 bits writes a few tokens ahead, and the model checks them in one pass. The answer is the model's own;
 * where reading its weights is the limit, several tokens come for one reading. Whether that pays is measured (worth.ts).
 * Source: Leviathan et al. 2022 (arXiv 2211.17192), greedy case.
 */
import { DecoderState, type Drafter, type Encoded, type T5Session } from "./decode.ts";
import type { Guesser } from "./lookup.ts";
import { createPace } from "./pace.ts";

/** Guesses of the first pass: enough to see whether the copy agrees. */
const firstGuesses = 3;

/** Feeds the ids that are not read yet and chooses what comes next. */
export type NextChoice = (state: DecoderState, fresh: readonly number[], answer: readonly number[]) => Promise<number>;

/**
 * @param drafter decoder graph over smaller weights of the same model; it reads the same input
 * @param choose the greedy choice of the answer itself
 */
export function createDrafter(
  session: T5Session,
  { graph, worth }: Drafter,
  encoded: Encoded,
  choose: NextChoice,
  endIds: ReadonlySet<number>,
): Guesser {
  const state = new DecoderState({ ...session, decoder: graph }, encoded, 1);
  const pace = createPace(firstGuesses);
  /** What the copy has read; guesses that turned out wrong are at its end. */
  let read: number[] = [];
  return {
    async guess(produced, most) {
      const affordable = Math.min(worth.affords(), most);
      const wanted = affordable <= 0 ? 0 : Math.min(pace.next(), affordable);
      if (wanted <= 0) return [];
      let same = 0;
      // the newest token is read again where a guess behind it was taken back
      while (same < Math.min(read.length, produced.length - 1) && read[same] === produced[same]) same += 1;
      await state.truncate(same);
      read = read.slice(0, same);
      const guesses: number[] = [];
      while (guesses.length < wanted) {
        const answer = [...produced, ...guesses];
        const fresh = answer.slice(read.length);
        const id = await choose(state, fresh, answer);
        read.push(...fresh);
        guesses.push(id);
        if (endIds.has(id)) break;
      }
      return guesses;
    },
    learn(guessed, right, ms) {
      pace.learn(guessed, right);
      worth.told(guessed, right, ms);
    },
    release: () => state.release(),
  };
}
