/** What an answer says of itself where the engine gives up on bytes that are no text; the engine here is scripted. */
import { expect, it } from "vitest";
import { constraintOf } from "../../../src/core/grammar/constraint.ts";
import { startCompletion } from "../../../src/engines/wllama/completion.ts";
import type { WllamaLike } from "../../../src/engines/wllama/instance.ts";

/** A piece of text, and then no reply. */
const instance = {
  async createCompletion({ onData }: Readonly<Record<string, unknown>>) {
    (onData as (chunk: unknown) => void)({ choices: [{ text: '{"' }], prompt_progress: { total: 3, cache: 0 } });
    throw new RangeError("Invalid typed array length: 1163217991");
  },
} as unknown as WllamaLike;

it.each([
  ["stop", undefined],
  ["length", constraintOf({ jsonSchema: { type: "object" } })],
] as const)("an answer cut at bytes that are no text ends with %s", async (finishReason, constraint) => {
  const options = { maxTokens: 9, sampling: { kind: "greedy", seed: 1 }, stop: [], constraint } as const;
  const pieces: unknown[] = [];
  for await (const piece of startCompletion(instance, "x", options, 100, new AbortController().signal).pieces) pieces.push(piece);
  expect(pieces).toMatchObject([{ text: '{"' }, { finishReason, note: expect.stringContaining("bytes that are not text") }]);
});
