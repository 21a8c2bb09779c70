/** More threads than one, as long as that pays: a program beside them may take a processor in the middle of a prompt or an answer. */

/** Steps that are judged together; one late step among them says nothing. */
const windowSteps = 8;
/** Steps may take this many times as long as those of one thread before it takes over: long contexts make every step slower. */
const patience = 1.3;

/** Steps with one thread before more are tried again; on a busy machine a try costs as much as ten of them. */
const pauseSteps = 96;

/**
 * @param threads measured as the best for decoding
 * @param oneMs milliseconds of a step with one thread, when it was measured; absent: threads stay
 * @returns told how long each step took, the threads of the next one: `threads`, or 1 for a while
 */
export function threadPace(threads: number, oneMs: number | undefined): (stepMs: number) => number {
  if (threads === 1 || oneMs === undefined) return () => threads;
  let steps = 0;
  let sum = 0;
  let alone = 0;
  return (stepMs) => {
    if (alone > 0) {
      alone -= 1;
      return alone > 0 ? 1 : threads;
    }
    steps += 1;
    sum += stepMs;
    // One step alone may use up the time of a window: threads that wait for each other on a busy machine take seconds.
    const isLate = sum > windowSteps * patience * oneMs;
    if (isLate || steps === windowSteps) {
      steps = 0;
      sum = 0;
    }
    if (isLate) alone = pauseSteps;
    return isLate ? 1 : threads;
  };
}

/** Tokens of a prompt that tell whether its threads pay, before the rest is read with them. */
const triedTokens = 64;

/**
 * How a prompt is read in batches.
 * @param onePromptMs milliseconds of a token of a prompt with one thread, when it was measured; absent: threads stay
 */
export function promptPace(
  threads: number,
  onePromptMs: number | undefined,
  batchSize: number,
): { threads: number; size(left: number): number; told(tokens: number, ms: number): void } {
  const isWatched = threads > 1 && onePromptMs !== undefined;
  let isTried = !isWatched;
  return {
    threads,
    /** @returns tokens of the next batch; all that are left, where a trial would be the most of them */
    size(left) {
      return isTried || left < 2 * triedTokens ? Math.min(batchSize, left) : Math.min(batchSize, triedTokens);
    },
    told(tokens, ms) {
      isTried = true;
      if (isWatched && ms > tokens * onePromptMs * patience) this.threads = 1;
    },
  };
}
