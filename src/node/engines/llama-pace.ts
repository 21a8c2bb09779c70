/** Decoding with more threads than one, as long as that pays: a program beside it may take a processor in the middle of an answer. */

/** Steps that are judged together; one late step among them says nothing. */
const windowSteps = 8;
/** Steps may take this many times as long as those of one thread before it takes over: long contexts make every step slower. */
const patience = 1.3;

/**
 * @param threads measured as the best for decoding
 * @param oneMs milliseconds of a step with one thread, when it was measured; absent: threads stay
 * @returns told how long each step took, the threads of the next one: `threads`, or 1 for the rest of the answer
 */
export function threadPace(threads: number, oneMs: number | undefined): (stepMs: number) => number {
  if (threads === 1 || oneMs === undefined) return () => threads;
  let steps = 0;
  let sum = 0;
  let now = threads;
  return (stepMs) => {
    steps += 1;
    sum += stepMs;
    // One step alone may use up the time of a window: threads that wait for each other on a busy machine take seconds.
    if (sum > windowSteps * patience * oneMs) now = 1;
    if (steps === windowSteps) {
      steps = 0;
      sum = 0;
    }
    return now;
  };
}
