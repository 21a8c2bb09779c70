/**
 * Child-process entry: runs isolated tasks (core's text/isolated-tasks.ts), one after another. Ended from outside.
 * The clock in here is the second one: it ends a task whose parent was killed in the middle, so that nothing spins on for ever.
 */
import { runInThisContext } from "node:vm";
import { type IsolatedAnswer, runIsolatedTask } from "../core/text/isolated-tasks.ts";

interface Request {
  readonly id: number;
  readonly task: string;
  readonly payload: unknown;
  readonly timeoutMs: number;
}

let request: Request | undefined;
let answer: IsolatedAnswer | undefined;
Object.defineProperty(globalThis, "runRequest", {
  value: () => {
    if (request !== undefined) answer = runIsolatedTask(request.task, request.payload);
  },
});

process.on("message", (message) => {
  request = message as Request;
  answer = undefined;
  try {
    // Node's own watchdog on our own function; the script text is constant. This is a clock, not a sandbox.
    runInThisContext("runRequest()", { timeout: request.timeoutMs * 2 });
  } catch {
    process.exit(1);
  }
  process.send?.({ id: request.id, answer });
});
process.on("disconnect", () => process.exit(0));
process.send?.({ id: 0 });
