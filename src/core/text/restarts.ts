/** How often an engine that keeps dying is started again. */
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";

/** @returns counts a start. @throws SpellError run-crash from it, where there were too many within a minute */
export function countRestarts(now: () => number): () => void {
  const starts: number[] = [];
  return () => {
    const at = now();
    while (starts[0] !== undefined && at - starts[0] >= 60_000) starts.shift();
    if (starts.length >= limits.restartsPerMinute) {
      throw new SpellError("run-crash", `the engine died ${starts.length} times within a minute; it is not started again for now`, {
        actions: [{ kind: "diagnose" }],
        details: { retryAfterMs: 60_000 - (at - (starts[0] ?? at)) },
      });
    }
    starts.push(at);
  };
}
