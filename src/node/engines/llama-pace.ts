/** More threads than one, as long as that pays: a program beside them may take a processor in the middle of a prompt or an answer. */

/** Steps that are judged together; one late step among them says nothing. */
const windowSteps = 8;
/** Steps may take this many times as long as those of one thread before it takes over. */
const patience = 1.3;

/** Steps with one thread before more are tried again; on a busy machine a try costs as much as ten of them. */
const pauseSteps = 96;

export interface ThreadPace {
  /** of the next step */
  readonly threads: number;
  /** How long a step took with them. */
  told(stepMs: number): void;
}

/**
 * @param most threads that were measured as the best for decoding
 * @param oneMs milliseconds of a step with one thread, when it was measured; absent: threads stay
 * @param limit steps may take this many times as long as those of one thread
 * @returns `most` threads, or 1 for a while
 */
export function threadPace(most: number, oneMs: number | undefined, limit: number = patience): ThreadPace {
  let usualMs = oneMs ?? 0;
  let steps = 0;
  let sum = 0;
  /** steps with one thread that are left */
  let alone = 0;
  /** what a step took when it was late */
  let lateMs = 0;
  return {
    get threads() {
      return alone > 0 ? 1 : most;
    },
    told(stepMs) {
      if (most === 1 || oneMs === undefined) return;
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
        if (alone === 0) [steps, sum] = [0, 0];
        return;
      }
      // One step alone may use up the time of a window: threads that wait for each other on a busy machine take seconds.
      const isLate = sum > windowSteps * limit * usualMs;
      if (isLate || steps === windowSteps) {
        [steps, sum] = [0, 0];
        if (mean < oneMs) usualMs = oneMs;
      }
      if (!isLate) return;
      lateMs = mean;
      alone = pauseSteps;
    },
  };
}

/** Tokens of a prompt that tell whether its threads pay, before the rest is read with them. */
export const triedTokens = 64;

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
