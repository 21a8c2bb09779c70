/** Workflows of a program: its tools are those of a spell, its agents whatever can be asked. */
import { isObject } from "../json.ts";
import { wrong } from "../workflow/read.ts";
import { createWorkflows, type Workflows } from "../workflow/workflows.ts";
import type { Tools } from "./tools.ts";

export function programWorkflows(tools: Tools, now: () => number, signal: AbortSignal): Workflows {
  return createWorkflows({
    now,
    signal,
    tool: (name, input, { signal: own }) => tools.execute(name, input, { signal: own }),
    async agent(given, input, run) {
      if (!isObject(given) || typeof given["execute"] !== "function") throw wrong("agent", "an object with execute(input)", given);
      return (given as { execute(asked: unknown, ...more: unknown[]): unknown }).execute(input, undefined, run.context);
    },
    call: (own, scope) => (typeof own === "function" ? Promise.resolve(own(scope) as unknown) : undefined),
  });
}
