/** Models of the AI SDK as our own: through its own mock of a provider (ai 6.0.326, shape v3), and by hand for the shapes v2 and v4. */
import { convertArrayToReadableStream, MockLanguageModelV3 } from "ai/test";
import { describe, expect, it } from "vitest";
import { type AiSdkModel, fromAiSdk } from "../../../src/core/ai-sdk/index.ts";
import type { Message } from "../../../src/core/spec/generate.ts";
import { failure } from "../../support/failure.ts";

type LanguageModelV3StreamPart =
  Awaited<ReturnType<MockLanguageModelV3["doStream"]>>["stream"] extends ReadableStream<infer Part> ? Part : never;

const usage = {
  inputTokens: { total: 5, noCache: 3, cacheRead: 2, cacheWrite: 0 },
  outputTokens: { total: 4, text: 3, reasoning: 1 },
} as const;
const finish = (unified: "stop" | "length" | "tool-calls" | "content-filter"): LanguageModelV3StreamPart => ({
  type: "finish",
  usage,
  finishReason: { unified, raw: undefined },
});
const saying = (...parts: readonly LanguageModelV3StreamPart[]): MockLanguageModelV3 =>
  new MockLanguageModelV3({ provider: "mock", modelId: "m", doStream: async () => ({ stream: convertArrayToReadableStream([...parts]) }) });
const hello: readonly LanguageModelV3StreamPart[] = [
  { type: "stream-start", warnings: [] },
  { type: "reasoning-start", id: "r" },
  { type: "reasoning-delta", id: "r", delta: "hm" },
  { type: "reasoning-end", id: "r" },
  { type: "text-start", id: "t" },
  { type: "text-delta", id: "t", delta: "Hel" },
  { type: "text-delta", id: "t", delta: "lo" },
  { type: "text-end", id: "t" },
  finish("stop"),
];

describe("fromAiSdk()", () => {
  it("gives text, thought and counts", async () => {
    const model = fromAiSdk(saying(...hello));
    expect([model.id, model.provider, model.backend, model.contextLength]).toEqual(["mock/m", "mock", "ai-sdk", undefined]);
    expect(await model.generate("x")).toMatchObject({
      text: "Hello",
      reasoning: "hm",
      finishReason: "stop",
      usage: { promptTokens: 5, completionTokens: 4, totalTokens: 9, cachedTokens: 2 },
      model: "mock/m",
      warnings: [],
    });
    const texts: string[] = [];
    for await (const text of model.stream("x").textStream) texts.push(text);
    expect(texts).toEqual(["Hel", "lo"]);
  });

  it("says a call in the provider's words: options, tools, conversation", async () => {
    const mock = saying(
      { type: "tool-input-start", id: "a1", toolName: "f" },
      { type: "tool-input-delta", id: "a1", delta: '{"a": 1}' },
      { type: "tool-call", toolCallId: "a1", toolName: "f", input: '{"a": 1}' },
      finish("tool-calls"),
    );
    const inputSchema = { type: "object", properties: { a: { type: "integer" } } } as const;
    const messages: readonly Message[] = [
      { role: "user", content: "x" },
      {
        role: "assistant",
        content: [
          { type: "reasoning", text: "hm" },
          { type: "tool-call", id: "a0", name: "f", input: { a: 0 } },
        ],
      },
      { role: "tool", content: [{ type: "tool-result", id: "a0", result: { ok: true } }] },
    ];
    const result = await fromAiSdk(mock).generate(messages, {
      system: "Be brief.",
      temperature: 0.5,
      topP: 0.9,
      topK: 3,
      seed: 7,
      stop: ["END"],
      minP: 0.1,
      tools: [{ name: "f", description: "does it", inputSchema }],
      toolChoice: { name: "f" },
    });
    expect(result).toMatchObject({ finishReason: "tool-calls", toolCalls: [{ type: "tool-call", id: "a1", name: "f", input: { a: 1 } }] });
    expect(result.warnings).toMatchObject([{ code: "option-ignored", message: "mock/m does not know minP; not sent" }]);
    const { abortSignal: _, ...sent } = mock.doStreamCalls[0] ?? {};
    expect(sent).toEqual({
      maxOutputTokens: 512,
      temperature: 0.5,
      topP: 0.9,
      topK: 3,
      seed: 7,
      stopSequences: ["END"],
      prompt: [
        { role: "system", content: "Be brief." },
        { role: "user", content: [{ type: "text", text: "x" }] },
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "hm" },
            { type: "tool-call", toolCallId: "a0", toolName: "f", input: { a: 0 } },
          ],
        },
        {
          role: "tool",
          content: [{ type: "tool-result", toolCallId: "a0", toolName: "f", output: { type: "text", value: '{"ok":true}' } }],
        },
      ],
      tools: [{ type: "function", name: "f", description: "does it", inputSchema }],
      toolChoice: { type: "tool", toolName: "f" },
    });
  });

  it("asks for a form in the provider's words, and judges what comes", async () => {
    const told = (json: string) => saying({ type: "text-delta", id: "t", delta: json }, finish("stop"));
    const schema = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] } as const;
    const mock = told('{"a": 1}');
    expect(await fromAiSdk(mock).generate("x", { jsonSchema: schema })).toMatchObject({ json: { a: 1 }, finishReason: "stop" });
    expect(mock.doStreamCalls[0]?.responseFormat).toEqual({ type: "json", schema });
    expect((await fromAiSdk(told('{"answer": "no"}')).generate("x", { choices: ["yes", "no"] })).text).toBe("no");
    expect((await failure(fromAiSdk(told('{"a": "x"}')).generate("x", { jsonSchema: schema }))).code).toBe("run-form");
    expect(await failure(fromAiSdk(told("x")).generate("x", { grammar: 'root ::= "x"' }))).toMatchObject({
      code: "run-option",
      where: "grammar",
    });
  });

  it("tells what the provider warns of and what is left out beside the text", async () => {
    const warnings: Extract<LanguageModelV3StreamPart, { type: "stream-start" }>["warnings"] = [
      { type: "unsupported", feature: "topK" },
      { type: "compatibility", feature: "seed", details: "by the day" },
      { type: "other", message: "careful" },
    ];
    const file = { type: "file", mediaType: "image/png", data: "AA==" } as const;
    const said = [{ type: "stream-start", warnings }, { type: "text-delta", id: "t", delta: "Hi" }, file, file, finish("stop")] as const;
    expect(await fromAiSdk(saying(...said)).generate("x", { topK: 4 })).toMatchObject({
      text: "Hi",
      warnings: [
        { code: "option-ignored", message: "mock/m does not know topK; it passes that over", options: ["topK"] },
        { code: "provider-note", message: "mock/m takes seed in its own way: by the day", options: ["seed"] },
        { code: "provider-note", message: "mock/m: careful" },
        { code: "provider-note", message: "mock/m gave a file beside the text, which is left out" },
      ],
    });
    const older = [
      { type: "unsupported-setting", setting: "topK", details: "never" },
      { type: "unsupported-tool", tool: { name: "f" } },
      { type: "other" },
      7,
    ];
    const stream = convertArrayToReadableStream([{ type: "stream-start", warnings: older }, finish("stop")]);
    const model = { specificationVersion: "v2", provider: "p", modelId: "m", doStream: async () => ({ stream }) };
    expect((await fromAiSdk(model as AiSdkModel).generate("x")).warnings).toMatchObject([{ options: ["topK"] }, { options: ["f"] }]);
  });

  it("takes the shapes v2 and v4", async () => {
    const model = (specificationVersion: string, end: object): AiSdkModel => ({
      specificationVersion,
      provider: "p",
      modelId: "m",
      doStream: async () => ({ stream: convertArrayToReadableStream<unknown>([{ type: "text-delta", id: "t", delta: "Hi" }, end]) }),
    });
    const v2 = { type: "finish", finishReason: "length", usage: { inputTokens: 5, outputTokens: 4, totalTokens: 9, cachedInputTokens: 1 } };
    expect(await fromAiSdk(model("v2", v2)).generate("x")).toMatchObject({
      text: "Hi",
      finishReason: "length",
      usage: { promptTokens: 5, completionTokens: 4, cachedTokens: 1 },
    });
    expect(await fromAiSdk(model("v4", finish("stop"))).generate("x")).toMatchObject({ text: "Hi", finishReason: "stop" });
    for (const wrong of [model("v1", v2), {}, undefined, "gpt"])
      expect(() => fromAiSdk(wrong as AiSdkModel)).toThrow(expect.objectContaining({ code: "run-option" }));
  });

  it("fails with typed errors, by the status of the provider's own, and keeps the text so far", async () => {
    const status = (statusCode: number): AiSdkModel => ({
      specificationVersion: "v3",
      provider: "p",
      modelId: "m",
      doStream: () => Promise.reject(Object.assign(new Error("no"), { statusCode })),
    });
    for (const [code, number] of [
      ["provider-unauthorized", 401],
      ["provider-rate-limit", 429],
      ["provider-error", 500],
    ] as const)
      expect(await failure(fromAiSdk(status(number)).generate("x"))).toMatchObject({ code, where: "p/m", details: { status: number } });
    const text: LanguageModelV3StreamPart = { type: "text-delta", id: "t", delta: "half" };
    const details = { partialText: "half" };
    for (const model of [
      saying(text, { type: "error", error: new Error("it fell over") }),
      saying(text),
      saying(text, finish("content-filter")),
    ])
      expect(await failure(fromAiSdk(model).generate("x"))).toMatchObject({ code: "provider-error", details });
    for (const option of ["raw", "continueLast"])
      expect(await failure(fromAiSdk(saying(...hello)).generate("x", { [option]: true }))).toMatchObject({
        code: "run-option",
        where: option,
      });
  });

  it("ends with an abort that the provider does not look at, and has arguments that are no JSON as their text", async () => {
    const never = new Promise<never>(() => undefined);
    const deaf = (doStream: AiSdkModel["doStream"]): AiSdkModel => ({ specificationVersion: "v3", provider: "p", modelId: "m", doStream });
    for (const model of [
      deaf(() => never),
      deaf(async () => ({ stream: new ReadableStream({ pull: () => never, cancel: () => never }) })),
    ]) {
      expect((await failure(fromAiSdk(model).generate("x", { signal: AbortSignal.timeout(20) }))).code).toBe("run-aborted");
      const closed = fromAiSdk(model);
      setTimeout(() => void closed.dispose(), 20);
      expect((await failure(closed.generate("x"))).code).toBe("run-closed");
    }
    const wrong = saying({ type: "tool-call", toolCallId: "1", toolName: "f", input: '{"a' }, finish("tool-calls"));
    expect((await fromAiSdk(wrong).generate("x")).toolCalls).toMatchObject([{ name: "f", input: '{"a' }]);
  });

  it("ends the request with an abort, with the loop, and with the model", async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const abort = new AbortController();
    let pieces = 0;
    const endless: AiSdkModel = {
      specificationVersion: "v3",
      provider: "p",
      modelId: "m",
      doStream: async ({ abortSignal }: { readonly abortSignal?: AbortSignal }) => {
        signals.push(abortSignal);
        const stream = new ReadableStream<unknown>({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 1));
            if (abortSignal?.aborted === true) controller.error(abortSignal.reason);
            else controller.enqueue({ type: "text-delta", id: "t", delta: "x" });
            pieces += 1;
            if (pieces === 5) setTimeout(() => abort.abort()); // when some text has come
          },
        });
        return { stream };
      },
    };
    const model = fromAiSdk(endless);
    expect(await failure(model.generate("x", { signal: abort.signal }))).toMatchObject({
      code: "run-aborted",
      details: { partialText: expect.stringMatching(/^x+$/) },
    });
    for await (const part of model.stream("x")) if (part.type === "text-delta") break;
    setTimeout(() => void model.dispose(), 20);
    expect((await failure(model.generate("x"))).code).toBe("run-closed");
    expect((await failure(model.generate("x"))).code).toBe("run-closed");
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, true, true]);
  });
});
