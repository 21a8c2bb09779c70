/** Several inputs at once, in batches: weights are read once for all of them. Each is answered as it would be alone. */
import { DecoderState, encode, type T5Session } from "./decode.ts";
import { bestSteps, checkScores, createChooser, noScores, type SearchOptions, takeBreath } from "./search.ts";

/** One token of one answer. */
export interface RowToken {
  /** place of its input in the list */
  readonly index: number;
  readonly id: number;
}

/** Most sequences in a batch: with more, a step costs as many times more as it answers more. */
const mostRows = 16;
/** Bytes that keys and values of one batch may take. */
const mostCacheBytes = 268_435_456;

/**
 * Tokens of all answers as they are found; the end token of an answer is its last. Inputs of like length share a batch, so answers do not come
 * in order. Seeds count up with the place in the list.
 * @throws SpellError run-nan, run-aborted, and what the runtime throws
 */
export async function* searchMany(
  session: T5Session,
  inputs: readonly (readonly number[])[],
  options: SearchOptions,
): AsyncGenerator<RowToken, void, undefined> {
  const order = inputs.map((_, index) => index).sort((a, b) => lengthOf(inputs, a) - lengthOf(inputs, b));
  while (order.length > 0) {
    const longest = lengthOf(inputs, order[Math.min(mostRows, order.length) - 1] ?? 0);
    const batch = order.splice(0, rowsThatFit(session, longest + options.maxTokens));
    yield* searchBatch(session, inputs, batch, options);
  }
}

async function* searchBatch(
  session: T5Session,
  inputs: readonly (readonly number[])[],
  batch: readonly number[],
  options: SearchOptions,
): AsyncGenerator<RowToken, void, undefined> {
  const { vocabSize } = session.config;
  const { sampling, startId, endIds, maxTokens } = options;
  const decoder = await session.decoderFor(batch.length);
  const encoded = await encode(
    session,
    batch.map((index) => inputs[index] ?? []),
  );
  const steps = bestSteps(options);
  const state = new DecoderState({ ...session, decoder }, encoded, batch.length);
  let rows = batch.map((index) => ({
    index,
    produced: [startId],
    choose: createChooser({ ...options, sampling: { ...sampling, seed: (sampling.seed + index) % 2 ** 32 } }),
    isDone: false,
  }));
  try {
    for (let step = 1; step <= maxTokens; step += 1) {
      const newest = rows.map(({ produced }) => produced[produced.length - 1] ?? startId);
      let best = steps.next() ? await state.stepToBest(newest) : undefined;
      if (best?.some((id, place) => rows[place]?.isDone === false && !steps.allows(id, rows[place].produced)) === true) {
        best = undefined;
        await state.truncate(state.length - 1);
      }
      const scores = best === undefined ? await state.step(newest) : noScores;
      if (step === 1) checkScores(scores.subarray(0, vocabSize));
      for (const [place, row] of rows.entries()) {
        if (row.isDone) {
          row.produced.push(session.config.padTokenId);
          continue;
        }
        const id = best?.[place] ?? row.choose(scores.subarray(place * vocabSize, (place + 1) * vocabSize), row.produced);
        row.produced.push(id);
        row.isDone = endIds.has(id);
        yield { index: row.index, id };
      }
      const going = rows.flatMap((row, place) => (row.isDone ? [] : [place]));
      if (going.length === 0) return;
      // Copying the cache costs about a step, so it waits until half of a batch would be computed for nothing.
      if (going.length <= rows.length / 2) {
        await state.keepRows(going);
        rows = rows.filter(({ isDone }) => !isDone);
      }
      await takeBreath(options);
    }
  } finally {
    state.release();
    encoded.release();
  }
}

function lengthOf(inputs: readonly (readonly number[])[], index: number): number {
  return inputs[index]?.length ?? 0;
}

function rowsThatFit({ config }: T5Session, positions: number): number {
  const bytes = 8 * config.numDecoderLayers * config.numHeads * config.dKv * positions;
  return Math.max(1, Math.min(mostRows, Math.floor(mostCacheBytes / bytes)));
}
