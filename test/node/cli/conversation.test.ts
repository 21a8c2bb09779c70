import { expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import type { LanguageModel } from "../../../src/core/spec/language-model.ts";
import type { StreamPart } from "../../../src/core/spec/stream-part.ts";
import { createConversation, lastTurn, takeTurn } from "../../../src/node/cli/conversation.ts";

const usage = { promptTokens: 1, completionTokens: 1, totalTokens: 2 };
const answering = async function* (): AsyncGenerator<StreamPart> {
  yield { type: "text-delta", text: "Paris" };
  yield { type: "stream-end", finishReason: "stop", usage } as StreamPart;
};
const stopped = async function* (): AsyncGenerator<StreamPart> {
  yield* [];
  throw new SpellError("run-aborted", "stopped");
};

/** A conversation whose turns go as given. */
function talk(...turns: readonly (() => AsyncGenerator<StreamPart>)[]) {
  const left = [...turns];
  const conversation = createConversation({ stream: () => left.shift()?.() } as unknown as LanguageModel, {});
  const say = async (content: string): Promise<void> => {
    try {
      for await (const _ of takeTurn(conversation, content, new AbortController().signal));
    } catch (error) {
      expect(error).toMatchObject({ code: "run-aborted" });
    }
  };
  return { conversation, say };
}

it("the last message is the one that was stopped before its first text, not the one before it", async () => {
  const { conversation, say } = talk(answering, stopped, answering);
  await say("What is the capital of France?");
  expect(lastTurn(conversation)).toEqual({ content: "What is the capital of France?", before: [] });
  await say("Name a colour.");
  expect(conversation.messages).toHaveLength(2);
  expect(lastTurn(conversation)).toMatchObject({ content: "Name a colour.", before: conversation.messages });
  await say("Name a colour.");
  expect(lastTurn(conversation)).toMatchObject({ content: "Name a colour.", before: [{ role: "user" }, { role: "assistant" }] });
});

it("a conversation that became another one has forgotten it", async () => {
  const { conversation, say } = talk(stopped);
  await say("Name a colour.");
  expect(lastTurn(conversation)?.content).toBe("Name a colour.");
  conversation.messages = [];
  expect(lastTurn(conversation)).toBeUndefined();
});
