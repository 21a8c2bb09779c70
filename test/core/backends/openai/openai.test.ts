/** Chat completions: what is sent, and what streams of several servers say. The official client (openai 6.49.0) is the judge of the same streams. */
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import type { Message } from "../../../../src/core/spec/generate.ts";
import { inputProblem } from "../../../../src/core/tools/input-problem.ts";
import { failure } from "../../../support/failure.ts";
import { type Service, serviceOf, streamed, wireOf } from "../../../support/service.ts";

const chunk = (choice: object | undefined, more: object = {}): object => ({
  id: "c1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: choice === undefined ? [] : [{ index: 0, ...choice }],
  ...more,
});
const delta = (inner: object, finish_reason: string | null = null): object => chunk({ delta: inner, finish_reason });
const usage = { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8, prompt_tokens_details: { cached_tokens: 2 } };
const call = (index: number | undefined, more: object): object =>
  delta({ tool_calls: [{ ...(index === undefined ? {} : { index }), ...more }] });
const done = "data: [DONE]\n\n";

const plain = [
  delta({ role: "assistant", content: "" }),
  delta({ content: "Hé" }),
  delta({ content: 'llo \u2028 "\n😀' }),
  delta({}, "stop"),
  chunk(undefined, { usage }),
];
const withCalls = [
  delta({ role: "assistant", content: null }),
  call(0, { id: "a1", type: "function", function: { name: "get_weather", arguments: "" } }),
  call(0, { function: { arguments: '{"city": "Ro' } }),
  call(0, { function: { arguments: 'me"}' } }),
  call(1, { id: "a2", type: "function", function: { name: "now", arguments: "{}" } }),
  delta({}, "tool_calls"),
  chunk(undefined, { usage }),
];

const office = { office: { provider_type: "openai-compatible", base_url: "http://127.0.0.1:9/v1" } } as const;
const saying = (text: string, step?: number): Service => serviceOf("office/m", office, () => streamed(text, step));
const openai = (text: string, more: object = {}): Service =>
  serviceOf("openai/gpt", { openai: { provider_type: "openai", api_key: "key-of-mine", ...more } }, () => streamed(text));

/** The official client over the same stream. */
async function judge(text: string): Promise<OpenAI.ChatCompletion> {
  const client = new OpenAI({ apiKey: "k", maxRetries: 0, fetch: async () => streamed(text, 7) });
  return client.chat.completions.stream({ model: "m", messages: [{ role: "user", content: "x" }] }).finalChatCompletion();
}

describe("a stream of chat completions", () => {
  it("is the same at every cut, and what the official client reads of it", async () => {
    for (const events of [plain, withCalls]) {
      const text = wireOf(events) + done;
      const official = await judge(text);
      const [choice] = official.choices;
      const bytes = new TextEncoder().encode(text).length;
      for (const step of [...Array.from({ length: 40 }, (_, i) => i + 1), bytes]) {
        const { text: said, toolCalls, finishReason, usage: counted } = await saying(text, step).ask("x");
        expect(said).toBe(choice?.message.content ?? "");
        expect(toolCalls.map(({ id, name, input }) => [id, name, input])).toEqual(
          (choice?.message.tool_calls ?? []).map(
            (each) => each.type === "function" && [each.id, each.function.name, JSON.parse(each.function.arguments)],
          ),
        );
        expect(finishReason).toBe(choice?.finish_reason === "tool_calls" ? "tool-calls" : choice?.finish_reason);
        expect(counted).toEqual({ promptTokens: 5, completionTokens: 3, totalTokens: 8, cachedTokens: 2 });
      }
    }
  });

  it("is read as vLLM, llama.cpp, LM Studio and Ollama send it: CRLF, comments, thought by either name, no index, usage everywhere, no [DONE]", async () => {
    const text = `: OPENROUTER PROCESSING\r\n\r\n${wireOf(
      [
        delta({ role: "assistant", reasoning_content: "so " }),
        delta({ reasoning: "then" }),
        chunk({ delta: { role: "assistant", content: "Hi" } }, { usage: { prompt_tokens: 5, completion_tokens: 1 } }),
        call(undefined, { id: "a1", function: { name: "f", arguments: { a: 1 } } }),
        call(undefined, { id: "a2", function: { name: "g", arguments: "{" } }),
        call(undefined, { function: { arguments: "}" } }),
        chunk({ delta: {}, finish_reason: "stop" }, { usage: { prompt_tokens: 5, completion_tokens: 3 } }),
      ],
      "\r\n",
    )}`;
    expect(await saying(text, 3).ask("x")).toMatchObject({
      text: "Hi",
      reasoning: "so then",
      toolCalls: [
        { id: "a1", name: "f", input: { a: 1 } },
        { id: "a2", name: "g", input: {} },
      ],
      finishReason: "tool-calls",
      usage: { promptTokens: 5, completionTokens: 3 },
    });
  });

  it("is read as Mistral sends what thinks: lists of parts; anything else that is no text fails", async () => {
    const said = (content: unknown): object => delta({ content });
    const parts = [
      { type: "thinking", thinking: [{ type: "text", text: "so" }, { type: "reference" }, null] },
      { type: "text", text: "H" },
    ];
    const text = wireOf([said(parts), said([{ type: "text", text: "i" }, 7]), said([]), said(null), delta({}, "stop")]);
    expect(await saying(text, 5).ask("x")).toMatchObject({ text: "Hi", reasoning: "so", finishReason: "stop", warnings: [] });
    for (const content of [7, true, { text: "Hi" }])
      expect(await failure(saying(wireOf([said(content), delta({}, "stop")])).ask("x"))).toMatchObject({
        code: "provider-error",
        message: expect.stringContaining("sends content that is no text"),
      });
  });

  it("tells where a tool was called that was not to be", async () => {
    const tools = [{ name: "get_weather" }, { name: "now" }];
    const { warnings } = await saying(wireOf(withCalls)).ask("x", { tools, toolChoice: "none" });
    expect(warnings).toMatchObject([{ code: "option-ignored", message: expect.stringContaining("called a tool, though it was not to") }]);
    expect((await saying(wireOf(withCalls)).ask("x", { tools })).warnings).toEqual([]);
  });

  it("has arguments that are no JSON as their text, which goes back as an object", async () => {
    const service = saying(wireOf([call(0, { id: "a", function: { name: "f", arguments: '{"a' } }), delta({}, "tool_calls")]));
    const { toolCalls } = await service.ask("x");
    expect(toolCalls).toEqual([{ type: "tool-call", id: "a", name: "f", input: '{"a' }]);
    expect(inputProblem({ type: "object" }, toolCalls[0]?.input)).toContain("input: expected an object, got");
    const again = saying(wireOf(plain));
    await again.ask([
      { role: "user", content: "x" },
      { role: "assistant", content: toolCalls },
      { role: "tool", content: [{ type: "tool-result", id: "a", result: "error" }] },
    ]);
    const called = { function: { name: "f", arguments: '{"unreadable":"{\\"a"}' } };
    expect(again.heard[0]?.body["messages"]).toMatchObject([{}, { tool_calls: [called] }, {}]);
  });

  it("ends with length where it was cut, and says so where no text came", async () => {
    const cut = wireOf([delta({ content: "half" }), call(0, { id: "a", function: { name: "f", arguments: '{"a' } }), delta({}, "length")]);
    expect(await saying(cut).ask("x")).toMatchObject({ text: "half", toolCalls: [], finishReason: "length" });
    const thought = wireOf([delta({ reasoning: "hm" }), delta({}, "length")]);
    expect((await saying(thought).ask("x")).warnings).toMatchObject([
      { code: "answer-missing", message: expect.stringContaining("after thinking") },
    ]);
  });

  const broken: readonly (readonly [string, string, string])[] = [
    ["a connection that closes early", wireOf(plain.slice(0, 3)), "broke the answer off"],
    ["one that closes within an event", wireOf(plain).slice(0, 200), "other than an object of JSON"],
    ["a web page", "<html>hello</html>", "broke the answer off"],
    ["text that is no JSON", "data: hello\n\n", "other than an object of JSON"],
    [
      "an error after the start",
      `${wireOf([plain[1] ?? {}])}data: {"error":{"message":"it fell over","type":"server_error"}}\n\n`,
      "it fell over",
    ],
    ["a number", "data: 5\n\n", 'other than an object of JSON: "5"'],
    ["content that is an object", wireOf([delta({ content: { a: 1 } }), delta({}, "stop")]), "content that is no text"],
    ["choices that are an object", wireOf([{ choices: {} }, delta({}, "stop")]), "choices that are no list"],
    ["a filter", wireOf([delta({ content: "no" }, "content_filter")]), "filter"],
    ["a reason that nobody knows", wireOf([delta({ content: "no" }, "abort")]), '"abort"'],
    ["one JSON object in place of a stream", '\n{"error":{"message":"model overloaded"}}', "reports an error: model overloaded"],
    ["another JSON object", '{"choices": []}', "answered with JSON, expected a stream of events"],
    [
      "calls without end",
      wireOf([...Array.from({ length: 200 }, (_, i) => call(i, { id: `a${i}`, function: { name: "f" } })), delta({}, "tool_calls")]),
      "more than 128",
    ],
  ];
  it("ends an answer that is longer than its tokens can be, and no other", async () => {
    const long = wireOf([...Array.from({ length: 70 }, () => delta({ content: "spam".repeat(512) })), delta({}, "stop")]);
    expect((await saying(long).ask("x", { maxTokens: 100 })).text).toHaveLength(143_360);
    const error = await failure(saying(long).ask("x", { maxTokens: 5 }));
    expect(error).toMatchObject({ code: "provider-error", where: "127.0.0.1:9" });
    expect(error.message).toContain("sends an answer without end: more than 132,352 characters for at most 5 tokens");
  });

  it.each(broken)("fails at %s", async (_, text, words) => {
    const error = await failure(saying(text, 50).ask("x"));
    expect(error).toMatchObject({ code: "provider-error", exitCode: 5, where: "127.0.0.1:9" });
    expect(error.message).toContain(words);
    if (text.includes('"Hé"')) expect(error.details?.["partialText"]).toContain("Hé");
  });
});

describe("an answer with a form", () => {
  const told = (said: string, reason = "stop"): Service =>
    saying(wireOf([delta({ content: said.slice(0, 5) }), delta({ content: said.slice(5) }), delta({}, reason)]));
  const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false } as const;

  it("is asked for by its schema, and judged", async () => {
    const service = told('{"city": "Rome"}');
    const result = await service.ask("x", { jsonSchema: schema });
    expect(result).toMatchObject({ text: '{"city": "Rome"}', json: { city: "Rome" }, finishReason: "stop" });
    const format: OpenAI.ResponseFormatJSONSchema = { type: "json_schema", json_schema: { name: "answer", strict: true, schema } };
    expect(service.heard[0]?.body["response_format"]).toEqual(format);
    const loose = told('{"city": "Rome"}');
    await loose.ask("x", { jsonSchema: { ...schema, required: [] } });
    expect(loose.heard[0]?.body).toMatchObject({ response_format: { json_schema: { strict: false } } });
    for (const wrong of ["Rome", '{"city": 7}', "{}"])
      expect(await failure(told(wrong).ask("x", { jsonSchema: schema }))).toMatchObject({
        code: "run-form",
        details: { partialText: wrong },
      });
    const cut = await told('{"city": "Ro', "length").ask("x", { jsonSchema: schema });
    expect([cut.finishReason, cut.json]).toEqual(["length", undefined]);
  });

  it("has plain groups in its patterns, since others end the process of Ollama", async () => {
    const patternOf = async (options: object): Promise<unknown> => {
      const service = told("x");
      await failure(service.ask("x", options));
      const { response_format: format } = (service.heard[0]?.body ?? {}) as { readonly response_format: OpenAI.ResponseFormatJSONSchema };
      return format.json_schema.schema?.["properties"];
    };
    expect(await patternOf({ regex: "(?:a|b)\\(?:[(?:]" })).toEqual({ answer: { type: "string", pattern: "^((a|b)\\(?:[(?:])$" } });
    // as zod 3 writes it
    const email = "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$";
    const properties = {
      pattern: { type: "string", pattern: "^(?:a)$" },
      const: { type: "array", items: { type: "string", pattern: "(?:b)" } },
      mail: { type: "string", format: "email", pattern: email },
      kind: { enum: ["(?:"], default: { pattern: "(?:" } },
    };
    expect(await patternOf({ jsonSchema: { type: "object", properties } })).toEqual({
      pattern: { type: "string", pattern: "^(a)$" },
      const: { type: "array", items: { type: "string", pattern: "(b)" } },
      mail: { type: "string", format: "email" },
      kind: properties.kind,
    });
  });

  it("has no number beyond those that JSON keeps, and no day that a month has not", async () => {
    const numbers = { type: "object", properties: { a: { type: "number" } } } as const;
    const days = { type: "object", properties: { d: { type: "string", format: "date" } } } as const;
    expect((await failure(told('{"a": 1e999}').ask("x", { jsonSchema: numbers }))).message).toContain("got a larger one in a");
    expect((await failure(told('{"d": "2026-02-31"}').ask("x", { jsonSchema: days }))).message).toContain(
      "answer.d: expected text of the format date",
    );
    expect((await failure(told('{"d": "1900-02-29"}').ask("x", { jsonSchema: days }))).code).toBe("run-form");
    expect((await told('{"d": "2024-02-29"}').ask("x", { jsonSchema: days })).json).toEqual({ d: "2024-02-29" });
    expect((await told('{"a": 1e308}').ask("x", { jsonSchema: numbers })).json).toEqual({ a: 1e308 });
  });

  it("is a member of an object where it is none: lists, choices, expressions", async () => {
    const list = told('{"answer": [1, 2]}');
    expect(await list.ask("x", { jsonSchema: { type: "array", items: { type: "integer" } } })).toMatchObject({
      text: "[1,2]",
      json: [1, 2],
    });
    expect(list.heard[0]?.body).toMatchObject({
      response_format: { json_schema: { strict: true, schema: { properties: { answer: { type: "array", items: { type: "integer" } } } } } },
    });
    const choice = told('{"answer": "no"}');
    expect((await choice.ask("x", { choices: ["yes", "no"] })).text).toBe("no");
    expect(choice.heard[0]?.body).toMatchObject({
      response_format: { json_schema: { schema: { properties: { answer: { enum: ["yes", "no"] } } } } },
    });
    expect((await told('{"answer": "ab12"}').ask("x", { regex: /[a-z]+\d+/ })).text).toBe("ab12");
    for (const [wrong, options] of [
      ['{"answer": "maybe"}', { choices: ["yes", "no"] }],
      ["maybe", { choices: ["yes", "no"] }],
      ['{"answer": "12"}', { regex: "[a-z]+" }],
    ] as const)
      expect((await failure(told(wrong).ask("x", options))).code).toBe("run-form");
    expect(await failure(told("x").ask("x", { grammar: 'root ::= "x"' }))).toMatchObject({ code: "run-option", where: "grammar" });
  });
});

describe("what is sent", () => {
  const sent = async (service: Service, options = {}, prompt: string | readonly Message[] = "x") => {
    const result = await service.ask(prompt, options);
    return { body: service.heard[0]?.body ?? {}, warnings: result.warnings, ...service.heard[0] };
  };
  const text = wireOf(plain);

  it("is what was asked for, by the names of the service, to its address, with its key", async () => {
    const { body, url, headers, warnings } = await sent(openai(text), {
      temperature: 0.2,
      topP: 0.5,
      presencePenalty: 1,
      frequencyPenalty: -1,
      seed: 7,
      stop: "END",
      system: "Be brief.",
    });
    expect(url).toBe("https://api.openai.com/v1/chat/completions");
    expect(headers?.get("authorization")).toBe("Bearer key-of-mine");
    expect(body).toEqual({
      model: "gpt",
      stream: true,
      stream_options: { include_usage: true },
      max_completion_tokens: 512,
      temperature: 0.2,
      top_p: 0.5,
      presence_penalty: 1,
      frequency_penalty: -1,
      seed: 7,
      stop: ["END"],
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "x" },
      ],
    });
    expect(warnings).toEqual([]);
  });

  it("shows no part of the key that a broken stream repeats", async () => {
    for (let before = 55; before < 75; before += 1) {
      const { message } = await failure(sent(openai(`data: ${"q".repeat(before)}Bearer key-of-mine\n\n`), {}));
      expect(message, String(before)).toContain("something other than an object of JSON");
      expect(message, String(before)).not.toContain("key-o");
    }
  });

  it("names in one warning what the service does not know; others know more", async () => {
    const options = { topK: 5, minP: 0.1, repeatPenalty: 1.2, numBeams: 2, temperature: 0 };
    const { body, warnings } = await sent(openai(text), options);
    expect(warnings).toEqual([
      {
        code: "option-ignored",
        message: "openai does not know topK, minP, repeatPenalty, numBeams; not sent",
        options: ["topK", "minP", "repeatPenalty", "numBeams"],
      },
    ]);
    expect(body).not.toHaveProperty("top_k");
    const other = await sent(saying(text), options);
    expect(other.body).toMatchObject({ max_tokens: 512, top_k: 5, min_p: 0.1, temperature: 0 });
    expect(other.headers?.get("authorization")).toBeNull();
    expect(other.warnings).toMatchObject([{ message: "office does not know repeatPenalty, numBeams; not sent" }]);
    // a preset that switches things off asks for nothing that is missing
    expect((await sent(openai(text), { preset: "greedy" })).warnings).toEqual([]);
  });

  it("is a conversation with calls and results, as the official client types it", async () => {
    const messages: readonly Message[] = [
      { role: "user", content: "weather?" },
      {
        role: "assistant",
        content: [
          { type: "reasoning", text: "hm" },
          { type: "tool-call", id: "a1", name: "get_weather", input: { city: "Rome" } },
        ],
      },
      { role: "tool", content: [{ type: "tool-result", id: "a1", result: { degrees: 20 } }] },
    ];
    const expected: OpenAI.ChatCompletionMessageParam[] = [
      { role: "user", content: "weather?" },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "a1", type: "function", function: { name: "get_weather", arguments: '{"city":"Rome"}' } }],
      },
      { role: "tool", content: '{"degrees":20}', tool_call_id: "a1" },
    ];
    expect((await sent(openai(text), {}, messages)).body["messages"]).toEqual(expected);
    expect((await sent(saying(text), {}, messages)).body["messages"]).toMatchObject([{}, { reasoning_content: "hm" }, {}]);
  });

  it("is tools, as the official client types them; a call that has to come, one alone", async () => {
    const schema = { type: "object", properties: { city: { type: "string" } } };
    const tools = [
      { name: "get_weather", description: "Weather of a city", inputSchema: schema },
      { name: "now", inputSchema: z.object({ zone: z.string() }) },
    ];
    const expected: OpenAI.ChatCompletionTool[] = [
      { type: "function", function: { name: "get_weather", description: "Weather of a city", parameters: schema } },
      {
        type: "function",
        function: { name: "now", description: "", parameters: expect.objectContaining({ properties: { zone: { type: "string" } } }) },
      },
    ];
    const auto = (await sent(saying(text), { tools })).body;
    expect(auto["tools"]).toEqual(expected);
    expect([auto["tool_choice"], auto["parallel_tool_calls"]]).toEqual([undefined, undefined]);
    const forced = (await sent(saying(text), { tools, toolChoice: { name: "now" }, parallelToolCalls: false })).body;
    expect(forced).toMatchObject({ tool_choice: { type: "function", function: { name: "now" } }, parallel_tool_calls: false });
    expect((await sent(saying(text), { tools, toolChoice: "required" })).body).toMatchObject({ tool_choice: "required" });
    expect(await failure(saying(text).ask("x", { raw: true, tools }))).toMatchObject({ code: "run-option", where: "tools" });
    expect(await failure(saying(text).ask("x", { continueLast: true }))).toMatchObject({ code: "run-option", where: "continueLast" });
  });

  it("leaves thinking out where the server has a word for that, and says so where it has none", async () => {
    expect((await sent(saying(text), { reasoning: "off" })).body).toMatchObject({ chat_template_kwargs: { enable_thinking: false } });
    const { body, warnings } = await sent(openai(text), { reasoning: "off" });
    expect(body).not.toHaveProperty("chat_template_kwargs");
    expect(warnings).toMatchObject([{ code: "option-ignored", message: expect.stringContaining("reasoning") }]);
  });

  it("is a raw text where that is asked for", async () => {
    const raw = wireOf([chunk({ text: " one" }), chunk({ text: " two", finish_reason: "stop" })]);
    const service = saying(raw);
    expect(await service.ask("Count:", { raw: true, maxTokens: 4 })).toMatchObject({ text: " one two", finishReason: "stop" });
    expect(service.heard[0]).toMatchObject({ url: "http://127.0.0.1:9/v1/completions", body: { prompt: "Count:", max_tokens: 4 } });
    const own = openai(raw);
    await own.ask("Count:", { raw: true, maxTokens: 4 });
    expect(own.heard[0]?.body).toMatchObject({ max_tokens: 4 });
    expect(own.heard[0]?.body).not.toHaveProperty("max_completion_tokens");
  });

  it("is nothing where an option cannot be said", async () => {
    for (const [options, where] of [
      [{ stop: ["a", "b", "c", "d", "e"] }, "stop"],
      [{ device: "cpu" }, "device"],
    ] as const) {
      const service = openai(text);
      expect(await failure(service.ask("x", options))).toMatchObject({ code: "run-option", where });
      expect(service.heard).toEqual([]);
    }
    for (const [options, where] of [
      [{ contextSize: 4096 }, "contextSize"],
      [{ device: "cpu" }, "device"],
    ] as const)
      expect(await failure(openai(text).spell.load("openai/gpt", options))).toMatchObject({ code: "run-option", where });
  });
});
