/** Requests for models of a provider are passed on to it: here to another of our own servers, so both ends of each wire meet. */
import { describe, expect, it } from "vitest";
import { memoryPlatform } from "../../../src/core/testing/index.ts";
import { createFetch, createSpell } from "../../../src/edge/main.ts";
import { continuing } from "../../support/continuing.ts";
import { here, post, type ServedOptions } from "./support.ts";

const messages = [{ role: "user", content: "Say hello." }];
const chat = "/v1/chat/completions";

/** A server whose models are those of another one. */
function passing(options: ServedOptions = {}) {
  const far = here(options);
  const platform = { ...memoryPlatform({ fetch: far.fetch }), gguf: { available: false as const, reason: "engines do not run here" } };
  const providers = {
    office: { provider_type: "openai-compatible" as const, base_url: "http://127.0.0.1:9/v1", max_retries: 0 },
    anthropic: { api_key: "none", base_url: "http://127.0.0.1:9", max_retries: 0 },
  };
  return { far, near: createFetch(createSpell({ platform, config: { providers }, env: {} })) };
}

describe.each(["office/tiny", "anthropic/tiny"])("a request for %s", (model) => {
  it("is answered by the provider, with its counts", async () => {
    const { far, near } = passing();
    expect(await post(near, chat, { model, messages, temperature: 0, max_tokens: 2 })).toMatchObject({
      status: 200,
      json: {
        model,
        choices: [{ message: { content: "Hello Anna" }, finish_reason: "length" }],
        usage: { prompt_tokens: 3, completion_tokens: 2 },
      },
    });
    expect(far.asked).toMatchObject([{ prompt: "<user>Say hello.<assistant>", sampling: { kind: "greedy" } }]);
  });

  it("streams, with thoughts and calls", async () => {
    const call = continuing('<think>Hm.</think>I look. <tool_call>\n{"name": "add", "arguments": {"a":1}}\n</tool_call>');
    const { near } = passing({
      answer: call,
      chatTemplate: "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{# <think> #}",
    });
    const tools = [{ type: "function", function: { name: "add", parameters: { type: "object" } } }];
    const { json } = await post(near, chat, { model, messages, tools, stream: true });
    const deltas = String(json)
      .split("\n\n")
      .filter((event) => event.startsWith("data: {"))
      .map((event) => JSON.parse(event.slice("data: ".length)).choices[0].delta);
    expect(deltas.map((delta) => delta.content ?? "").join("")).toBe("I look. ");
    expect(deltas.map((delta) => delta.reasoning_content ?? "").join("")).toBe("Hm.");
    expect(deltas.flatMap((delta) => delta.tool_calls ?? [])).toMatchObject([
      { index: 0, function: { name: "add", arguments: '{"a":1}' } },
    ]);
  });

  it("goes on with an answer that was begun where the provider does", async () => {
    const { far, near } = passing();
    const begun = [...messages, { role: "assistant", content: "Dear " }];
    const { status, json } = await post(near, chat, { model, messages: begun, continue_final_message: true });
    if (model.startsWith("anthropic")) {
      expect([status, far.asked.at(-1)?.prompt]).toEqual([200, "<user>Say hello.<assistant>Dear "]);
    } else expect({ status, json }).toMatchObject({ status: 400, json: { error: { param: "continue_final_message" } } });
  });

  it("is told that the provider broke the form: that is not its own mistake", async () => {
    const { near } = passing({ answer: () => ['{"nope":1}'] });
    const schema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
    const response_format = { type: "json_schema", json_schema: { name: "a", schema } };
    expect((await post(near, chat, { model, messages, response_format })).status).toBe(502);
  });

  it("is told what the provider refuses", async () => {
    const { near } = passing();
    const [name] = model.split("/");
    expect(await post(near, chat, { model: `${name}/nobody`, messages })).toMatchObject({
      status: 404,
      json: { error: { code: "model_not_found" } },
    });
    const long = [{ role: "user", content: "word ".repeat(600) }];
    expect(await post(near, chat, { model, messages: long })).toMatchObject({ status: 400 });
    const down = passing({ crashAt: () => true });
    expect((await post(down.near, chat, { model, messages })).status).toBeGreaterThanOrEqual(500);
  });
});

it("a model of this host does not run where there are no engines, and the answer says so", async () => {
  const near = createFetch(createSpell({ config: {}, env: {} }));
  const { status, json } = await post(near, chat, { model: "tiny-stories", messages });
  expect({ status, json }).toMatchObject({ status: 503, json: { error: { code: "device-unavailable" } } });
});
