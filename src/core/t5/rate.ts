/** How likely given answers are: each is read as if the model had written it, several in a pass. */
import { DecoderState, type Encoded, rateRows, type T5Session } from "./decode.ts";

/** Scores that one pass may give: 64 MiB. */
const mostScores = 16_777_216;
const mostRows = 16;

/**
 * @param encoded one input
 * @param answers ids, end token included
 * @returns sum of the log-probabilities of the ids of each
 * @param pause awaited between passes: where an abort ends it
 * @throws SpellError run-nan, what pause and the runtime throw
 */
export async function rateAnswers(
  session: T5Session,
  encoded: Encoded,
  answers: readonly (readonly number[])[],
  startId: number,
  pause: () => Promise<void>,
): Promise<readonly number[]> {
  const { vocabSize, padTokenId } = session.config;
  const sums: number[] = [];
  const length = Math.max(...answers.map((ids) => ids.length));
  const rows = Math.max(1, Math.min(mostRows, Math.floor(mostScores / (vocabSize * length))));
  for (let first = 0; first < answers.length; first += rows) {
    await pause();
    const batch = answers.slice(first, first + rows);
    const state = new DecoderState(session, encoded, batch.length);
    try {
      // what stands behind an answer changes nothing before it
      const padded = batch.flatMap((ids) => [startId, ...ids, ...Array<number>(length - ids.length).fill(padTokenId)].slice(0, length));
      const scores = await state.step(padded);
      const totals = await rateRows(session, scores);
      for (const [row, ids] of batch.entries()) {
        const places = ids.map((id, at) => ({ id, place: row * length + at }));
        sums.push(places.reduce((sum, { id, place }) => sum + (scores[place * vocabSize + id] as number) - (totals[place] as number), 0));
      }
    } finally {
      state.release();
    }
  }
  return sums;
}
