/** One token after the other: greedy or drawn, with guesses (lookup.ts, draft.ts) where that is exact. Beam search is in beam-search.ts. */
import { abortedError, SpellError } from "../errors.ts";
import type { Sampling, TokenSampling } from "../spec/sampling.ts";
import { DecoderState, type Encoded, type T5Session } from "./decode.ts";
import { createDrafter } from "./draft.ts";
import type { Hold } from "./hold.ts";
import { createLookup, type Guesser } from "./lookup.ts";
import { applyPenalties, argmax, banRepeatedNgrams, draw, filterCandidates, noNumbers, seededRandom } from "./sampling.ts";

/** What every search needs to know about the answer it is after. */
export interface SearchOptions<S extends Sampling = TokenSampling> {
  readonly sampling: S;
  /** tokens of the answer, at least 1 */
  readonly maxTokens: number;
  /** no end token before so many tokens */
  readonly minTokens: number;
  /** 0 = off */
  readonly noRepeatNgramSize: number;
  /** ids never produced */
  readonly suppressTokens: readonly number[];
  readonly endIds: ReadonlySet<number>;
  /** What answers are held by. */
  readonly hold?: Hold | undefined;
  readonly startId: number;
  /** Lets the host hear its messages, an abort among them; awaited between steps. */
  readonly pause: () => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** Whether restrictScores() would change anything for an answer of so many tokens: copying a vocabulary's scores for nothing costs time. */
export function hasRestrictions(options: SearchOptions<Sampling>, producedTokens: number): boolean {
  const { sampling, noRepeatNgramSize, suppressTokens, minTokens } = options;
  return sampling.penalties !== undefined || noRepeatNgramSize > 0 || suppressTokens.length > 0 || producedTokens < minTokens;
}

/** Processing of scores that all searches share, in place. @param produced start token included */
export function restrictScores(scores: Float32Array, produced: readonly number[], options: SearchOptions<Sampling>): void {
  const { penalties } = options.sampling;
  if (penalties !== undefined) applyPenalties(scores, produced, penalties);
  banRepeatedNgrams(scores, produced, options.noRepeatNgramSize);
  if (produced.length <= options.minTokens) for (const id of options.endIds) scores[id] = Number.NEGATIVE_INFINITY;
  for (const id of options.suppressTokens) if (id < scores.length) scores[id] = Number.NEGATIVE_INFINITY;
}

/** Waits a moment for the host. @throws SpellError run-aborted */
export async function takeBreath({ pause, signal }: Pick<SearchOptions<Sampling>, "pause" | "signal">): Promise<void> {
  await pause();
  if (signal?.aborted === true) throw abortedError();
}

/**
 * Tokens of one answer as they are found, the end token too: it is the last. Ends after `maxTokens` otherwise.
 * @param input encoder ids
 * @throws SpellError run-nan, run-aborted, and what the runtime throws
 */
export async function* searchTokens(
  session: T5Session,
  encoded: Encoded,
  input: readonly number[],
  options: SearchOptions,
): AsyncGenerator<number, void, undefined> {
  const { vocabSize } = session.config;
  const state = new DecoderState(session, encoded, 1);
  const choose = createChooser(options);
  const produced = [options.startId];
  const guessers: Guesser[] = [];
  if (options.sampling.kind === "greedy") {
    guessers.push(createLookup(input.filter((id) => !options.endIds.has(id))));
    if (session.drafter !== undefined) guessers.push(createDrafter(session, session.drafter, encoded, choose, options.endIds));
  }
  try {
    for (;;) {
      const known = produced.length;
      const left = options.maxTokens - (known - 1);
      // The first token is shown as soon as it is ready.
      const { guesses, guesser } = await firstGuess(known === 1 ? [] : guessers, produced, left - 1);
      const scores = await state.step([...produced.slice(state.length), ...guesses]);
      if (known === 1) checkScores(scores.subarray(0, vocabSize));
      let right = 0;
      for (let position = 0; position <= guesses.length; position += 1) {
        const id = choose(scores.subarray(position * vocabSize, (position + 1) * vocabSize), produced);
        produced.push(id);
        yield id;
        if (options.endIds.has(id) || produced.length > options.maxTokens) return;
        if (id !== guesses[position]) break;
        right += 1;
      }
      if (guesser !== undefined) {
        guesser.learn(guesses.length, right);
        await state.truncate(known + right);
      }
      await takeBreath(options);
    }
  } finally {
    state.release();
    for (const guesser of guessers) guesser.release();
  }
}

/** The cheapest guesser that has something to say. */
async function firstGuess(
  guessers: readonly Guesser[],
  produced: readonly number[],
  most: number,
): Promise<{ readonly guesses: readonly number[]; readonly guesser?: Guesser | undefined }> {
  for (const guesser of guessers) {
    const guesses = await guesser.guess(produced, most);
    if (guesses.length > 0) return { guesses, guesser };
  }
  return { guesses: [] };
}

/** @returns the next id for one row of scores, which is left as it is */
export function createChooser(options: SearchOptions): (scores: Float32Array, produced: readonly number[]) => number {
  const { sampling } = options;
  const random = seededRandom(sampling.seed);
  const held = options.hold?.choose();
  const count = sampling.kind === "greedy" ? 1 : (sampling.topK ?? Number.POSITIVE_INFINITY);
  return (scores, produced) => {
    const isRestricted = hasRestrictions(options, produced.length - 1);
    const restricted = isRestricted ? scores.slice() : scores;
    if (isRestricted) restrictScores(restricted, produced, options);
    const allowed = held === undefined ? restricted : held.allow(restricted, produced, count);
    return sampling.kind === "greedy" ? argmax(allowed) : draw(filterCandidates(allowed, sampling), random());
  };
}

/** The first scores of an answer say whether the device computes at all. @throws SpellError run-nan */
export function checkScores(scores: Float32Array): void {
  const first = scores[0] ?? Number.NaN;
  let varies = false;
  for (const score of scores) {
    if (!Number.isFinite(score)) throw noNumbers(score);
    varies ||= score !== first;
  }
  if (!varies) throw new SpellError("run-nan", `the model's first scores are all ${first}: expected scores that differ`);
}
