/**
 * Beam search: the answers of highest probability per length^lengthPenalty among those it looks at.
 * Follows transformers 4.57 with `early_stopping=False`, rule by rule, so that ids and scores equal its own: penalties act on
 * log-probabilities, only the best `numBeams` candidates of a step may finish, and the search ends when no running beam can still win
 * at its present length. test/core/t5/search.test.ts holds it against a naive version.
 */

import { largest } from "../sampling.ts";
import type { BeamSampling } from "../spec/sampling.ts";
import { DecoderState, type Encoded, rateRows, type T5Session } from "./decode.ts";
import { checkScores, hasRestrictions, restrictScores, type SearchOptions, takeBreath } from "./search.ts";

export interface BeamAnswer {
  /** without the start token; the end token is the last where the answer ended by itself */
  readonly ids: readonly number[];
  /** sum of log-probabilities over length^lengthPenalty */
  readonly score: number;
}

interface Beam {
  /** start token included */
  readonly ids: readonly number[];
  /** sum of log-probabilities */
  readonly sum: number;
  /** which beam of the step before it continues */
  readonly parent: number;
}

/**
 * @param encoded one input; all beams read it
 * @returns best first, sampling.numReturnSequences of them
 * @throws SpellError run-nan, run-aborted, and what the runtime throws
 */
export async function searchBeams(
  session: T5Session,
  encoded: Encoded,
  options: SearchOptions<BeamSampling>,
): Promise<readonly BeamAnswer[]> {
  const { maxTokens, endIds, startId } = options;
  const { numBeams, lengthPenalty, numReturnSequences } = options.sampling;
  const { vocabSize } = session.config;
  const keep = Math.max(2, 1 + endIds.size) * numBeams;
  const decoder = await session.decoderFor(numBeams);
  const state = new DecoderState({ ...session, decoder }, encoded, 1);
  const scratch = new Float32Array(vocabSize);
  // All beams begin alike, so the first step computes one.
  let running: readonly Beam[] = [{ ids: [startId], sum: 0, parent: 0 }];
  let finished: readonly BeamAnswer[] = [];
  try {
    for (let length = 1; ; length += 1) {
      const logits = await state.step(running.map(({ ids }) => ids[ids.length - 1] as number));
      if (length === 1) checkScores(logits.subarray(0, vocabSize));
      const totals = await rateRows(session, logits);
      const isRestricted = hasRestrictions(options, length - 1);
      const candidates = running
        .flatMap((beam, parent) => {
          const row = logits.subarray(parent * vocabSize, (parent + 1) * vocabSize);
          const shift = totals[parent] as number;
          // Penalties act on log-probabilities, which are all below 0; without any, the order of the logits is theirs.
          const scores = isRestricted ? shifted(row, shift, scratch) : row;
          if (isRestricted) restrictScores(scores, beam.ids, options);
          const taken = isRestricted ? 0 : shift;
          return largest(scores, keep).map((id) => ({ ids: [...beam.ids, id], sum: beam.sum + (scores[id] as number) - taken, parent }));
        })
        .sort((a, b) => b.sum - a.sum)
        .slice(0, keep);
      const ends = (beam: Beam): boolean => length >= maxTokens || endIds.has(beam.ids[beam.ids.length - 1] as number);
      const fresh = candidates
        .slice(0, numBeams)
        .filter(ends)
        .map(({ ids, sum }) => ({ ids: ids.slice(1), score: sum / length ** lengthPenalty }));
      finished = [...finished, ...fresh].sort((a, b) => b.score - a.score).slice(0, numBeams);
      running = candidates.filter((beam) => !ends(beam)).slice(0, numBeams);
      const [best] = running;
      if (best === undefined) break;
      const worst = finished[numBeams - 1]?.score ?? Number.NEGATIVE_INFINITY;
      if (best.sum / length ** lengthPenalty <= worst) break;
      await state.reorder(running.map(({ parent }) => parent));
      await takeBreath(options);
    }
  } finally {
    state.release();
  }
  return finished.slice(0, numReturnSequences);
}

/** @returns `to`, filled with logits less `shift` */
function shifted(logits: Float32Array, shift: number, to: Float32Array): Float32Array {
  for (let id = 0; id < to.length; id += 1) to[id] = (logits[id] as number) - shift;
  return to;
}
