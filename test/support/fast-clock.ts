import type { Clock } from "../../src/core/download/clock.ts";

const turnMs = 4;

/**
 * A clock by which a minute passes in a second. It counts turns of the event loop instead of reading the time: where the machine is busy, it goes
 * slower, so that nobody's patience ends before an answer that is under way was looked at.
 * @param speed 100 = each turn of at least 4 ms is 400 ms
 */
export function fastClock(speed: number): Clock {
  let now = 0;
  const sleepers = new Set<{ readonly until: number; readonly wake: (isOver: boolean) => void }>();
  let isRunning = false;
  const turn = (): void => {
    now += turnMs * speed;
    for (const sleeper of sleepers) if (sleeper.until <= now) sleeper.wake(true);
    isRunning = sleepers.size > 0;
    if (isRunning) setTimeout(turn, turnMs);
  };
  return {
    now: () => now,
    wallTime: Date.now,
    random: Math.random,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve(false);
        const stop = (): void => sleeper.wake(false);
        const sleeper = {
          until: now + ms,
          wake(isOver: boolean): void {
            sleepers.delete(sleeper);
            signal?.removeEventListener("abort", stop);
            resolve(isOver);
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", stop, { once: true });
        if (!isRunning) setTimeout(turn, turnMs);
        isRunning = true;
      }),
  };
}
