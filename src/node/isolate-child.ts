/**
 * Child-process entry: runs isolated tasks (core's text/isolated-tasks.ts), one after another. The parent ends it.
 * Its own clock ends a task whose parent was killed meanwhile, so that nothing runs for ever.
 */
import { runInThisContext } from "node:vm";
import { answerOf, type IsolatedAnswer, loadIsolatedTask } from "../core/text/isolated-tasks.ts";
import type { IsolatedTask } from "../core/text/tool-tasks.ts";

interface Request {
  readonly id: number;
  readonly task: string;
  readonly payload: unknown;
  readonly timeoutMs: number;
}

let work: (() => unknown) | undefined;
let answer: IsolatedAnswer | Promise<IsolatedAnswer> | undefined;
Object.defineProperty(globalThis, "runRequest", {
  value: () => {
    if (work !== undefined) answer = answerOf(work);
  },
});
const tasks = new Map<string, Promise<IsolatedTask>>();
const parent = process.ppid;

async function load(task: string): Promise<IsolatedTask> {
  if (task === "jq" && !tasks.has(task)) {
    // it computes where the clock below does not see it
    (await import("./watchdog.ts")).watchParent(parent);
    // jq shows the name of its program: in its environment, and before its errors
    process.argv[1] = "jq";
  }
  const loading = tasks.get(task) ?? loadIsolatedTask(task, () => import("jq-wasm/dist/build/jq.js"));
  tasks.set(task, loading);
  return loading;
}

process.on("message", async (message) => {
  const request = message as Request;
  const task = await load(request.task).catch((error: unknown) => () => Promise.reject(error));
  work = () => task(request.payload);
  answer = undefined;
  try {
    // Node's watchdog around our own function; the script text is constant. It is a clock, not a sandbox.
    runInThisContext("runRequest()", { timeout: request.timeoutMs * 2 });
  } catch {
    process.exit(1);
  }
  process.send?.({ id: request.id, answer: await answer });
});
process.on("disconnect", () => process.exit(0));
process.send?.({ id: 0 });
