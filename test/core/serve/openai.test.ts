/** The official client of OpenAI over the API, without a server. */
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { here, type ServedOptions } from "./support.ts";

function client(options: ServedOptions = {}) {
  const own = here(options);
  return { ...own, openai: new OpenAI({ fetch: own.fetch, baseURL: "http://here/v1", apiKey: "none", maxRetries: 0 }) };
}

const messages = [{ role: "user" as const, content: "Say hello to Anna." }];

describe("the client of OpenAI", () => {
  it("lists models and retrieves one", async () => {
    const { openai } = client();
    const { data } = await openai.models.list();
    expect(data[0]).toMatchObject({
      id: "tiny",
      object: "model",
      owned_by: "candle",
      capabilities: ["completion", "chat"],
      context_length: 512,
      device: null,
    });
    await openai.chat.completions.create({ model: "tiny", messages });
    expect(await openai.models.retrieve("tiny")).toMatchObject({ id: "tiny", device: "cpu", loaded: null });
  });

  it("chats", async () => {
    const { openai, asked, records } = client();
    const answer = await openai.chat.completions.create({ model: "tiny", messages, temperature: 0, seed: 3 });
    expect(answer).toMatchObject({
      object: "chat.completion",
      model: "tiny",
      choices: [{ index: 0, message: { role: "assistant", content: "Hello Anna!", refusal: null }, logprobs: null, finish_reason: "stop" }],
      usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8, prompt_tokens_details: { cached_tokens: 0 } },
    });
    expect(answer).not.toHaveProperty("warnings");
    expect(asked[0]).toMatchObject({ prompt: "<user>Say hello to Anna.<assistant>", sampling: { kind: "greedy", seed: 3 } });
    expect(records).toMatchObject([
      { method: "POST", path: "/v1/chat/completions", status: 200, model: "./own.gguf", usage: { totalTokens: 8 } },
    ]);
  });
});
