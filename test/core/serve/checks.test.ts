/** What clients and editors are known to send, and what they must be told: one line for each. */
import { describe, expect, it } from "vitest";
import { continuing } from "../../support/continuing.ts";
import { soonMs } from "../../support/soon.ts";
import { here, post } from "./support.ts";

const messages = [{ role: "user", content: "Hi" }];
const chat = "/v1/chat/completions";
const tool = { type: "function", function: { name: "add", parameters: { type: "object" } } };

const served = here({ answer: () => ["Hello", " Anna", "!"] });

/** Fields beside the model and the messages. */
interface Honoured {
  readonly what: string;
  readonly fields: object;
  readonly answer: object;
  readonly sampling?: object;
}
const honoured = [
  ["temperature 0 is greedy", { temperature: 0 }, {}, { kind: "greedy" }],
  ["top_p", { temperature: 1, top_p: 0.5 }, {}, { topP: 0.5 }],
  ["top_p 0 keeps the likeliest", { temperature: 1, top_p: 0 }, {}, { topP: 1e-6 }],
  ["top_k and min_p", { temperature: 1, top_k: 7, min_p: 0.1 }, {}, { topK: 7, minP: 0.1 }],
  ["seed", { seed: 42 }, {}, { seed: 42 }],
  ["penalties", { presence_penalty: 1, frequency_penalty: -1 }, {}, { penalties: { presencePenalty: 1, frequencyPenalty: -1 } }],
  ["repeat_penalty", { repeat_penalty: 1.3 }, {}, { penalties: { repeatPenalty: 1.3 } }],
  ["stop as text", { stop: " Anna" }, { choices: [{ message: { content: "Hello" }, finish_reason: "stop" }] }],
  ["stop as a list", { stop: ["nothing", "!"] }, { choices: [{ message: { content: "Hello Anna" } }] }],
  ["stop as null and as an empty list", { stop: [] }, { choices: [{ message: { content: "Hello Anna!" } }] }],
  ["max_tokens", { max_tokens: 1 }, { choices: [{ message: { content: "Hello" }, finish_reason: "length" }] }],
  ["max_completion_tokens stands before max_tokens", { max_completion_tokens: 2, max_tokens: 1 }, { usage: { completion_tokens: 2 } }],
  ["n", { n: 2 }, { choices: [{ index: 0 }, { index: 1 }] }],
  [
    "null for everything",
    { temperature: null, top_p: null, stop: null, n: null, seed: null, tools: null, response_format: null, stream: null },
    { object: "chat.completion" },
  ],
  ["response_format text", { response_format: { type: "text" } }, { choices: [{ message: { content: "Hello Anna!" } }] }],
  ["tools that nobody has to call", { tools: [tool], tool_choice: "none" }, { choices: [{ finish_reason: "stop" }] }],
  ["an empty list of tools", { tools: [], tool_choice: "auto", parallel_tool_calls: true }, { choices: [{ finish_reason: "stop" }] }],
  [
    "what asks for nothing",
    { logprobs: false, top_logprobs: 0, logit_bias: {}, store: false, service_tier: "auto", user: "" },
    { object: "chat.completion" },
  ],
  ["the role developer", { messages: [{ role: "developer", content: "Be brief." }, ...messages] }, { usage: { prompt_tokens: 3 } }],
  [
    "content in parts",
    {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "A" },
            { type: "text", text: "B" },
          ],
        },
      ],
    },
    { object: "chat.completion" },
  ],
] satisfies readonly (readonly [what: string, fields: object, answer: object, sampling?: object])[];
const honouredFields: readonly Honoured[] = honoured.map(([what, fields, answer, sampling = {}]) => ({ what, fields, answer, sampling }));

describe("a field that is honoured", () => {
  it.each(honouredFields)("$what", async ({ fields, answer, sampling = {} }) => {
    const { status, json } = await post(served.fetch, chat, { model: "tiny", messages, ...fields });
    expect({ status, json }).toMatchObject({ status: 200, json: answer });
    expect(json).not.toHaveProperty("warnings");
    expect(served.asked.at(-1)?.sampling).toMatchObject(sampling);
  });
});

describe("a field that has no effect", () => {
  it.each<readonly [name: string, fields: object]>([
    ["user", { user: "u-1" }],
    ["metadata", { metadata: { a: "b" } }],
    ["store", { store: true }],
    ["service_tier", { service_tier: "flex" }],
    ["reasoning_effort", { reasoning_effort: "high" }],
    ["prediction", { prediction: { type: "content", content: "x" } }],
    ["stream_options.include_obfuscation", { stream: true, stream_options: { include_obfuscation: true } }],
    ["messages[0].name", { messages: [{ role: "user", content: "Hi", name: "Anna" }] }],
    ["cache_prompt", { cache_prompt: true }],
    ["chat_template_kwargs.other", { chat_template_kwargs: { other: 1 } }],
    ["num_beams", { num_beams: 4 }],
    ["toString", { toString: 1 }],
    ["stream_options.include_usag", { stream: true, stream_options: { include_usag: true } }],
    ["response_format.other", { response_format: { type: "text", other: 1 } }],
    ["tools[0].other", { tools: [{ ...tool, other: 1 }] }],
    ["tools[0].function.other", { tools: [{ type: "function", function: { name: "add", other: 1 } }] }],
    ["messages[0].content[0].other", { messages: [{ role: "user", content: [{ type: "text", text: "Hi", other: 1 }] }] }],
    ["chat_template_kwargs.enable_thinking", { chat_template_kwargs: { enable_thinking: true } }],
    ["chat_template_kwargs.constructor", { chat_template_kwargs: { constructor: 1 } }],
  ])("%s is named in the warnings", async (name, fields) => {
    const response = await served.fetch(chat, request({ model: "tiny", messages, ...fields }));
    const text = await response.text();
    expect(response.status).toBe(200);
    const last = text.startsWith("data:") ? text.split("\n\n").at(-3)?.slice("data: ".length) : text;
    const { warnings } = JSON.parse(last ?? "") as { readonly warnings: readonly { readonly code: string; readonly message: string }[] };
    expect(warnings).toContainEqual({ code: "option-ignored", message: expect.stringContaining(name) });
  });

  it("is refused where the server is strict, if it is not known at all", async () => {
    const strict = here({ strict: true });
    const fields = { model: "tiny", messages, user: "u-1" };
    expect((await post(strict.fetch, chat, fields)).status).toBe(200);
    expect(await post(strict.fetch, chat, { ...fields, cache_prompt: true })).toMatchObject({
      status: 400,
      json: { error: { param: "cache_prompt" } },
    });
    expect(await post(strict.fetch, chat, { ...fields, tools: [{ ...tool, other: 1 }] })).toMatchObject({
      status: 400,
      json: { error: { param: "tools[0].other" } },
    });
    const turn = { role: "user", content: [{ type: "text", text: "Hi" }] };
    const part = { ...turn, content: [{ type: "text", text: "Hi", other: 1 }] };
    for (const [path, more] of [
      [chat, {}],
      ["/v1/messages", { max_tokens: 8 }],
    ] as const)
      for (const [message, param] of [
        [{ ...turn, other: 1 }, "messages[0].other"],
        [part, "messages[0].content[0].other"],
      ] as const) {
        const { status, json } = await post(strict.fetch, path, { model: "tiny", messages: [message], ...more });
        expect([status, JSON.stringify(json)]).toEqual([400, expect.stringContaining(`${param}: expected a known field`)]);
      }
    const input = [{ role: "user", content: [{ type: "input_text", text: "Hi", other: 1 }] }];
    expect(await post(strict.fetch, "/v1/responses", { model: "tiny", input })).toMatchObject({
      status: 400,
      json: { error: { param: "input[0].content[0].other" } },
    });
  });
});

const refused: readonly (readonly [param: string, fields: object])[] = [
  ["model", { model: undefined }],
  ["model", { model: 5 }],
  ["messages", { messages: undefined }],
  ["messages", { messages: [] }],
  ["messages", { messages: "Hi" }],
  ["messages[0]", { messages: ["Hi"] }],
  ["messages[0].role", { messages: [{ role: "nobody", content: "Hi" }] }],
  ["messages[0].content", { messages: [{ role: "user" }] }],
  [
    "messages[0].content[1].type",
    {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "a" },
            { type: "image_url", image_url: { url: "x" } },
          ],
        },
      ],
    },
  ],
  [
    "messages[1].tool_calls[0].function.arguments",
    { messages: [...messages, { role: "assistant", tool_calls: [{ id: "1", function: { name: "add", arguments: "{" } }] }] },
  ],
  ["messages[0].tool_call_id", { messages: [{ role: "tool", content: "1" }] }],
  ...["-1", "5", true, {}, 3].map((temperature) => ["temperature", { temperature }] as const),
  ["top_p", { top_p: -1 }],
  ["top_p", { top_p: 1.5 }],
  ["max_tokens", { max_tokens: 0 }],
  ["max_tokens", { max_tokens: 2 ** 31 }],
  ["max_completion_tokens", { max_completion_tokens: 1.5 }],
  ["seed", { seed: -1 }],
  ["seed", { seed: 2 ** 64 }],
  ["n", { n: 0 }],
  ["n", { n: 1000 }],
  ["stop", { stop: 5 }],
  ["stop", { stop: Array.from({ length: 100_000 }, () => "a") }],
  ["stop", { stop: [""] }],
  ["presence_penalty", { presence_penalty: 1e308 }],
  ["logprobs", { logprobs: true }],
  ["logprobs", { logprobs: 0 }],
  ["logit_bias", { logit_bias: { "-5": 1 } }],
  ["modalities", { modalities: ["audio"] }],
  ["functions", { functions: [{ name: "add" }] }],
  ["stream", { stream: "yes" }],
  ["stream_options", { stream_options: { include_usage: true } }],
  ["tools[0].type", { tools: [{ type: "web_search" }] }],
  ["tools[0].function.name", { tools: [{ type: "function", function: { name: "a b" } }] }],
  ["tools", { tools: Array.from({ length: 200 }, (_, i) => ({ type: "function", function: { name: `t${i}` } })) }],
  ["tools", { tool_choice: "required" }],
  ["tool_choice", { tools: [tool], tool_choice: { type: "function", function: { name: "other" } } }],
  ["tool_choice", { tools: [tool], tool_choice: "sometimes" }],
  ["tool_choice", { tools: [tool], tool_choice: 5 }],
  ["grammar", { grammar: "" }],
  ["grammar", { grammar: " \n" }],
  ["add_generation_prompt", { add_generation_prompt: false }],
  ["add_generation_prompt", { continue_final_message: true, add_generation_prompt: true }],
  ["continue_final_message", { continue_final_message: true }],
  ["response_format.type", { response_format: { type: "xml" } }],
  ["response_format.json_schema.schema", { response_format: { type: "json_schema", json_schema: { name: "x" } } }],
  [
    "response_format.json_schema.schema/multipleOf",
    { response_format: { type: "json_schema", json_schema: { name: "x", schema: { type: "integer", multipleOf: 3 } } } },
  ],
];

describe("a field that is refused", () => {
  it.each(refused)("%s", async (param, fields) => {
    const { status, json } = await post(served.fetch, chat, { model: "tiny", messages, ...fields });
    expect({ status, json }).toMatchObject({
      status: 400,
      json: { error: { type: "invalid_request_error", message: expect.any(String) } },
    });
    const { error } = json as { error: { param: string; message: string } };
    expect(error.param?.startsWith(param)).toBe(true);
    expect(error.message).toContain(error.param);
  });
});

describe("what is wrong is said in words", () => {
  const call = (args: unknown) => [
    ...messages,
    { role: "assistant", tool_calls: [{ id: "1", function: { name: "add", arguments: args } }] },
  ];
  it.each<readonly [message: string, fields: object]>([
    [
      'tool_choice: expected auto, none, required, or { type: "function" } with a name, got "sometimes"',
      { tools: [tool], tool_choice: "sometimes" },
    ],
    [
      'tool_choice: expected the name of a tool (add), got "other"',
      { tools: [tool], tool_choice: { type: "function", function: { name: "other" } } },
    ],
    ['messages[1].tool_calls[0].function.arguments: expected a text of JSON, got "{x"', { messages: call("{x") }],
    ["messages[1].tool_calls[0].function.arguments: expected text, got an object", { messages: call({ a: 1 }) }],
    ["stream_options: expected none without stream, got an object", { stream_options: {} }],
  ])("%s", async (message, fields) => {
    expect(await post(served.fetch, chat, { model: "tiny", messages, ...fields })).toMatchObject({ json: { error: { message } } });
  });
});

it.each([
  ["response_format", { response_format: { type: "json_object" } }],
  ["tools", { tools: [tool] }],
])("%s is refused where text goes on as it is", async (param, fields) => {
  const answer = await post(served.fetch, "/v1/completions", { model: "tiny", prompt: "Once", ...fields });
  expect(answer).toMatchObject({ status: 400, json: { error: { param } } });
  const none = { response_format: { type: "text" }, tools: [] };
  expect((await post(served.fetch, "/v1/completions", { model: "tiny", prompt: "Once", ...none })).status).toBe(200);
});

it("a function without parameters takes none: the model is told so", async () => {
  const server = here({ answer: () => ['<tool_call>\n{"name": "ping", "arguments": {}}\n</tool_call>'] });
  const ping = { type: "function", function: { name: "ping" } };
  const { json } = await post(server.fetch, chat, { model: "tiny", messages, tools: [ping], tool_choice: "required" });
  expect(json).toMatchObject({ choices: [{ finish_reason: "tool_calls" }] });
  expect(JSON.stringify(server.asked).replaceAll("\\", "")).toMatch(/"properties":\s*\{\},\s*"additionalProperties":\s*false/);
});

describe("continue_final_message", () => {
  it("goes on with the last message of the assistant; without it, that is one of those said", async () => {
    const turns = [...messages, { role: "assistant", content: "Yes, " }];
    const answered = await post(served.fetch, chat, {
      model: "tiny",
      messages: turns,
      continue_final_message: true,
      add_generation_prompt: false,
    });
    expect(answered).toMatchObject({ status: 200, json: { choices: [{ message: { content: "Hello Anna!" } }] } });
    expect(served.asked.at(-1)?.prompt).toBe("<user>Hi<assistant>Yes, ");
    await post(served.fetch, chat, { model: "tiny", messages: turns });
    expect(served.asked.at(-1)?.prompt).toBe("<user>Hi<assistant>Yes, <assistant>");
    const schema = { type: "object", title: "jsonSchema" };
    const whole = { response_format: { type: "json_schema", json_schema: { schema } }, continue_final_message: true };
    expect(await post(served.fetch, chat, { model: "tiny", messages: turns, ...whole })).toMatchObject({
      status: 400,
      json: { error: { message: "continue_final_message: expected none beside response_format, which is of a whole answer, got true" } },
    });
  });
});

function request(body: unknown, headers: Readonly<Record<string, string>> = { "content-type": "application/json" }): RequestInit {
  return {
    method: "POST",
    headers,
    body: typeof body === "string" || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
  };
}

const good = JSON.stringify({ model: "tiny", messages });
const text = new TextEncoder();

describe("a request that is none", () => {
  it.each<readonly [what: string, path: string, init: RequestInit, status: number, code: string]>([
    ["another path", "/v1/other", request(good), 404, "http-path"],
    ["another method", chat, { method: "PUT", body: good }, 405, "http-method"],
    ["a question for what is posted", chat, {}, 405, "http-method"],
    ["no type", chat, request(text.encode(good), {}), 415, "http-type"],
    ["plain text", chat, request(good, { "content-type": "text/plain" }), 415, "http-type"],
    ["a form", chat, request(good, { "content-type": "application/x-www-form-urlencoded" }), 415, "http-type"],
    ["another encoding", chat, request(good, { "content-type": "application/json; charset=latin1" }), 415, "http-type"],
    ["a removal of what is not there", "/v1/files/x", { method: "DELETE" }, 404, "http-path"],
    ["a packed body", chat, request(good, { "content-type": "application/json", "content-encoding": "gzip" }), 415, "http-type"],
    ["more than 4 MiB", chat, request(`"${"a".repeat(4_194_304)}"`), 413, "http-size"],
    ["no body", chat, request(""), 400, "http-body"],
    ["half a body", chat, request('{"model":'), 400, "http-body"],
    ["a list", chat, request("[]"), 400, "http-body"],
    ["10,000 levels", chat, request(`${"[".repeat(10_000)}${"]".repeat(10_000)}`), 400, "http-body"],
    ["a name twice", chat, request('{"model":"tiny","model":"tiny"}'), 400, "http-body"],
    ["__proto__", chat, request('{"model":"tiny","metadata":{"__proto__":{}}}'), 400, "http-body"],
    ["a mark of order", chat, request(`\ufeff${good}`), 400, "http-body"],
    ["UTF-16", chat, request(new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0])), 400, "http-body"],
    ["NUL", chat, request(`${good}\0`), 400, "http-body"],
    ["NaN", chat, request('{"model":"tiny","temperature":NaN}'), 400, "http-body"],
  ])("%s", async (_, path, init, status, code) => {
    const response = await served.fetch(path, init);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code, message: expect.any(String), param: null } });
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
  });

  it("says what is allowed where the method is another", async () => {
    expect((await served.fetch(chat)).headers.get("allow")).toBe("POST");
    for (const method of ["POST", "DELETE"]) expect((await served.fetch("/health", { method })).headers.get("allow")).toBe("GET, HEAD");
    for (const type of ['application/json; charset="UTF-8"', "application/json;charset=utf8"])
      expect((await served.fetch(chat, request(good, { "content-type": type }))).status).toBe(200);
  });
});

describe("a model", () => {
  it.each([
    "nobody",
    "../x",
    "./own.gguf",
    "/etc/passwd",
    "~/x",
    "C:\\x",
    "http://127.0.0.1/x",
    "file:///etc/passwd",
    "a\nb",
    "nobody@candle",
    "nobody/gpt",
    "hf:a/b",
    "x".repeat(9999),
  ])("%s does not exist, and nothing of this machine is told", async (model) => {
    const { status, json } = await post(served.fetch, chat, { model, messages });
    expect({ status, json }).toMatchObject({ status: 404, json: { error: { code: "model_not_found", param: "model" } } });
    expect((json as { error: { message: string } }).error.message).toBe(`The model '${model.slice(0, 100)}' does not exist`);
    if (!model.includes("\n") && model.length < 500)
      expect((await served.fetch(`/v1/models/${encodeURIComponent(model)}`)).status).toBe(404);
  });

  it("is one of those that are named, where only they are served", async () => {
    const asked: string[] = [];
    const network = async (input: unknown): Promise<Response> => {
      asked.push(String(input));
      return Response.error();
    };
    const only = here({ only: true, fetch: network as typeof fetch });
    const { data } = (await (await only.fetch("/v1/models")).json()) as { readonly data: readonly { readonly id: string }[] };
    expect([data.map(({ id }) => id), asked]).toEqual([["tiny"], []]);
    expect((await post(only.fetch, chat, { model: "tiny-stories", messages })).status).toBe(404);
    expect((await post(only.fetch, chat, { model: "tiny", messages })).status).toBe(200);
  });
});

describe("an engine that keeps dying", () => {
  it("is started again three times within a minute; then is told why it is not, and when to come again", async () => {
    const dies = here({ crashAt: () => true });
    const ask = () => dies.fetch(chat, request({ model: "tiny", messages }));
    for (let tries = 0; tries < 4; tries += 1) expect(await (await ask()).text()).toContain("a later request loads it again");
    const response = await ask();
    expect(response.status).toBe(503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(30);
    expect(await response.json()).toMatchObject({
      error: { code: "run-crash", message: expect.stringContaining("3 times within a minute") },
    });
  });
});

describe("the queue", () => {
  it("takes 16 behind the running one; the next is told when to come again", async () => {
    const busy = here({ stepMs: 20, answer: () => Array.from({ length: 20 }, () => " word") });
    const body = { model: "tiny", messages };
    await post(busy.fetch, chat, { ...body, max_tokens: 1 });
    const abort = new AbortController();
    const waiting = Array.from({ length: 17 }, () => busy.fetch(chat, { ...request(body), signal: abort.signal }).catch(() => undefined));
    await expect.poll(() => busy.asked.length, { timeout: soonMs }).toBe(2);
    const late = await busy.fetch(chat, request(body));
    expect([late.status, late.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await late.json()).toMatchObject({ error: { type: "rate_limit_error", code: "http-busy" } });
    abort.abort();
    await Promise.all(waiting);
    expect((await post(busy.fetch, chat, { ...body, max_tokens: 1 })).status).toBe(200);
  });
});

describe("a stream", () => {
  it("has one event a part, whatever its text, and ends with [DONE]", async () => {
    const odd = ["a\r\n\u2028", "data: x\n\n", "\ud83d\ude00", " end"];
    const strange = here({ answer: () => odd });
    const body = await (await strange.fetch(chat, request({ model: "tiny", messages, stream: true }))).text();
    const events = body.split("\n\n");
    expect(events.slice(-2)).toEqual(["data: [DONE]", ""]);
    const deltas = events.slice(0, -2).map((event) => JSON.parse(event.replace(/^data: /, "")).choices[0].delta.content ?? "");
    expect(deltas.join("")).toBe(odd.join(""));
  });

  it("waits for its reader: the model writes nothing that nobody wants", async () => {
    let words = 0;
    const slow = here({
      *answer() {
        for (; words < 1000; words += 1) yield " word";
      },
    });
    const response = await slow.fetch(chat, request({ model: "tiny", messages, stream: true }));
    const reader = response.body?.getReader();
    await reader?.read();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(words).toBeLessThan(10);
    await reader?.cancel();
    await expect.poll(() => slow.records.length, { timeout: soonMs }).toBe(1);
    expect(slow.records).toMatchObject([{ hasLeft: true }]);
  });

  it("whose body is given up before it is read frees the model too", async () => {
    const left = here({ answer: () => Array.from({ length: 100 }, () => " word") });
    const response = await left.fetch(chat, request({ model: "tiny", messages, stream: true }));
    await response.body?.cancel();
    expect((await post(left.fetch, chat, { model: "tiny", messages, max_tokens: 1 })).status).toBe(200);
  });
});

describe("the figures", () => {
  it("are text that Prometheus reads", async () => {
    const counted = here();
    await post(counted.fetch, chat, { model: "tiny", messages });
    await counted.fetch("/nowhere/secret");
    const response = await counted.fetch("/metrics");
    const lines = (await response.text()).split("\n");
    expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    expect(lines).toEqual(
      expect.arrayContaining([
        'llmspell_requests_total{path="/v1/chat/completions",status="200"} 1',
        'llmspell_requests_total{path="other",status="404"} 1',
        "llmspell_requests_running 1",
        'llmspell_tokens_total{model="./own.gguf",kind="prompt"} 2',
        'llmspell_tokens_total{model="./own.gguf",kind="completion"} 3',
      ]),
    );
    expect(lines.filter((line) => line !== "" && !line.startsWith("#")).every((line) => /^[a-z_]+(\{[^}]*\})? [\d.e-]+$/.test(line))).toBe(
      true,
    );
    expect(lines.join("")).not.toContain("secret");
  });

  it("health answers, to HEAD without a body", async () => {
    expect(await (await served.fetch("/health")).json()).toMatchObject({ status: "ok" });
    const head = await served.fetch("/health", { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });
});

it("a text that a form holds is valid, or the answer says that it is cut", async () => {
  const held = here({ answer: continuing('{"a":1}') });
  const body = { model: "tiny", messages, response_format: { type: "json_object" } };
  expect(await post(held.fetch, chat, body)).toMatchObject({
    json: { choices: [{ finish_reason: "stop", message: { content: '{"a":1}' } }] },
  });
});
