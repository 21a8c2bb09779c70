/** Time as downloads need it: handed in, so that a test need not wait for a minute. */

export interface Clock {
  /** milliseconds, monotonic */
  now(): number;
  /** milliseconds since the epoch: for dates that servers name */
  wallTime(): number;
  /** 0 … 1 */
  random(): number;
  /** @returns true when the time is over, false as soon as the signal says so */
  sleep(ms: number, signal?: AbortSignal): Promise<boolean>;
}

export function realClock(now: () => number): Clock {
  return {
    now,
    wallTime: Date.now,
    random: Math.random,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve(false);
        const stop = (): void => {
          clearTimeout(timer);
          resolve(false);
        };
        const timer = setTimeout(() => {
          signal?.removeEventListener("abort", stop);
          resolve(true);
        }, ms);
        signal?.addEventListener("abort", stop, { once: true });
      }),
  };
}
