/** The AI SDK over the API, without a server: through its provider for compatible servers, and through that of OpenAI, which asks for responses. */
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, type LanguageModel, Output, stepCountIs, streamText, tool } from "ai";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { continuing } from "../../support/continuing.ts";
import { here, type ServedOptions } from "./support.ts";

const baseURL = "http://here/v1";
const thinks = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>{# <think> #}";

const roads: readonly (readonly [name: string, model: (fetch: typeof globalThis.fetch) => LanguageModel])[] = [
  [
    "compatible",
    (fetch) => createOpenAICompatible({ name: "llmspell", baseURL, fetch, includeUsage: true, supportsStructuredOutputs: true })("tiny"),
  ],
  ["OpenAI, responses", (fetch) => createOpenAI({ baseURL, apiKey: "none", fetch })("tiny")],
  ["OpenAI, chat", (fetch) => createOpenAI({ baseURL, apiKey: "none", fetch }).chat("tiny")],
];

describe.each(roads)("the AI SDK, %s", (road, modelOf) => {
  const model = (options: ServedOptions = {}) => modelOf(here(options).fetch);

  it("generates and streams, with its counts", async () => {
    const { text, finishReason, usage } = await generateText({ model: model(), prompt: "Say hello.", maxRetries: 0 });
    expect({ text, finishReason, usage }).toMatchObject({
      text: "Hello Anna!",
      finishReason: "stop",
      usage: { inputTokens: 3, outputTokens: 3 },
    });
    const stream = streamText({ model: model(), prompt: "Say hello.", maxRetries: 0, maxOutputTokens: 2 });
    expect(await stream.text).toBe("Hello Anna");
    expect(await stream.finishReason).toBe("length");
    expect(await stream.usage).toMatchObject({ inputTokens: 3, outputTokens: 2 });
  });

  it("gets an object", async () => {
    const output = Output.object({ schema: z.object({ name: z.string(), age: z.number() }) });
    const person = '{"name":"Anna","age":31}';
    expect(
      (await generateText({ model: model({ answer: continuing(person) }), prompt: "Anna is 31.", output, maxRetries: 0 })).output,
    ).toEqual(JSON.parse(person));
  });

  it("runs a tool and answers with its result", async () => {
    const call = continuing('<tool_call>\n{"name": "weather", "arguments": {"city":"Rome"}}\n</tool_call>');
    const answering = model({ answer: (prompt) => (prompt.includes("21 degrees") ? ["It", " is", " 21."] : call(prompt)) });
    const weather = tool({ inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => `21 degrees in ${city}` });
    const { text, steps } = await generateText({
      model: answering,
      prompt: "Weather?",
      tools: { weather },
      stopWhen: stepCountIs(3),
      maxRetries: 0,
    });
    expect([text, steps.map(({ finishReason }) => finishReason)]).toEqual(["It is 21.", ["tool-calls", "stop"]]);
  });

  // its client of OpenAI reads none
  if (!road.startsWith("OpenAI"))
    it("sees thoughts", async () => {
      const { text, reasoningText } = await generateText({
        model: model({ answer: continuing("<think>Hm.</think>Hello"), chatTemplate: thinks }),
        prompt: "Hi",
        maxRetries: 0,
      });
      expect({ text, reasoningText }).toEqual({ text: "Hello", reasoningText: "Hm." });
    });

  it("is told of an error by its status", async () => {
    await expect(generateText({ model: model(), prompt: "word ".repeat(600), maxRetries: 0 })).rejects.toMatchObject({ statusCode: 400 });
  });
});

it("the AI SDK gets vectors", async () => {
  const { fetch } = here();
  const provider = createOpenAICompatible({ name: "llmspell", baseURL, fetch });
  const { embeddings } = await embedMany({ model: provider.embeddingModel("tiny"), values: ["hello", "four words in all"] });
  expect(embeddings.map((vector) => vector.length)).toEqual([2, 2]);
});
