/** More threads than one, as long as that pays: a program beside them may take a processor in the middle of a prompt or an answer. */

/** Steps that are judged together; one late step among them says nothing. */
const windowSteps = 8;
/** Steps may take this many times as long as those of one thread before it takes over. */
const patience = 1.3;

/** Steps with one thread before more are tried again; on a busy machine a try costs as much as ten of them. */
const pauseSteps = 96;

/**
 * @param threads measured as the best for decoding
 * @param oneMs milliseconds of a step with one thread, when it was measured; absent: threads stay
 * @param limit steps may take this many times as long as those of one thread
 * @returns told how long each step took, the threads of the next one: `threads`, or 1 for a while
 */
export function threadPace(threads: number, oneMs: number | undefined, limit: number = patience): (stepMs: number) => number {
  if (threads === 1 || oneMs === undefined) return () => threads;
  let usualMs = oneMs;
  let steps = 0;
  let sum = 0;
  let alone = 0;
  /** what a step took when it was late */
  let lateMs = 0;
  return (stepMs) => {
    steps += 1;
    sum += stepMs;
    const mean = sum / steps;
    if (alone > 0) {
      alone -= 1;
      // One thread is no quicker: the steps are long because the context is.
      if (steps === windowSteps && mean > lateMs) {
        usualMs = mean;
        alone = 0;
      }
      if (alone > 0) return 1;
      [steps, sum] = [0, 0];
      return threads;
    }
    // One step alone may use up the time of a window: threads that wait for each other on a busy machine take seconds.
    const isLate = sum > windowSteps * limit * usualMs;
    if (isLate || steps === windowSteps) [steps, sum] = [0, 0];
    if (!isLate) return threads;
    lateMs = mean;
    alone = pauseSteps;
    return 1;
  };
}

/** Tokens of a prompt that tell whether its threads pay, before the rest is read with them. */
const triedTokens = 64;

/**
 * How a prompt is read in batches.
 * @param onePromptMs milliseconds of a token of a prompt with one thread, when it was measured; absent: threads stay
 * @param isFixed batches are of one size, however long they take
 */
export function promptPace(
  threads: number,
  onePromptMs: number | undefined,
  batchSize: number,
  isFixed = false,
): { threads: number; size(left: number): number; told(tokens: number, ms: number): void } {
  const isWatched = threads > 1 && onePromptMs !== undefined;
  let isTried = isFixed || !isWatched;
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
