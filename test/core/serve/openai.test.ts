/** The official client of OpenAI, in the last two of its majors, over the API without a server. */
import * as six from "openai";
import * as seven from "openai-7";
import { describe, expect, it } from "vitest";
import { continuing } from "../../support/continuing.ts";
import { soonMs } from "../../support/soon.ts";
import { here, post, type ServedOptions } from "./support.ts";

const model = "tiny";
const messages = [{ role: "user" as const, content: "Say hello to Anna." }];
const schema = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};
const weather = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "Weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
  },
};
/** as models of the Hermes family call */
const call = '<tool_call>\n{"name": "get_weather", "arguments": {"city":"Rome"}}\n</tool_call>';
const callsWeather = continuing(call);
const thinks =
  "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}";
/** One crash, at this word. */
const crashOnce = (at: number) => {
  let crashes = 0;
  return (word: number): boolean => {
    if (word !== at || crashes > 0) return false;
    crashes += 1;
    return true;
  };
};

// the same calls; only the names of types differ
const majors = [
  ["6", six],
  ["7", seven as unknown as typeof six],
] as const;

describe.each(majors)("the client of OpenAI, %s", (_, { OpenAI, APIError, BadRequestError, InternalServerError, NotFoundError }) => {
  function client(options: ServedOptions = {}) {
    const own = here(options);
    return { ...own, openai: new OpenAI({ fetch: own.fetch, baseURL: "http://here/v1", apiKey: "none", maxRetries: 0 }) };
  }

  it("lists models and retrieves one", async () => {
    const { openai } = client();
    const { data } = await openai.models.list();
    const card = {
      id: model,
      object: "model",
      owned_by: "candle",
      context_length: 512,
      capabilities: ["completion", "chat"],
      device: null,
    };
    expect(data[0]).toMatchObject(card);
    await openai.chat.completions.create({ model, messages });
    expect(await openai.models.retrieve(model)).toMatchObject({ ...card, device: "cpu" });
    await expect(openai.models.retrieve("nobody")).rejects.toMatchObject({ status: 404, code: "model_not_found" });
  });

  it("tells the context that a model will be loaded with", async () => {
    for (const [options, tokens] of [
      [{ config: { providers: { candle: { context_size: 256 } } } }, 256],
      [{ config: { providers: { candle: { context_size: 0 } } } }, 512],
      [{ load: { contextSize: 128 } }, 128],
    ] as const) {
      const { openai } = client(options);
      const before = await openai.models.retrieve(model);
      await openai.chat.completions.create({ model, messages });
      expect([before, await openai.models.retrieve(model)]).toMatchObject([{ context_length: tokens }, { context_length: tokens }]);
    }
  });

  it("chats", async () => {
    const { openai, asked, records } = client();
    const answer = await openai.chat.completions.create({ model, messages, temperature: 0, seed: 3 });
    expect(answer).toMatchObject({
      object: "chat.completion",
      model,
      choices: [{ index: 0, message: { role: "assistant", content: "Hello Anna!", refusal: null }, logprobs: null, finish_reason: "stop" }],
      usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8, prompt_tokens_details: { cached_tokens: 0 } },
    });
    expect(answer).not.toHaveProperty("warnings");
    expect(asked[0]).toMatchObject({ prompt: "<user>Say hello to Anna.<assistant>", sampling: { kind: "greedy", seed: 3 } });
    expect(records).toMatchObject([
      { method: "POST", path: "/v1/chat/completions", status: 200, model: "./own.gguf", usage: { totalTokens: 8 } },
    ]);
  });

  it("gets several answers, whose seeds count up, and their sum of tokens", async () => {
    const { openai, asked } = client();
    const { choices, usage } = await openai.chat.completions.create({ model, messages, n: 3, seed: 4_294_967_295, stop: ["!"] });
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual([0, 1, 2].map((index) => [index, "Hello Anna"]));
    expect(asked.map(({ sampling }) => sampling.seed)).toEqual([4_294_967_295, 0, 1]);
    expect(usage).toMatchObject({ prompt_tokens: 15, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 8 } });
  });

  it("streams, with the usage last where it is asked for", async () => {
    const { openai } = client();
    const chunks = [];
    const stream = await openai.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } });
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map(({ choices: [choice], usage }) => [choice?.delta, choice?.finish_reason, usage?.total_tokens])).toEqual([
      [{ role: "assistant", content: "" }, null, undefined],
      [{ content: "Hello" }, null, undefined],
      [{ content: " Anna" }, null, undefined],
      [{ content: "!" }, null, undefined],
      [{}, "stop", undefined],
      [undefined, undefined, 8],
    ]);
    expect(new Set(chunks.map(({ id, created }) => `${id} ${created}`)).size).toBe(1);
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    const plain = await openai.chat.completions.create({ model, messages, stream: true });
    for await (const chunk of plain) expect(chunk).not.toHaveProperty("usage");
  });

  it("reads JSON by its schema", async () => {
    const { openai } = client({ answer: continuing('{"name":"Anna","age":31}') });
    const response_format = { type: "json_schema" as const, json_schema: { name: "person", strict: true, schema } };
    const { choices } = await openai.chat.completions.parse({ model, messages, response_format });
    expect(choices[0]?.message.parsed).toEqual({ name: "Anna", age: 31 });
    const any = await openai.chat.completions.create({ model, messages, response_format: { type: "json_object" } });
    expect(JSON.parse(any.choices[0]?.message.content ?? "")).toEqual({ name: "Anna", age: 31 });
  });

  it("is told of a call of a tool, whole and streamed, and sends its result", async () => {
    const { openai, asked } = client({
      answer: (prompt) => (prompt.includes("21 degrees") ? ["It", " is", " 21."] : callsWeather(prompt)),
    });
    const answer = await openai.chat.completions.create({ model, messages, tools: [weather], tool_choice: "required" });
    const [choice] = answer.choices;
    expect(choice).toMatchObject({
      finish_reason: "tool_calls",
      message: { content: null, tool_calls: [{ type: "function", function: { name: "get_weather", arguments: '{"city":"Rome"}' } }] },
    });
    const stream = openai.chat.completions.stream({
      model,
      messages,
      tools: [weather],
      tool_choice: { type: "function", function: { name: "get_weather" } },
    });
    const streamed = await stream.finalChatCompletion();
    expect(streamed.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { name: "get_weather", arguments: '{"city":"Rome"}' } });
    const said = choice?.message;
    if (said === undefined) throw new Error("no message");
    const result = { role: "tool" as const, tool_call_id: said.tool_calls?.[0]?.id ?? "", content: "21 degrees" };
    const last = await openai.chat.completions.create({ model, messages: [...messages, said, result], tools: [weather] });
    expect(last.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "It is 21." } });
    expect(asked.at(-1)?.prompt).toContain("21 degrees");
  });

  it("sees thought apart from the answer, and can ask for none", async () => {
    const { openai, asked } = client({ answer: () => ["<think>", "Hm.", "</think>", "Hello"], chatTemplate: thinks });
    const { choices } = await openai.chat.completions.create({ model, messages });
    expect(choices[0]?.message).toMatchObject({ content: "Hello", reasoning_content: "Hm." });
    const deltas = [];
    for await (const {
      choices: [choice],
    } of await openai.chat.completions.create({ model, messages, stream: true }))
      deltas.push(choice?.delta);
    expect(deltas).toContainEqual({ reasoning_content: "Hm." });
    await openai.chat.completions.create({ model, messages, reasoning_effort: "none" });
    expect(asked.at(-1)?.prompt).toMatch(/<think><\/think>$/);
  });

  it("completes text as it is", async () => {
    const { openai, asked } = client();
    const answer = await openai.completions.create({ model, prompt: ["Once upon", "There was"], n: 1 });
    expect(answer).toMatchObject({
      object: "text_completion",
      choices: [0, 1].map((index) => ({ index, text: "Hello Anna!", logprobs: null, finish_reason: "stop" })),
    });
    expect(asked.map(({ prompt }) => prompt)).toEqual(["Once upon", "There was"]);
    let text = "";
    const stream = await openai.completions.create({
      model,
      prompt: "Once",
      stream: true,
      max_tokens: 2,
      stream_options: { include_usage: true },
    });
    for await (const {
      choices: [choice],
      usage,
    } of stream)
      text += choice?.text ?? ` ${choice?.finish_reason} ${usage?.completion_tokens}`;
    expect(text).toBe("Hello Anna undefined 2");
  });

  it("asks for responses: whole, streamed, parsed, with calls", async () => {
    const { openai } = client();
    const input = "Say hello to Anna.";
    const response = await openai.responses.create({ model, input, instructions: "Be brief.", max_output_tokens: 50 });
    expect(response).toMatchObject({
      status: "completed",
      output_text: "Hello Anna!",
      usage: { input_tokens: 6, output_tokens: 3, total_tokens: 9 },
    });
    const stream = openai.responses.stream({ model, input: messages });
    const types: string[] = [];
    const numbers: number[] = [];
    for await (const event of stream) {
      types.push(event.type);
      numbers.push(event.sequence_number);
    }
    expect([...new Set(types)]).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(numbers).toEqual(numbers.map((_, i) => i));
    expect((await stream.finalResponse()).output_text).toBe("Hello Anna!");
    const cut = await openai.responses.create({ model, input, max_output_tokens: 1 });
    expect(cut).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_output_tokens" }, output_text: "Hello" });
  });

  it("parses a response, and is told of thoughts and calls in it", async () => {
    const json = client({ answer: continuing('{"name":"Anna","age":31}') });
    const text = { format: { type: "json_schema" as const, name: "person", strict: true, schema } };
    expect((await json.openai.responses.parse({ model, input: "Anna is 31.", text })).output_parsed).toEqual({ name: "Anna", age: 31 });
    const { openai } = client({ answer: continuing(`<think>Hm.</think>${call}`), chatTemplate: thinks });
    const { name, description, parameters } = weather.function;
    const stream = openai.responses.stream({
      model,
      input: "Weather?",
      tools: [{ type: "function", strict: true, name, description, parameters }],
    });
    const { output } = await stream.finalResponse();
    expect(output).toMatchObject([
      { type: "reasoning", content: [{ type: "reasoning_text", text: "Hm." }] },
      { type: "function_call", name: "get_weather", arguments: '{"city":"Rome"}', status: "completed" },
    ]);
    const [thought, called] = output;
    if (thought?.type !== "reasoning" || called?.type !== "function_call") throw new Error("other items");
    const result = { type: "function_call_output" as const, call_id: called.call_id, output: "21 degrees" };
    const next = await openai.responses.create({ model, input: [{ role: "user", content: "Weather?" }, thought, called, result] });
    expect(next.status).toBe("completed");
  });

  it("gets vectors, as base64 where it chooses and as numbers where its caller does", async () => {
    const { openai, fetch } = client();
    const { data, usage, model: name } = await openai.embeddings.create({ model, input: ["hello", "four words in all"] });
    expect(data.map(({ embedding }) => embedding.map((value) => value.toFixed(3)))).toEqual([
      ["0.981", "0.196"],
      ["0.973", "0.229"],
    ]);
    expect({ usage, name }).toEqual({ usage: { prompt_tokens: 5, total_tokens: 5 }, name: model });
    const plain = await openai.embeddings.create({ model, input: "hello", encoding_format: "float", dimensions: 1 });
    expect(plain.data[0]).toMatchObject({ object: "embedding", index: 0, embedding: [1] });
    const { json } = await post(fetch, "/v1/embeddings", { model, input: "hello", encoding_format: "base64" });
    // told to everybody who asks, not to the first alone
    expect(json).toMatchObject({ warnings: [{ code: "file-note", message: expect.stringContaining("not trained to make vectors") }] });
    const [packed] = (json as { readonly data: readonly { readonly embedding: string }[] }).data;
    expect(new Float32Array(Uint8Array.from(atob(packed?.embedding ?? ""), (letter) => letter.charCodeAt(0)).buffer)[0]).toBeCloseTo(
      0.981,
      3,
    );
    for (const input of [undefined, "", [], ["a", ""], [[1, 2]], Array.from({ length: 3000 }, () => "a")])
      await expect(openai.embeddings.create({ model, input: input as string })).rejects.toMatchObject({ status: 400, param: "input" });
    await expect(openai.embeddings.create({ model, input: "a", dimensions: 3 })).rejects.toMatchObject({
      status: 400,
      param: "dimensions",
    });
  });

  it("meets errors of the classes it knows", async () => {
    const { openai } = client();
    await expect(openai.chat.completions.create({ model: "../x", messages })).rejects.toThrow(NotFoundError);
    await expect(openai.chat.completions.create({ model, messages: [] })).rejects.toThrow(BadRequestError);
    const long = [{ role: "user" as const, content: "word ".repeat(600) }];
    await expect(openai.chat.completions.create({ model, messages: long })).rejects.toMatchObject({
      status: 400,
      code: "context_length_exceeded",
    });
    await expect(openai.chat.completions.create({ model, messages: long, stream: true })).rejects.toMatchObject({ status: 400 });
  });

  it("is told of a crash by its status before the answer, and in the stream after it began; the next call works", async () => {
    const early = client({ crashAt: crashOnce(0) });
    await expect(early.openai.chat.completions.create({ model, messages, stream: true })).rejects.toThrow(InternalServerError);
    expect((await early.openai.chat.completions.create({ model, messages })).choices[0]?.message.content).toBe("Hello Anna!");
    const late = client({ crashAt: crashOnce(2) });
    let text = "";
    const read = async (): Promise<void> => {
      for await (const { choices } of await late.openai.chat.completions.create({ model, messages, stream: true }))
        text += choices[0]?.delta.content ?? "";
    };
    await expect(read()).rejects.toThrow(APIError);
    expect(text).toBe("Hello Anna");
    expect(late.records).toMatchObject([{ status: 200, error: "run-crash" }]);
  });

  it("leaves, and the model is free: in a stream, and before an answer", async () => {
    const { openai, records } = client({ stepMs: 20, answer: () => Array.from({ length: 400 }, () => " word") });
    let count = 0;
    for await (const _ of await openai.chat.completions.create({ model, messages, stream: true })) {
      count += 1;
      if (count === 3) break;
    }
    await expect.poll(() => records.length, { timeout: soonMs }).toBe(1);
    const abort = new AbortController();
    const answer = openai.chat.completions.create({ model, messages }, { signal: abort.signal });
    setTimeout(() => abort.abort(), 60);
    await expect(answer).rejects.toThrow("aborted");
    await expect.poll(() => records.length, { timeout: soonMs }).toBe(2);
    expect(records).toMatchObject([
      { hasLeft: true, error: "run-aborted" },
      { status: 499, hasLeft: true },
    ]);
    const next = await openai.chat.completions.create({ model, messages, max_tokens: 1 });
    expect(next.choices[0]?.message.content).toBe(" word");
  });
});
