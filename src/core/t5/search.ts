/** One token after the other: greedy or drawn, with guesses (lookup.ts, draft.ts) where that is exact. Beam search is in beam-search.ts. */
import { abortedError, SpellError } from "../errors.ts";
import { applyPenalties, argmax, completingTokens, draw, filterCandidates, noNumbers, seededRandom } from "../sampling.ts";
import type { Sampling, TokenSampling } from "../spec/sampling.ts";
import { DecoderState, type Encoded, type T5Session } from "./decode.ts";
import { createDrafter, type NextChoice } from "./draft.ts";
import type { Hold } from "./hold.ts";
import { createLookup, type Guesser } from "./lookup.ts";

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
  for (const id of bannedTokens(produced, options)) if (id < scores.length) scores[id] = Number.NEGATIVE_INFINITY;
}

/** Tokens that may not come next, whatever their score. @param produced start token included */
function bannedTokens(
  produced: readonly number[],
  {
    noRepeatNgramSize,
    suppressTokens,
    minTokens,
    endIds,
  }: Pick<SearchOptions, "noRepeatNgramSize" | "suppressTokens" | "minTokens" | "endIds">,
): readonly number[] {
  return [...completingTokens(produced, noRepeatNgramSize), ...(produced.length <= minTokens ? endIds : []), ...suppressTokens];
}

/** Steps that are taken with all scores after one whose best token was banned: where that happens, it happens again. */
const stepsWithScores = 16;

/** In place of scores that nobody asks for. */
export const noScores: Float32Array = new Float32Array(0);

/** Lets the engine choose where it can: the largest score, as long as that token is not banned. */
export interface BestSteps {
  /** Asked once for each step. */
  next(): boolean;
  /** @returns whether a token that the engine chose may stand; where not, the step is to be taken again with all scores */
  allows(id: number, produced: readonly number[]): boolean;
}

/** @param scored first steps that are taken with all scores: those of an answer are looked at once */
export function bestSteps({ sampling, hold, ...options }: SearchOptions, scored = 1): BestSteps {
  const isPossible = sampling.kind === "greedy" && sampling.penalties === undefined && hold === undefined;
  let left = scored;
  return {
    next() {
      left -= 1;
      return isPossible && left < 0;
    },
    allows(id, produced) {
      const isAllowed = !bannedTokens(produced, options).includes(id);
      if (!isAllowed) left = stepsWithScores;
      return isAllowed;
    },
  };
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
  const steps = bestSteps(options);
  const produced = [options.startId];
  const guessers: Guesser[] = [];
  const { drafter } = session;
  const now = drafter?.now ?? (() => 0);
  if (options.sampling.kind === "greedy") {
    guessers.push(createLookup(input.filter((id) => !options.endIds.has(id))));
    if (drafter !== undefined)
      guessers.push(createDrafter(session, drafter, encoded, nextChoice(session, options, choose), options.endIds));
  }
  try {
    for (;;) {
      const known = produced.length;
      const left = options.maxTokens - (known - 1);
      // The first token is shown as soon as it is ready.
      const started = now();
      const { guesses, guesser } = await firstGuess(known === 1 ? [] : guessers, produced, left - 1);
      const fresh = [...produced.slice(state.length), ...guesses];
      const best = steps.next() ? await state.stepToBest(fresh) : undefined;
      const scores = best === undefined ? await state.step(fresh) : noScores;
      const ms = now() - started;
      if (known === 1) checkScores(scores.subarray(0, vocabSize));
      let right = 0;
      for (let position = 0; position <= guesses.length; position += 1) {
        const id = best?.[position] ?? choose(scores.subarray(position * vocabSize, (position + 1) * vocabSize), produced);
        if (best !== undefined && !steps.allows(id, produced)) break;
        produced.push(id);
        yield id;
        if (options.endIds.has(id) || produced.length > options.maxTokens) return;
        if (id !== guesses[position]) break;
        right += 1;
      }
      if (guesser !== undefined) guesser.learn(guesses.length, right, ms);
      else if (known > 1) drafter?.worth.plain(ms);
      // Not what was guessed wrong; and a step that is to be taken again reads its token again.
      await state.truncate(Math.min(state.length, produced.length - 1));
      await takeBreath(options);
    }
  } finally {
    state.release();
    for (const guesser of guessers) guesser.release();
  }
}

/** The choice of one token, made by the engine where it can be. */
function nextChoice({ config }: T5Session, options: SearchOptions, choose: ReturnType<typeof createChooser>): NextChoice {
  const steps = bestSteps(options, 0);
  return async (state, fresh, answer) => {
    const before = state.length;
    if (steps.next()) {
      const best = (await state.stepToBest(fresh)).at(-1) as number;
      if (steps.allows(best, answer)) return best;
      await state.truncate(before);
    }
    return choose((await state.step(fresh)).subarray((fresh.length - 1) * config.vocabSize), answer);
  };
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
