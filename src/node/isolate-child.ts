/**
 * Child-process entry: runs isolated tasks (core's text/isolated-tasks.ts), one after another. The parent ends it.
 * Its own clock ends a task whose parent was killed meanwhile, so that nothing runs for ever.
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
    // Node's watchdog around our own function; the script text is constant. It is a clock, not a sandbox.
    runInThisContext("runRequest()", { timeout: request.timeoutMs * 2 });
  } catch {
    process.exit(1);
  }
  process.send?.({ id: request.id, answer });
});
process.on("disconnect", () => process.exit(0));
process.send?.({ id: 0 });
