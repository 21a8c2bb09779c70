/** Messages of Anthropic: what is sent, and what its events say. The official client (@anthropic-ai/sdk 1.14.0) is the judge of the same streams. */
import Anthropic from "@anthropic-ai/sdk";
import { describe, expect, it } from "vitest";
import type { Message } from "../../../../src/core/spec/generate.ts";
import { failure } from "../../../support/failure.ts";
import { type Service, serviceOf, streamed, wireOf } from "../../../support/service.ts";

const start = (
  input: object = { input_tokens: 9, cache_read_input_tokens: 4, cache_creation_input_tokens: 2, output_tokens: 1 },
): object => ({
  type: "message_start",
  message: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "c",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: input,
  },
});
const block = (index: number, content_block: object): object => ({ type: "content_block_start", index, content_block });
const delta = (index: number, inner: object): object => ({ type: "content_block_delta", index, delta: inner });
const stop = (index: number): object => ({ type: "content_block_stop", index });
const end = (stop_reason: string): readonly object[] => [
  { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 5 } },
  { type: "message_stop" },
];
const text = (index: number, ...pieces: readonly string[]): readonly object[] => [
  block(index, { type: "text", text: "" }),
  ...pieces.map((piece) => delta(index, { type: "text_delta", text: piece })),
  stop(index),
];

const plain = [start(), { type: "ping" }, ...text(0, "Hé", "llo 😀"), ...end("end_turn")];
const withCalls = [
  start(),
  block(0, { type: "thinking", thinking: "", signature: "" }),
  delta(0, { type: "thinking_delta", thinking: "hm" }),
  delta(0, { type: "signature_delta", signature: "c2ln" }),
  stop(0),
  ...text(1, "Let me look."),
  block(2, { type: "tool_use", id: "t1", name: "get_weather", input: {} }),
  delta(2, { type: "input_json_delta", partial_json: '{"city":' }),
  delta(2, { type: "input_json_delta", partial_json: ' "Rome"}' }),
  stop(2),
  block(3, { type: "tool_use", id: "t2", name: "now", input: {} }),
  stop(3),
  ...end("tool_use"),
];

const saying = (wire: string, step?: number): Service =>
  serviceOf("anthropic/c", { anthropic: { provider_type: "anthropic", api_key: "key-of-mine" } }, () => streamed(wire, step));

async function judge(wire: string): Promise<Anthropic.Message> {
  const client = new Anthropic({ apiKey: "k", maxRetries: 0, fetch: async () => streamed(wire, 7) });
  return client.messages.stream({ model: "c", max_tokens: 9, messages: [{ role: "user", content: "x" }] }).finalMessage();
}

describe("the events of a message", () => {
  it("are the same at every cut, and what the official client reads of them", async () => {
    for (const events of [plain, withCalls]) {
      const wire = wireOf(events, "\n", true);
      const official = await judge(wire);
      const textOf = official.content.flatMap((each) => (each.type === "text" ? [each.text] : [])).join("");
      const calls = official.content.flatMap((each) => (each.type === "tool_use" ? [[each.id, each.name, each.input]] : []));
      const thought = official.content.flatMap((each) => (each.type === "thinking" ? [each.thinking] : [])).join("");
      for (const step of [...Array.from({ length: 40 }, (_, i) => i + 1), wire.length]) {
        const answer = await saying(wire, step).ask("x");
        expect(answer.text).toBe(textOf);
        expect(answer.reasoning ?? "").toBe(thought);
        expect(answer.toolCalls.map(({ id, name, input }) => [id, name, input])).toEqual(calls);
        expect(answer.finishReason).toBe(official.stop_reason === "tool_use" ? "tool-calls" : "stop");
        expect(answer.usage).toEqual({ promptTokens: 15, completionTokens: 5, totalTokens: 20, cachedTokens: 4 });
      }
    }
  });

  it("end as their reasons say; kinds of later days are passed over", async () => {
    const later = [
      start(),
      { type: "sparkle", index: 0 },
      block(0, { type: "hologram" }),
      delta(0, { type: "hologram_delta", light: 1 }),
      stop(0),
    ];
    for (const [reason, finishReason] of [
      ["end_turn", "stop"],
      ["stop_sequence", "stop"],
      ["max_tokens", "length"],
      ["model_context_window_exceeded", "length"],
    ] as const)
      expect(await saying(wireOf([...later, ...text(1, "Hi"), ...end(reason)])).ask("x")).toMatchObject({ text: "Hi", finishReason });
  });

  it.each([
    ["a connection that closes early", wireOf(plain.slice(0, -1)), "provider-error", "broke the answer off"],
    ["a refusal", wireOf([start(), ...text(0, "I"), ...end("refusal")]), "provider-error", "refused to answer"],
    [
      "an overload after the start",
      wireOf([start(), { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }]),
      "provider-rate-limit",
      "Overloaded",
    ],
    [
      "another error",
      wireOf([start(), { type: "error", error: { type: "api_error", message: "it fell over" } }]),
      "provider-error",
      "it fell over",
    ],
    ["text that is no JSON", "data: hello\n\n", "provider-error", "other than an object of JSON"],
  ])("fail at %s", async (_, wire, code, words) => {
    const error = await failure(saying(wire, 50).ask("x"));
    expect(error).toMatchObject({ code, exitCode: 5 });
    expect(error.message).toContain(words);
  });

  it("have arguments that are no JSON as their text", async () => {
    const wire = wireOf([
      start(),
      block(0, { type: "tool_use", id: "t", name: "f", input: {} }),
      delta(0, { type: "input_json_delta", partial_json: "{a" }),
      stop(0),
      ...end("tool_use"),
    ]);
    expect((await saying(wire, 50).ask("x")).toolCalls).toEqual([{ type: "tool-call", id: "t", name: "f", input: "{a" }]);
  });

  it("are busy servers, whatever page says so; the wait they ask for is told once, and an address may end in /v1", async () => {
    const refused = (status: number) =>
      serviceOf(
        "anthropic/c",
        { anthropic: { provider_type: "anthropic", api_key: "k", base_url: "https://llm.example/v1/" } },
        () => new Response("<html>", { status, headers: { "retry-after": "3600" } }),
      );
    for (const status of [429, 529]) {
      const service = refused(status);
      const error = await failure(service.ask("x"));
      expect(error).toMatchObject({ code: "provider-rate-limit", details: { status } });
      expect(error.message.match(/wait/g)).toHaveLength(1);
      expect(service.heard.map(({ url }) => url)).toEqual(["https://llm.example/v1/messages"]);
    }
  });
});

describe("what is sent", () => {
  it("is what was asked for, to its address, with its key and version", async () => {
    const service = saying(wireOf(plain));
    const { warnings } = await service.ask("x", {
      temperature: 0.3,
      topP: 0.5,
      topK: 3,
      stop: ["END"],
      system: "Be brief.",
      seed: 3,
      presencePenalty: 1,
    });
    expect(warnings).toMatchObject([{ code: "option-ignored", message: "anthropic does not know presencePenalty, seed; not sent" }]);
    const [{ url, headers, body } = { url: "", headers: new Headers(), body: {} }] = service.heard;
    expect(url).toBe("https://api.anthropic.com/v1/messages");
    expect([headers.get("x-api-key"), headers.get("anthropic-version"), headers.get("authorization")]).toEqual([
      "key-of-mine",
      "2023-06-01",
      null,
    ]);
    expect(headers.get("anthropic-dangerous-direct-browser-access")).toBeNull();
    expect(body).toEqual({
      model: "c",
      stream: true,
      max_tokens: 512,
      temperature: 0.3,
      top_p: 0.5,
      top_k: 3,
      stop_sequences: ["END"],
      system: "Be brief.",
      messages: [{ role: "user", content: [{ type: "text", text: "x" }] }],
    });
  });

  it("alternates turns, and gives back the thought of a step with its signature", async () => {
    const service = saying(wireOf(withCalls));
    const model = await service.spell.load("anthropic/c");
    const { toolCalls, text: said } = await model.generate("weather?");
    const messages: readonly Message[] = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hello." },
      { role: "user", content: "weather?" },
      { role: "assistant", content: [{ type: "text", text: said }, ...toolCalls] },
      {
        role: "tool",
        content: [
          { type: "tool-result", id: "t1", result: { degrees: 20 } },
          { type: "tool-result", id: "t2", result: "noon" },
        ],
      },
      { role: "user", content: "And?" },
    ];
    await model.generate(messages);
    const expected: Anthropic.MessageParam[] = [
      {
        role: "user",
        content: [
          { type: "text", text: "Hello." },
          { type: "text", text: "weather?" },
        ],
      },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "hm", signature: "c2ln" },
          { type: "text", text: "Let me look." },
          { type: "tool_use", id: "t1", name: "get_weather", input: { city: "Rome" } },
          { type: "tool_use", id: "t2", name: "now", input: {} },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "t1", content: '{"degrees":20}' },
          { type: "tool_result", tool_use_id: "t2", content: "noon" },
          { type: "text", text: "And?" },
        ],
      },
    ];
    expect(service.heard[1]?.body).toMatchObject({ system: "Be brief.", messages: expected });
  });

  it("is tools, as the official client types them", async () => {
    const schema = { type: "object" as const, properties: { city: { type: "string" } } };
    const tools = [{ name: "get_weather", description: "Weather of a city", inputSchema: schema }, { name: "now" }];
    const expected: Anthropic.Tool[] = [
      { name: "get_weather", description: "Weather of a city", input_schema: schema },
      { name: "now", input_schema: { type: "object", properties: {} } },
    ];
    for (const [options, choice] of [
      [{}, { type: "auto" }],
      [{ toolChoice: "none" }, { type: "none" }],
      [
        { toolChoice: "required", parallelToolCalls: false },
        { type: "any", disable_parallel_tool_use: true },
      ],
      [{ toolChoice: { name: "now" } }, { type: "tool", name: "now" }],
    ] as const) {
      const service = saying(wireOf(plain));
      await service.ask("x", { tools, ...options });
      expect(service.heard[0]?.body).toMatchObject({
        tools: expected,
        tool_choice: choice satisfies Anthropic.MessageCreateParams["tool_choice"],
      });
    }
  });

  it("asks for a form by a tool that has to be called; its input is the answer", async () => {
    const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] } as const;
    const given = (name: string, json: string): Service =>
      saying(
        wireOf([
          start(),
          ...text(0, "Here it is:"),
          block(1, { type: "tool_use", id: "t1", name, input: {} }),
          delta(1, { type: "input_json_delta", partial_json: json.slice(0, 4) }),
          delta(1, { type: "input_json_delta", partial_json: json.slice(4) }),
          stop(1),
          ...end("tool_use"),
        ]),
      );
    const service = given("give_the_answer", '{"city": "Rome"}');
    const result = await service.ask("x", { jsonSchema: schema });
    expect(result).toMatchObject({ text: '{"city": "Rome"}', json: { city: "Rome" }, finishReason: "stop", toolCalls: [] });
    expect(service.heard[0]?.body).toMatchObject({
      tools: [{ name: "give_the_answer", input_schema: schema }],
      tool_choice: { type: "tool", name: "give_the_answer" },
    });
    expect((await given("give_the_answer", '{"answer": "no"}').ask("x", { choices: ["yes", "no"] })).text).toBe("no");
    expect((await failure(given("give_the_answer", '{"city": 7}').ask("x", { jsonSchema: schema }))).code).toBe("run-form");
    // a service of this kind that knows of no forced tools
    const spoken = (said: string): Service => saying(wireOf([start(), ...text(0, said), ...end("end_turn")]));
    expect((await spoken("yes").ask("x", { choices: ["yes", "no"] })).text).toBe("yes");
    expect(await spoken('{"city": "Rome"}').ask("x", { jsonSchema: schema })).toMatchObject({ json: { city: "Rome" } });
    expect(await failure(spoken("Maybe").ask("x", { choices: ["yes", "no"] }))).toMatchObject({
      code: "run-form",
      message: expect.stringContaining('got "Maybe"'),
    });
    const called = given("f", '{"a": 1}');
    expect(await called.ask("x", { jsonSchema: schema, tools: [{ name: "f" }] })).toMatchObject({
      finishReason: "tool-calls",
      toolCalls: [{ name: "f" }],
    });
    expect(called.heard[0]?.body).toMatchObject({ tools: [{ name: "f" }, { name: "give_the_answer" }], tool_choice: { type: "any" } });
    const last = given("give_the_answer", '{"city": "Rome"}');
    await last.ask("x", { jsonSchema: schema, tools: [{ name: "f" }], toolChoice: "none" });
    expect(last.heard[0]?.body).toMatchObject({
      tools: [{ name: "give_the_answer" }],
      tool_choice: { type: "tool", name: "give_the_answer" },
    });
  });

  it("is nothing where an option cannot be said", async () => {
    for (const [options, where] of [
      [{ temperature: 1.5 }, "temperature"],
      [{ raw: true }, "raw"],
      [{ continueLast: true }, "continueLast"],
    ] as const) {
      const service = saying(wireOf(plain));
      expect(await failure(service.ask("x", options))).toMatchObject({ code: "run-option", where });
      expect(service.heard).toEqual([]);
    }
  });

  it("tells a page's origin that its user's own key comes", async () => {
    const service = saying(wireOf(plain));
    const { createSpell } = await import("../../../../src/core/api/spell.ts");
    const page = createSpell({
      platform: { ...service.spell.platform, isPage: true },
      config: { providers: { anthropic: { provider_type: "anthropic", api_key: "k" } } },
    });
    await page.generate("anthropic/c", "x");
    expect(service.heard[0]?.headers.get("anthropic-dangerous-direct-browser-access")).toBe("true");
  });
});
