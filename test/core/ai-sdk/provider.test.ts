/** Our models as a provider of the AI SDK, through the AI SDK itself (ai 6.0.326, shape v3). */
import {
  createProviderRegistry,
  type EmbeddingModel,
  generateText,
  type LanguageModel,
  type ModelMessage,
  stepCountIs,
  streamText,
  tool,
} from "ai";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createLlmspell } from "../../../src/core/ai-sdk/index.ts";
import { continuing } from "../../support/continuing.ts";
import { type ScriptedSpellOptions, scriptedSpell } from "../../support/scripted-spell.ts";

const saying = (text: string, more: ScriptedSpellOptions = {}) => createLlmspell(scriptedSpell({ answer: continuing(text), ...more }));
const rome = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>';

globalThis.AI_SDK_LOG_WARNINGS = false;

describe("createLlmspell()", () => {
  it("is a provider by its shape", async () => {
    const llmspell = saying("Hello there.");
    const model: LanguageModel = llmspell("tiny-stories");
    const embedder: EmbeddingModel = llmspell.embeddingModel("tiny-stories");
    expect([model, embedder]).toMatchObject([
      { specificationVersion: "v3", provider: "llmspell", modelId: "tiny-stories", supportedUrls: {} },
      { specificationVersion: "v3", provider: "llmspell", modelId: "tiny-stories" },
    ]);
    const registry = createProviderRegistry({ llmspell });
    expect((await generateText({ model: registry.languageModel("llmspell:tiny-stories"), prompt: "Hi" })).text).toBe("Hello there.");
    expect(() => llmspell.imageModel("x")).toThrow(/expected a model of text/);
  });

  it("gives text, thought and counts, whole and as a stream", async () => {
    const model = saying("<think>hm</think>\n\nHello there.")("tiny-stories");
    const whole = await generateText({ model, prompt: "Hi", seed: 7 });
    expect(whole).toMatchObject({
      text: "Hello there.",
      reasoningText: "hm",
      finishReason: "stop",
      warnings: [],
      providerMetadata: { llmspell: { seed: 7 } },
      response: { modelId: "tiny-stories" },
    });
    expect(whole.usage.inputTokens).toBeGreaterThan(0);
    expect(whole.usage.totalTokens).toBe((whole.usage.inputTokens ?? 0) + (whole.usage.outputTokens ?? 0));
    const { fullStream } = streamText({ model, prompt: "Hi" });
    const kinds: string[] = [];
    for await (const { type } of fullStream) if (kinds.at(-1) !== type) kinds.push(type);
    expect(kinds).toEqual(
      ["start", "start-step", "reasoning-start", "reasoning-delta", "reasoning-end", "text-start", "text-delta", "text-end"].concat(
        "finish-step",
        "finish",
      ),
    );
  });

  it("is asked for a tool, and told its result", async () => {
    const prompts: string[] = [];
    const model = saying("", {
      answer(prompt) {
        prompts.push(prompt);
        return prompt.includes("<|tool|>") ? ["It", " rains."] : continuing(rome)(prompt);
      },
    })("tiny-stories");
    const weather = tool({
      description: "Weather of a city",
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => ({ city, sky: "rain" }),
    });
    const { text, steps } = await generateText({ model, tools: { weather }, stopWhen: stepCountIs(3), prompt: "How is Rome?" });
    expect(text).toBe("It rains.");
    expect(steps.map(({ finishReason, toolCalls }) => [finishReason, toolCalls.map(({ toolName, input }) => [toolName, input])])).toEqual([
      ["tool-calls", [["weather", { city: "Rome" }]]],
      ["stop", []],
    ]);
    expect(prompts[0]).toContain("Weather of a city");
    expect(prompts.at(-1)).toContain('<|tool|>{"city":"Rome","sky":"rain"}');
  });

  it("hands on what the call says, and what only this library knows", async () => {
    const heard: unknown[] = [];
    const model = saying("", {
      answer(_, sampling) {
        heard.push(sampling);
        return ["one", " two", " END", " three"];
      },
    })("tiny-stories");
    const call = { model, prompt: "Hi", temperature: 0.5, topP: 0.9, topK: 3, maxOutputTokens: 5, stopSequences: ["END"] };
    const { text } = await generateText({ ...call, providerOptions: { llmspell: { minP: 0.2 } } });
    expect(text).toBe("one two ");
    expect(heard[0]).toMatchObject({ temperature: 0.5, topP: 0.9, topK: 3, minP: 0.2 });
    expect((await generateText({ ...call, maxOutputTokens: 1 })).finishReason).toBe("length");
    await expect(generateText({ ...call, topP: 7, maxRetries: 0 })).rejects.toMatchObject({ code: "run-option", where: "topP" });
  });

  it("refuses pictures, and names tools that it cannot call", async () => {
    const model = saying("Hello.")("tiny-stories");
    const messages: ModelMessage[] = [
      { role: "user", content: [{ type: "image", image: new Uint8Array([137, 80, 78, 71]), mediaType: "image/png" }] },
    ];
    await expect(generateText({ model, messages, maxRetries: 0 })).rejects.toMatchObject({ code: "run-option", where: "prompt[0]" });
    const search = { type: "provider" as const, id: "acme.search" as const, args: {}, inputSchema: z.object({}) };
    const { warnings } = await generateText({ model, prompt: "Hi", tools: { search } });
    expect(warnings).toMatchObject([{ type: "unsupported", feature: "tool acme.search" }]);
  });

  it("tells errors of the model; an abort ends the answer", async () => {
    await expect(generateText({ model: saying("x")("no-such-model"), prompt: "Hi", maxRetries: 0 })).rejects.toMatchObject({
      code: "model-unknown",
    });
    const spell = scriptedSpell({ stepMs: 5 });
    const model = createLlmspell(spell)("tiny-stories");
    const stop = new AbortController();
    const parts: string[] = [];
    const { fullStream } = streamText({ model, prompt: "Hi", maxOutputTokens: 4000, abortSignal: stop.signal, onError: () => undefined });
    for await (const { type } of fullStream) {
      parts.push(type);
      if (type === "text-delta") stop.abort();
    }
    expect(parts.at(-1)).toBe("abort");
    // the slot is free: the next answer does not wait for the one that was left
    expect((await generateText({ model, prompt: "Hi", maxOutputTokens: 2 })).finishReason).toBe("length");
    // and it was loaded once: what it holds stays with its keep-alive
    expect((await spell.models.list()).map(({ id, loaded }) => [id, loaded])).toContainEqual(["tiny-stories", true]);
  });
});
