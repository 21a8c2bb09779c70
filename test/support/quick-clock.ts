import { type Clock, realClock } from "../../src/core/download/clock.ts";
import { requestTimes } from "../../src/core/download/request.ts";

/**
 * A clock for tests of downloads: waits between tries pass a hundred times as fast as they would. What a server may be silent for passes only ten
 * times as fast, three seconds, so that a busy machine is not taken for a dead server; tests of silence ask for more.
 */
export function quickClock(silence = 10): Clock {
  const clock = realClock(() => performance.now());
  return {
    ...clock,
    now: () => clock.now() * silence,
    sleep: (ms, signal) => clock.sleep(ms / (ms >= requestTimes.stall ? silence : Math.max(100, silence)), signal),
  };
}
