/** Bodies that nobody sends by mistake: whatever they hold, the answer is one, or says what is wrong with the request. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLong } from "../../support.ts";
import { here, post } from "./support.ts";

const served = here({ answer: () => ["Hello"] });

/** The model here says "Hello" to every form: that its answer has another one is no mistake of the request, and counts as an answer. */
const judged = ({ status, json }: Awaited<ReturnType<typeof post>>): number =>
  status === 502 && JSON.stringify(json).includes("has not the form of") ? 200 : status;

const messages = [{ role: "user", content: "Hi" }];
const tool = { type: "function", function: { name: "add", description: "Adds", parameters: { type: "object" }, strict: true } };
const form = { type: "json_schema", json_schema: { name: "x", schema: { type: "object" } } };
/** A good body for each path, with every field that is read. */
const bodies: Readonly<Record<string, object>> = {
  "/v1/chat/completions": {
    ...{
      model: "tiny",
      messages,
      temperature: 1,
      top_p: 0.5,
      top_k: 3,
      min_p: 0.1,
      seed: 1,
      stop: ["x"],
      max_tokens: 5,
      max_completion_tokens: 5,
    },
    ...{
      n: 1,
      stream: false,
      stream_options: null,
      tools: [tool],
      tool_choice: "auto",
      parallel_tool_calls: true,
      response_format: { type: "text" },
    },
    ...{
      presence_penalty: 0,
      frequency_penalty: 0,
      repeat_penalty: 1,
      repeat_last_n: 64,
      reasoning_effort: "low",
      logprobs: false,
      logit_bias: {},
    },
    ...{
      chat_template_kwargs: { enable_thinking: true },
      grammar: null,
      user: "u",
      num_beams: 1,
      no_repeat_ngram_size: 0,
      length_penalty: 1,
    },
  },
  "/v1/completions": {
    model: "tiny",
    prompt: ["Hi"],
    max_tokens: 5,
    n: 1,
    stream: false,
    echo: false,
    suffix: null,
    best_of: 1,
    stop: "x",
  },
  "/v1/embeddings": { model: "tiny", input: ["Hi"], encoding_format: "base64", dimensions: 2, input_type: "query", user: "u" },
  "/v1/responses": {
    ...{ model: "tiny", input: [{ role: "user", content: [{ type: "input_text", text: "Hi" }] }], instructions: "x", max_output_tokens: 5 },
    ...{
      stream: false,
      tools: [{ type: "function", ...tool.function }],
      tool_choice: "auto",
      text: { format: { type: "text" }, verbosity: "low" },
    },
    ...{
      reasoning: { effort: "low", summary: "auto" },
      metadata: {},
      store: false,
      include: [],
      truncation: "disabled",
      previous_response_id: null,
    },
  },
  "/v1/messages": {
    ...{
      model: "tiny",
      max_tokens: 5,
      messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
      system: [{ type: "text", text: "x" }],
    },
    ...{ stop_sequences: ["x"], stream: false, tools: [{ name: "add", input_schema: { type: "object" } }], tool_choice: { type: "auto" } },
    ...{ thinking: { type: "disabled" }, output_config: { effort: "low" }, metadata: {} },
  },
};
const forms: Readonly<Record<string, object>> = {
  "/v1/chat/completions": { model: "tiny", messages, max_tokens: 5, response_format: form },
  "/v1/messages": {
    model: "tiny",
    max_tokens: 5,
    messages,
    output_config: { format: { type: "json_schema", schema: { type: "object" } } },
  },
};

/** Places of every value in a body, the body itself among them. */
function placesOf(value: unknown): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [[]];
  return [[], ...Object.entries(value).flatMap(([name, inner]) => placesOf(inner).map((place) => [name, ...place]))];
}

function replaced(value: unknown, [name, ...rest]: readonly string[], by: unknown): unknown {
  if (name === undefined) return by;
  const copy: Record<string, unknown> = Array.isArray(value) ? ([...value] as never) : { ...(value as object) };
  copy[name] = replaced(copy[name], rest, by);
  return copy;
}

const odd: readonly unknown[] = [
  -1,
  0,
  1.5,
  1e308,
  2 ** 31,
  2 ** 64,
  "5",
  "",
  "x".repeat(2000),
  null,
  true,
  [],
  {},
  [[]],
  [null],
  { type: "text" },
  "\ud800",
  { toString: 1 },
  { length: 5 },
];

describe("a body with something else in a place of it", () => {
  it.each(Object.entries(bodies))("%s", async (path, body) => {
    expect((await post(served.fetch, path, body)).status).toBe(200);
    const anything = fc.oneof(fc.constantFrom(...odd), fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>);
    const property = fc.asyncProperty(fc.constantFrom(...placesOf(body)), anything, async (place, by) => {
      const text = JSON.stringify(replaced(body, place, by));
      expect([200, 400, 404]).toContain(judged(await post(served.fetch, path, text)));
    });
    await fc.assert(property, { seed: 24, numRuns: isLong ? 20_000 : 150 });
  });

  it.each(Object.entries(forms))("a form in %s", async (path, body) => {
    const property = fc.asyncProperty(fc.constantFrom(...placesOf(body)), fc.constantFrom(...odd), async (place, by) => {
      expect([200, 400, 404]).toContain(judged(await post(served.fetch, path, JSON.stringify(replaced(body, place, by)))));
    });
    await fc.assert(property, { seed: 24, numRuns: isLong ? 5000 : 100 });
  });

  it("is any bytes at all", async () => {
    const property = fc.asyncProperty(fc.oneof(fc.string(), fc.json(), fc.string({ unit: "binary" })), async (text) => {
      expect((await post(served.fetch, "/v1/chat/completions", text)).status).toBe(400);
    });
    await fc.assert(property, { seed: 24, numRuns: isLong ? 20_000 : 150 });
  });

  it.each([
    ["a recursive schema without an end", { $ref: "#" }],
    ["100,000 values", { enum: Array.from({ length: 100_000 }, (_, i) => i) }],
    ["a pattern that multiplies", { type: "string", pattern: "^(((((a{1,900}){900}){900}){900}){900})$" }],
    ["lists in lists", { type: "array", minItems: 900, items: { type: "array", minItems: 900, items: { type: "array", minItems: 900 } } }],
  ])("a schema with %s", async (_, schema) => {
    const body = { model: "tiny", messages, max_tokens: 5, response_format: { type: "json_schema", json_schema: { name: "x", schema } } };
    expect([200, 400]).toContain(judged(await post(served.fetch, "/v1/chat/completions", body)));
    const tools = [{ type: "function", function: { name: "add", parameters: { type: "object", properties: { a: schema } } } }];
    expect([200, 400]).toContain(
      judged(await post(served.fetch, "/v1/chat/completions", { model: "tiny", messages, max_tokens: 5, tools, tool_choice: "required" })),
    );
  });
});
