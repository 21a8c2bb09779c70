/** The official client of Anthropic over the API, without a server. */
import Anthropic, { BadRequestError, NotFoundError } from "@anthropic-ai/sdk";
import { describe, expect, it } from "vitest";
import { continuing } from "../../support/continuing.ts";
import { here, post, type ServedOptions } from "./support.ts";

function client(options: ServedOptions = {}) {
  const own = here(options);
  return { ...own, anthropic: new Anthropic({ fetch: own.fetch, baseURL: "http://here", apiKey: "none", maxRetries: 0 }) };
}

const call = { model: "tiny", max_tokens: 50, messages: [{ role: "user" as const, content: "Say hello to Anna." }] };
/** a field that the types of the client no longer have, and programs still send */
const older: object = { temperature: 0 };
const tools = [
  {
    name: "get_weather",
    description: "Weather of a city",
    input_schema: { type: "object" as const, properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
  },
];
const weatherCall = '<tool_call>\n{"name": "get_weather", "arguments": {"city":"Rome"}}\n</tool_call>';
const callsWeather = continuing(weatherCall);
const thinksFirst = continuing(`<think>Hm.</think>${weatherCall}`);
const thinks = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>{# <think> #}";

describe("the client of Anthropic", () => {
  it("gets a message, with its system first", async () => {
    const { anthropic, asked } = client();
    const message = await anthropic.messages.create({
      ...call,
      system: [{ type: "text", text: "Be brief." }],
      ...older,
      stop_sequences: ["!"],
    });
    expect(message).toMatchObject({
      type: "message",
      role: "assistant",
      model: "tiny",
      content: [{ type: "text", text: "Hello Anna" }],
      stop_reason: "stop_sequence",
      stop_sequence: "!",
      usage: { input_tokens: 6, cache_read_input_tokens: 0, output_tokens: 3 },
    });
    expect(asked[0]).toMatchObject({ prompt: "<system>Be brief.<user>Say hello to Anna.<assistant>", sampling: { kind: "greedy" } });
    const again = await anthropic.messages.create({ ...call, max_tokens: 1 });
    expect(again).toMatchObject({
      stop_reason: "max_tokens",
      stop_sequence: null,
      content: [{ text: "Hello" }],
      usage: { output_tokens: 1 },
    });
  });

  it("is told which stop string ended a stream, and that the model's own end is none", async () => {
    const { anthropic } = client();
    const stopped = await anthropic.messages.stream({ ...call, stop_sequences: ["nothing", "lo An"] }).finalMessage();
    expect(stopped).toMatchObject({ content: [{ text: "Hel" }], stop_reason: "stop_sequence", stop_sequence: "lo An" });
    const whole = await anthropic.messages.stream({ ...call, stop_sequences: ["nothing"] }).finalMessage();
    expect(whole).toMatchObject({ stop_reason: "end_turn", stop_sequence: null });
  });

  it("goes on with an answer that was begun", async () => {
    const { anthropic, asked } = client({ chatTemplate: thinks });
    const begun = { role: "assistant" as const, content: [{ type: "text" as const, text: "Dear " }] };
    const messages = [...call.messages, begun];
    const message = await anthropic.messages.create({ ...call, messages });
    expect([message.content, asked[0]?.prompt]).toMatchObject([[{ text: "Hello Anna!" }], "<user>Say hello to Anna.<assistant>Dear "]);
    const again = { role: "assistant" as const, content: "Sir, " };
    await anthropic.messages.create({ ...call, messages: [...messages, again] });
    expect(asked[1]?.prompt).toBe("<user>Say hello to Anna.<assistant>Dear Sir, ");
    const whole: object = { output_config: { format: { type: "json_schema", schema: { type: "object" } } } };
    for (const more of [whole, { tools, tool_choice: { type: "any" as const } }])
      await expect(anthropic.messages.create({ ...call, messages, ...more })).rejects.toThrow(
        /messages: expected one of the user as the last/,
      );
    const empty = [...call.messages, { role: "assistant" as const, content: "" }];
    await expect(anthropic.messages.create({ ...call, messages: empty })).rejects.toThrow(/messages\[1\]\.content: expected text/);
  });

  it("is told where it asked for a thought and none came", async () => {
    const thinking = { type: "enabled" as const, budget_tokens: 1024 };
    const told = async (options: ServedOptions): Promise<boolean> =>
      JSON.stringify(await client(options).anthropic.messages.create({ ...call, thinking })).includes(
        "thinking: the answer has no thought",
      );
    expect(await told({})).toBe(true);
    expect(await told({ chatTemplate: thinks, answer: continuing("<think>Hm.</think>Yes.") })).toBe(false);
  });

  it("streams", async () => {
    const { anthropic } = client();
    const stream = anthropic.messages.stream(call);
    const types: string[] = [];
    for await (const event of stream) types.push(event.type);
    expect(types).toEqual([
      "message_start",
      "content_block_start",
      ...Array.from({ length: 3 }, () => "content_block_delta"),
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    const message = await stream.finalMessage();
    expect(message).toMatchObject({
      content: [{ text: "Hello Anna!" }],
      stop_reason: "end_turn",
      usage: { input_tokens: 5, output_tokens: 3 },
    });
  });

  it("is told of calls and thoughts, whole and streamed, and sends them back with results", async () => {
    const { anthropic, asked } = client({
      chatTemplate: thinks,
      answer: (prompt) => (prompt.includes("21 degrees") ? ["It", " is", " 21."] : thinksFirst(prompt)),
    });
    const asking = { ...call, messages: [{ role: "user" as const, content: "Weather?" }], tools };
    const message = await anthropic.messages.create(asking);
    expect(message).toMatchObject({
      stop_reason: "tool_use",
      content: [
        { type: "thinking", thinking: "Hm." },
        { type: "tool_use", name: "get_weather", input: { city: "Rome" } },
      ],
    });
    const streamed = await anthropic.messages.stream(asking).finalMessage();
    expect(streamed.content).toMatchObject([
      { type: "thinking", thinking: "Hm." },
      { name: "get_weather", input: { city: "Rome" } },
    ]);
    const [, used] = message.content;
    const results = {
      role: "user" as const,
      content: [{ type: "tool_result" as const, tool_use_id: used?.type === "tool_use" ? used.id : "", content: "21 degrees" }],
    };
    const last = await anthropic.messages.create({
      ...asking,
      messages: [...asking.messages, { role: "assistant", content: message.content }, results],
    });
    expect(last).toMatchObject({ stop_reason: "end_turn", content: [{ type: "text", text: "It is 21." }] });
    expect(asked.at(-1)?.prompt).toContain("21 degrees");
  });

  it("forces a tool by its name, and holds JSON to a schema", async () => {
    const { anthropic } = client({ answer: callsWeather });
    const forced = await anthropic.messages.create({ ...call, tools, tool_choice: { type: "tool", name: "get_weather" } });
    expect(forced).toMatchObject({ stop_reason: "tool_use", content: [{ type: "tool_use", input: { city: "Rome" } }] });
    const json = client({ answer: continuing('{"a":1}') });
    const schema = { type: "object", properties: { a: { type: "integer" } }, required: ["a"], additionalProperties: false };
    const held = await json.anthropic.messages.create({ ...call, output_config: { format: { type: "json_schema", schema } } });
    expect(held.content).toMatchObject([{ type: "text", text: '{"a":1}' }]);
  });

  it("meets errors of the classes it knows, in its own shape", async () => {
    const { anthropic, fetch } = client();
    await expect(anthropic.messages.create({ ...call, model: "nobody" })).rejects.toThrow(NotFoundError);
    await expect(anthropic.messages.create({ ...call, messages: [] })).rejects.toThrow(BadRequestError);
    const image = { type: "image" as const, source: { type: "url" as const, url: "http://x/y.png" } };
    await expect(anthropic.messages.create({ ...call, messages: [{ role: "user", content: [image] }] })).rejects.toThrow(
      "messages[0].content[0].type",
    );
    expect(await post(fetch, "/v1/messages", { model: "tiny", messages: call.messages })).toMatchObject({
      status: 400,
      json: { type: "error", error: { type: "invalid_request_error", message: "max_tokens: expected a number, got nothing" } },
    });
  });

  it("reads an error in the middle of a stream", async () => {
    const { anthropic } = client({ crashAt: (word) => word === 2 });
    await expect(anthropic.messages.stream(call).finalMessage()).rejects.toThrow("the server failed");
  });
});
