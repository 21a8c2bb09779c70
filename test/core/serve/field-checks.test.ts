/** The 44 checks that users and conformance suites of other servers are known to make of an API of OpenAI's shape, each by its number. What else is refused or honoured: checks.test.ts. */
import { expect, it } from "vitest";
import { continuing } from "../../support/continuing.ts";
import { soonMs } from "../../support/soon.ts";
import { type Here, here, post, type ServedOptions } from "./support.ts";

// biome-ignore lint/suspicious/noExplicitAny: what clients read, field by field
type Json = any;

const chat = "/v1/chat/completions";
const messages = [{ role: "user", content: "Hi" }];
const form = { type: "object", properties: { n: { type: "integer" } }, required: ["n"], additionalProperties: false };
const tool = { type: "function", function: { name: "add", parameters: form } };
const callsAdd = '<tool_call>\n{"name": "add", "arguments": {"n":1}}\n</tool_call>';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly json: Json;
}

class Server {
  readonly #own: Here;
  constructor(options: ServedOptions = {}) {
    this.#own = here(options);
  }
  get asked() {
    return this.#own.asked;
  }
  get records() {
    return this.#own.records;
  }
  get fetch() {
    return this.#own.fetch;
  }
  async get(path: string): Promise<Answer> {
    const response = await this.fetch(path);
    return { status: response.status, type: response.headers.get("content-type") ?? "", json: await response.json() };
  }
  /** @param body beside the model and the messages */
  async chat(body: object = {}): Promise<Answer> {
    return { type: "", ...(await post(this.fetch, chat, { model: "tiny", messages, ...body })) };
  }
  async stream(body: object = {}): Promise<{ readonly type: string; readonly chunks: readonly Json[]; readonly end: string | undefined }> {
    const init = { method: "POST", headers: { "content-type": "application/json" } };
    const response = await this.fetch(chat, { ...init, body: JSON.stringify({ model: "tiny", messages, stream: true, ...body }) });
    const events = (await response.text()).split("\n\n").map((event) => event.slice("data: ".length));
    const chunks = events.slice(0, -2).map((event) => JSON.parse(event));
    return { type: response.headers.get("content-type") ?? "", chunks, end: events.at(-2) };
  }
}

const served = new Server();
const error = (status: number, code: string, param: string | null) => ({
  status,
  json: { error: { code, param, message: expect.any(String) } },
});

const checks: readonly (readonly [what: string, check: () => Promise<void>])[] = [
  [
    "models: a list",
    async () =>
      expect(await served.get("/v1/models")).toMatchObject({
        status: 200,
        json: { object: "list", data: expect.arrayContaining([expect.objectContaining({ id: "tiny" })]) },
      }),
  ],
  [
    "models: each says what clients read",
    async () => {
      for (const model of (await served.get("/v1/models")).json.data)
        expect(model).toMatchObject({ id: expect.any(String), object: "model", created: expect.any(Number), owned_by: expect.any(String) });
    },
  ],
  [
    "models: one by its name",
    async () => expect(await served.get("/v1/models/tiny")).toMatchObject({ status: 200, json: { id: "tiny", object: "model" } }),
  ],
  [
    "models: an unknown one is 404",
    async () => expect(await served.get("/v1/models/nobody")).toMatchObject(error(404, "model_not_found", "model")),
  ],
  [
    "chat: id, object, time and model of an answer",
    async () => {
      const { json } = await served.chat();
      expect(json).toMatchObject({ id: expect.stringMatching(/^chatcmpl-/), object: "chat.completion", model: "tiny" });
      expect(Math.abs(json.created - Date.now() / 1000)).toBeLessThan(60);
    },
  ],
  [
    "chat: the message",
    async () =>
      expect((await served.chat()).json.choices).toEqual([
        { index: 0, message: { role: "assistant", content: "Hello Anna!", refusal: null }, logprobs: null, finish_reason: "stop" },
      ]),
  ],
  ["chat: finish_reason stop", async () => expect((await served.chat()).json.choices[0].finish_reason).toBe("stop")],
  ["chat: finish_reason length", async () => expect((await served.chat({ max_tokens: 2 })).json.choices[0].finish_reason).toBe("length")],
  [
    "chat: counts add up",
    async () => {
      const { prompt_tokens, completion_tokens, total_tokens } = (await served.chat({ max_tokens: 2 })).json.usage;
      expect([completion_tokens, prompt_tokens + completion_tokens]).toEqual([2, total_tokens]);
      expect(prompt_tokens).toBeGreaterThan(0);
    },
  ],
  [
    "chat: an unknown model is 404",
    async () => expect(await served.chat({ model: "nobody" })).toMatchObject(error(404, "model_not_found", "model")),
  ],
  ["chat: no model is 400", async () => expect(await served.chat({ model: undefined })).toMatchObject(error(400, "http-field", "model"))],
  [
    "chat: no messages is 400",
    async () => expect(await served.chat({ messages: undefined })).toMatchObject(error(400, "http-field", "messages")),
  ],
  [
    "chat: an empty list of messages is 400",
    async () => expect(await served.chat({ messages: [] })).toMatchObject(error(400, "http-field", "messages")),
  ],
  [
    "chat: half a body is 400",
    async () => expect(await post(served.fetch, chat, '{"model":')).toMatchObject(error(400, "http-body", null)),
  ],
  [
    "chat: plain text is 415",
    async () => {
      const response = await served.fetch(chat, { method: "POST", headers: { "content-type": "text/plain" }, body: "{}" });
      expect({ status: response.status, json: await response.json() }).toMatchObject(error(415, "http-type", null));
    },
  ],
  [
    "temperature out of its range is 400",
    async () => expect(await served.chat({ temperature: 5 })).toMatchObject(error(400, "http-field", "temperature")),
  ],
  [
    "temperature 0 is greedy",
    async () =>
      expect([await served.chat({ temperature: 0 }), served.asked.at(-1)]).toMatchObject([
        { status: 200 },
        { sampling: { kind: "greedy" } },
      ]),
  ],
  [
    "top_p",
    async () =>
      expect([await served.chat({ top_p: 0.3 }), served.asked.at(-1)]).toMatchObject([{ status: 200 }, { sampling: { topP: 0.3 } }]),
  ],
  [
    "seed: the same one twice, the same answer",
    async () => {
      const random = new Server({ answer: (_, { seed }) => [`number ${seed}`] });
      const said = async (seed: number): Promise<string> => (await random.chat({ seed })).json.choices[0].message.content;
      expect([await said(7), await said(7), await said(8)]).toEqual(["number 7", "number 7", "number 8"]);
    },
  ],
  [
    "presence_penalty and frequency_penalty",
    async () =>
      expect([await served.chat({ presence_penalty: 1, frequency_penalty: 0.5 }), served.asked.at(-1)]).toMatchObject([
        { status: 200 },
        { sampling: { penalties: { presencePenalty: 1, frequencyPenalty: 0.5 } } },
      ]),
  ],
  [
    "stop: a text",
    async () =>
      expect((await served.chat({ stop: " Anna" })).json.choices[0]).toMatchObject({
        message: { content: "Hello" },
        finish_reason: "stop",
      }),
  ],
  [
    "stop: four texts",
    async () => expect((await served.chat({ stop: ["a", "b", "c", "!"] })).json.choices[0].message.content).toBe("Hello Ann"),
  ],
  [
    "max_tokens",
    async () =>
      expect((await served.chat({ max_tokens: 1 })).json).toMatchObject({
        choices: [{ message: { content: "Hello" } }],
        usage: { completion_tokens: 1 },
      }),
  ],
  [
    "max_completion_tokens stands before it",
    async () => expect((await served.chat({ max_completion_tokens: 2, max_tokens: 1 })).json.usage.completion_tokens).toBe(2),
  ],
  [
    "n answers, each with its index",
    async () => expect((await served.chat({ n: 3 })).json.choices.map(({ index }: Json) => index)).toEqual([0, 1, 2]),
  ],
  [
    "the roles system and developer",
    async () => {
      for (const role of ["system", "developer"]) await served.chat({ messages: [{ role, content: "Be brief." }, ...messages] });
      expect(served.asked.slice(-2).map(({ prompt }) => prompt)).toEqual(
        Array.from({ length: 2 }, () => "<system>Be brief.<user>Hi<assistant>"),
      );
    },
  ],
  [
    "content in parts of text",
    async () => {
      await served.chat({
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "Good " },
              { type: "text", text: "day" },
            ],
          },
        ],
      });
      expect(served.asked.at(-1)?.prompt).toBe("<user>Good day<assistant>");
    },
  ],
  [
    "an image is 400, with its place",
    async () => {
      const content = [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }];
      expect(await served.chat({ messages: [{ role: "user", content }] })).toMatchObject(
        error(400, "http-field", "messages[0].content[0].type"),
      );
    },
  ],
  [
    "a conversation keeps its order",
    async () => {
      await served.chat({ messages: [...messages, { role: "assistant", content: "Yes?" }, { role: "user", content: "Go" }] });
      expect(served.asked.at(-1)?.prompt).toBe("<user>Hi<assistant>Yes?<user>Go<assistant>");
    },
  ],
  ["stream: its media type", async () => expect((await served.stream()).type).toMatch(/^text\/event-stream/)],
  [
    "stream: the first delta has the role",
    async () => expect((await served.stream()).chunks[0].choices[0].delta).toEqual({ role: "assistant", content: "" }),
  ],
  [
    "stream: one id, time and object throughout",
    async () => {
      const { chunks } = await served.stream();
      const heads = new Set(chunks.map(({ id, created, object, model }) => JSON.stringify([id, created, object, model])));
      expect([heads.size, chunks[0].object]).toEqual([1, "chat.completion.chunk"]);
    },
  ],
  [
    "stream: the pieces are the whole",
    async () => {
      const { chunks } = await served.stream();
      expect(chunks.map(({ choices }) => choices[0].delta.content ?? "").join("")).toBe(
        (await served.chat()).json.choices[0].message.content,
      );
    },
  ],
  [
    "stream: the last delta is empty and says why it ended",
    async () => {
      const { chunks } = await served.stream({ max_tokens: 2 });
      expect(chunks.at(-1).choices).toEqual([{ index: 0, delta: {}, logprobs: null, finish_reason: "length" }]);
      expect(chunks.slice(0, -1).every(({ choices }) => choices[0].finish_reason === null)).toBe(true);
    },
  ],
  ["stream: [DONE] is last", async () => expect((await served.stream()).end).toBe("[DONE]")],
  [
    "stream: counts where they are asked for, behind the last choice",
    async () => {
      const { chunks } = await served.stream({ stream_options: { include_usage: true } });
      expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 3, total_tokens: expect.any(Number) } });
      expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    },
  ],
  [
    "stream: no counts where they are not",
    async () => expect((await served.stream()).chunks.some((chunk) => "usage" in chunk)).toBe(false),
  ],
  [
    "stream: a client that leaves frees the model",
    async () => {
      const slow = new Server({ stepMs: 20, answer: () => Array.from({ length: 100 }, () => " word") });
      const abort = new AbortController();
      const init = { method: "POST", headers: { "content-type": "application/json" }, signal: abort.signal };
      const response = await slow.fetch(chat, { ...init, body: JSON.stringify({ model: "tiny", messages, stream: true }) });
      await response.body?.getReader().read();
      abort.abort();
      await expect.poll(() => slow.records.length, { timeout: soonMs }).toBe(1);
      expect([slow.records[0]?.hasLeft, (await slow.chat({ max_tokens: 1 })).status]).toEqual([true, 200]);
    },
  ],
  [
    "stream: what fails before the first text has its status",
    async () => {
      const dies = new Server({ crashAt: () => true });
      expect(await dies.chat({ stream: true })).toMatchObject({ status: 503, json: { error: { code: "run-crash" } } });
    },
  ],
  [
    "response_format json_object",
    async () => {
      const { json } = await new Server({ answer: continuing('{"a": [1, 2]}') }).chat({ response_format: { type: "json_object" } });
      expect(JSON.parse(json.choices[0].message.content)).toEqual({ a: [1, 2] });
    },
  ],
  [
    "response_format json_schema",
    async () => {
      const response_format = { type: "json_schema", json_schema: { name: "form", strict: true, schema: form } };
      const { json } = await new Server({ answer: continuing('{"n":1}') }).chat({ response_format });
      expect(JSON.parse(json.choices[0].message.content)).toEqual({ n: 1 });
    },
  ],
  [
    "tools: a call, and the answer to its result",
    async () => {
      const hermes =
        "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>{# <tool_call> #}";
      const calling = new Server({
        chatTemplate: hermes,
        answer: (prompt) => (prompt.includes("<tool>") ? ["Two."] : continuing(callsAdd)(prompt)),
      });
      const [choice] = (await calling.chat({ tools: [tool] })).json.choices;
      expect(choice).toMatchObject({
        finish_reason: "tool_calls",
        message: {
          content: null,
          tool_calls: [{ id: expect.any(String), type: "function", function: { name: "add", arguments: '{"n":1}' } }],
        },
      });
      const result = { role: "tool", tool_call_id: choice.message.tool_calls[0].id, content: "2" };
      expect((await calling.chat({ tools: [tool], messages: [...messages, choice.message, result] })).json.choices[0].message.content).toBe(
        "Two.",
      );
    },
  ],
  [
    "completions: a text that goes on as it is",
    async () => {
      const { status, json } = await post(served.fetch, "/v1/completions", { model: "tiny", prompt: "Once" });
      expect({ status, json }).toMatchObject({
        status: 200,
        json: {
          id: expect.stringMatching(/^cmpl-/),
          object: "text_completion",
          choices: [{ index: 0, text: "Hello Anna!", finish_reason: "stop" }],
        },
      });
      expect(served.asked.at(-1)?.prompt).toBe("Once");
    },
  ],
  [
    "embeddings: numbers, and the same as base64",
    async () => {
      const ask = async (encoding_format: string): Promise<Json> =>
        (await post(served.fetch, "/v1/embeddings", { model: "tiny", input: ["a", "a cat"], encoding_format })).json;
      const [numbers, packed] = [await ask("float"), await ask("base64")];
      expect(numbers).toMatchObject({
        object: "list",
        data: [{ object: "embedding", index: 0 }, { index: 1 }],
        usage: { total_tokens: 3 },
      });
      const bytes = Buffer.from(packed.data[1].embedding, "base64");
      expect(numbers.data[1].embedding).toEqual([bytes.readFloatLE(0), bytes.readFloatLE(4)]);
    },
  ],
];

it("are 44", () => expect(checks).toHaveLength(44));
it.each(checks.map(([what, check], i) => ({ number: i + 1, what, check })))("$number $what", ({ check }) => check());
