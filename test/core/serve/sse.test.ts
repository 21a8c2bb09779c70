/** What a stream leaves behind once it is over. */
import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import type { Begun } from "../../../src/core/serve/answers.ts";
import type { Call } from "../../../src/core/serve/call.ts";
import { createAnswers } from "../../../src/core/serve/record.ts";
import { eventStream } from "../../../src/core/serve/sse.ts";

const begun: Begun = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
  contextLength: undefined,
  stop: async () => undefined,
};
async function* events(): AsyncGenerator<object, void, undefined> {
  yield { a: 1 };
  yield { a: 2 };
}

/** @returns listeners on the signal of a stream: under way, and after `end` */
async function listeners(end: (response: Response, abort: AbortController) => Promise<unknown>): Promise<readonly number[]> {
  const abort = new AbortController();
  const { signal } = abort;
  const record = createAnswers({ now: () => performance.now() }, undefined).begin("r", "POST");
  const response = eventStream({ signal, record, leave: () => abort.abort(), pathname: "/v1/x" } as Call, begun, events(), {
    error: () => ({}),
  });
  const count = (): number => getEventListeners(signal, "abort").length;
  const before = count();
  await end(response, abort);
  return [before, count()];
}

it.each<readonly [how: string, end: (response: Response, abort: AbortController) => Promise<unknown>]>([
  ["read to its end", (response) => response.text()],
  ["cancelled", async (response) => response.body?.cancel()],
  ["given up", async (_, abort) => abort.abort()],
])("a stream that was %s listens to nothing: a signal that is made of others would be kept", async (_, end) => {
  expect(await listeners(end)).toEqual([1, 0]);
});
