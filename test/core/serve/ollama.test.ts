/** Ollama's own API, through its client (ollama 0.6.4), and through our own backend for its server: what we read there, we write here. */
import { Ollama, type Tool } from "ollama";
import { describe, expect, it, vi } from "vitest";
import { createSpell } from "../../../src/core/api/spell.ts";
import { memoryPlatform } from "../../../src/core/testing/index.ts";
import { continuing } from "../../support/continuing.ts";
import { here, post, type ServedOptions } from "./support.ts";

const served = (options: ServedOptions = {}) => {
  const own = here({ ollamaApi: true, ...options });
  return { ...own, client: new Ollama({ host: "http://here", fetch: own.fetch }) };
};
const hermes =
  "{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% endif %}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>{# <tool_call> <think> #}";
const weather: Tool = {
  type: "function",
  function: {
    name: "weather",
    description: "Weather of a city",
    parameters: { type: "object", required: ["city"], properties: { city: { type: "string", description: "its name" } } },
  },
};

describe("/api, for the client of Ollama", () => {
  it("chats, whole and in pieces, with counts and times", async () => {
    const { client, asked, records } = served();
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" },
    ];
    const options = { temperature: 0.5, top_k: 3, num_predict: 20, num_ctx: 4096, stop: ["END"] };
    const whole = await client.chat({ model: "tiny:latest", messages, options });
    expect(whole).toMatchObject({
      model: "tiny",
      message: { role: "assistant", content: "Hello Anna!" },
      done: true,
      done_reason: "stop",
      prompt_eval_count: 3,
      eval_count: 3,
    });
    for (const value of [whole.total_duration, whole.eval_duration, whole.prompt_eval_duration, whole.load_duration])
      expect(Number.isInteger(value)).toBe(true);
    // what was asked for and has no effect is named
    const message = "options.num_ctx: the context is fixed when the model is loaded; it is 512";
    expect(whole).toHaveProperty("warnings", [{ code: "option-ignored", message }]);
    const same = await client.chat({ model: "tiny", messages, options: { num_ctx: 512 } });
    expect(same).not.toHaveProperty("warnings");
    expect(asked[0]).toMatchObject({
      prompt: expect.stringContaining("<system>Be brief.<user>Hi<assistant>"),
      sampling: { temperature: 0.5, topK: 3 },
    });
    const pieces: string[] = [];
    let last: object = {};
    for await (const part of await client.chat({ model: "tiny", messages, stream: true })) {
      pieces.push(part.message.content);
      last = part;
    }
    expect(pieces).toEqual(["Hello", " Anna", "!", ""]);
    expect(last).toMatchObject({ done: true, done_reason: "stop", eval_count: 3 });
    // the client leaves at the last line
    await vi.waitUntil(() => records.length === 3);
    expect(records.map(({ path, status }) => [path, status])).toEqual([
      ["/api/chat", 200],
      ["/api/chat", 200],
      ["/api/chat", 200],
    ]);
  });

  it("calls tools, and is told their results without ids", async () => {
    const rome = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>';
    const { client, asked } = served({
      chatTemplate: hermes,
      answer: (prompt) => (prompt.includes("<tool>") ? ["It", " rains."] : continuing(rome)(prompt)),
    });
    const first = await client.chat({ model: "tiny", messages: [{ role: "user", content: "Rome?" }], tools: [weather] });
    expect(first.message.tool_calls).toEqual([{ function: { name: "weather", arguments: { city: "Rome" } } }]);
    expect(first.done_reason).toBe("stop");
    const result = { role: "tool", content: "rain", tool_name: "weather" };
    const second = await client.chat({
      model: "tiny",
      messages: [{ role: "user", content: "Rome?" }, first.message, result],
      tools: [weather],
    });
    expect(second.message.content).toBe("It rains.");
    expect(asked.at(-1)?.prompt).toContain("<tool>rain");
  });

  it("thinks apart, or not at all", async () => {
    const { client } = served({ chatTemplate: hermes, answer: continuing("<think>hm</think>\n\nYes.") });
    const messages = [{ role: "user", content: "So?" }];
    expect((await client.chat({ model: "tiny", messages, think: true })).message).toEqual({
      role: "assistant",
      content: "Yes.",
      thinking: "hm",
    });
  });

  it("goes on with a prompt, as it is or through the template", async () => {
    const { client, asked } = served();
    expect(await client.generate({ model: "tiny", prompt: "Once", system: "Be brief." })).toMatchObject({
      response: "Hello Anna!",
      done: true,
    });
    expect(await client.generate({ model: "tiny", prompt: "Once", raw: true })).toMatchObject({ response: "Hello Anna!" });
    expect(asked.map(({ prompt }) => prompt)).toEqual([expect.stringContaining("<system>Be brief.<user>Once<assistant>"), "Once"]);
    const pieces: string[] = [];
    for await (const { response } of await client.generate({ model: "tiny", prompt: "Once", stream: true })) pieces.push(response ?? "");
    expect(pieces.join("")).toBe("Hello Anna!");
  });

  // as its server 0.6.5 takes them
  it.each<readonly [options: object, sampling: object, warnings: readonly string[]]>([
    [{ seed: -1, top_p: 0, top_k: -1 }, { topP: 1e-6, seed: expect.any(Number) }, []],
    [{ temperature: 5 }, { temperature: 2 }, ["options.temperature: 5 is beyond its range here; 2 is taken"]],
    [{ temperature: -1 }, { kind: "greedy" }, []],
    [{ seed: 1.5, min_p: -1, num_ctx: 0 }, { seed: 1 }, []],
    [
      { presence_penalty: -5 },
      { penalties: { presencePenalty: -2 } },
      ["options.presence_penalty: -5 is beyond its range here; -2 is taken"],
    ],
  ])("takes every number: %o", async (options, sampling, warnings) => {
    const { fetch, asked } = served();
    const { status, json } = await post(fetch, "/api/generate", { model: "tiny", prompt: "Once", stream: false, options });
    expect([status, asked[0]?.sampling]).toMatchObject([200, sampling]);
    const told = (json as { readonly warnings?: readonly { readonly message: string }[] }).warnings ?? [];
    expect(told.map(({ message }) => message)).toEqual(warnings);
  });

  it("answers until the context is full where num_predict sets no end", async () => {
    const { fetch } = served({
      config: { providers: { candle: { provider_type: "candle", max_tokens: 5 } } },
      answer: () => Array.from({ length: 50 }, () => " word"),
    });
    const ask = async (num_predict: number | string): Promise<unknown> =>
      (await post(fetch, "/api/generate", { model: "tiny", prompt: "Once", raw: true, stream: false, options: { num_predict } })).json;
    expect(await ask(-1)).toMatchObject({ done_reason: "stop", eval_count: 50 });
    expect(await ask(3)).toMatchObject({ done_reason: "length", eval_count: 3 });
    expect(await ask("5")).toEqual({
      error: 'options.num_predict: expected a number of tokens, 0 or less for as many as the context holds, got "5"',
    });
  });

  it("gives no vectors of nothing, names the model that is missing, and says where no thought came", async () => {
    const { fetch } = served();
    const ask = (path: string, body: object) => post(fetch, path, body);
    for (const input of [[], "", undefined])
      expect(await ask("/api/embed", { model: "tiny", input })).toMatchObject({ status: 200, json: { embeddings: [] } });
    const durations = { total_duration: expect.any(Number), load_duration: expect.any(Number) };
    expect(await ask("/api/embed", { model: "tiny", input: "a" })).toMatchObject({ json: durations });
    for (const prompt of ["", undefined])
      expect(await ask("/api/embeddings", { model: "tiny", prompt })).toMatchObject({ status: 200, json: { embedding: [] } });
    expect((await ask("/api/embed", { model: "tiny", input: ["a", ""] })).status).toBe(400);
    for (const path of ["/api/generate", "/api/chat", "/api/show", "/api/embed"])
      expect(await ask(path, {})).toMatchObject({ status: 400, json: { error: "model: expected text, got nothing" } });
    expect(await ask("/api/chat", { model: "nobody" })).toEqual({ status: 404, json: { error: "model 'nobody' not found" } });
    const messages = [{ role: "user", content: "So?" }];
    const thought = await ask("/api/chat", { model: "tiny", messages, stream: false, think: true });
    expect(thought).toMatchObject({ json: { warnings: [{ message: expect.stringMatching(/^think: the answer has no thought/) }] } });
  });

  it("loads and unloads a model where there is nothing to say, and tells until when it stays", async () => {
    const { client, spell } = served();
    expect(await client.ps()).toEqual({ models: [] });
    expect(await client.generate({ model: "tiny", prompt: "" })).toEqual(
      expect.objectContaining({ model: "tiny", response: "", done: true, done_reason: "load" }),
    );
    const { models } = await client.ps();
    expect(models).toMatchObject([{ name: "tiny", size: expect.any(Number), size_vram: 0 }]);
    // the keep-alive of the configuration: 300 seconds
    const stays = (new Date(models[0]?.expires_at ?? 0).getTime() - Date.now()) / 1000;
    expect(stays).toBeGreaterThan(290);
    expect(stays).toBeLessThan(301);
    const parting = { response: "", done: true, done_reason: "unload" };
    for (const keep_alive of [0, "0", "0s", "0h0m"]) {
      await client.chat({ model: "tiny", messages: [] });
      expect(spell.models.loaded()).toHaveLength(1);
      expect(await client.generate({ model: "tiny", prompt: "", keep_alive })).toEqual(expect.objectContaining(parting));
      expect([spell.models.loaded(), await client.ps()]).toEqual([[], { models: [] }]);
    }
    expect(await client.chat({ model: "tiny", messages: [], keep_alive: 0 })).toMatchObject({
      message: { content: "" },
      done_reason: "unload",
    });
    await expect(client.generate({ model: "nobody", prompt: "", keep_alive: 0 })).rejects.toMatchObject({ status_code: 404 });
  });

  it("tells of a model that stays for ever as Ollama does", async () => {
    const { client } = served({ config: { providers: { candle: { provider_type: "candle", keep_alive_seconds: -1 } } } });
    await client.generate({ model: "tiny", prompt: "" });
    const { models } = await client.ps();
    const years = (new Date(models[0]?.expires_at ?? 0).getTime() - Date.now()) / (365.2425 * 86_400_000);
    expect(years).toBeCloseTo(292.3, 0);
  });

  it.each([[[]], [{}], [true], ["1s".repeat(40)], ["5"], ["five minutes"], ["1h 5m"], [""]])(
    "keep_alive %j is none",
    async (keep_alive) => {
      const { fetch } = served();
      for (const [path, body] of [
        ["generate", { prompt: "a" }],
        ["chat", { messages: [] }],
        ["embed", { input: "a" }],
      ] as const)
        expect(await post(fetch, `/api/${path}`, { model: "tiny", ...body, keep_alive })).toMatchObject({
          status: 400,
          json: { error: expect.stringMatching(/^keep_alive: expected seconds, or a time such as "5m", got /) },
        });
    },
  );

  it("makes vectors", async () => {
    const { client } = served();
    const { embeddings, model } = await client.embed({ model: "tiny", input: ["a cat", "a"] });
    expect([model, embeddings.length]).toEqual(["tiny", 2]);
    for (const vector of embeddings) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    expect((await client.embeddings({ model: "tiny", prompt: "a cat" })).embedding).toEqual(embeddings[0]);
  });

  it("lists models and tells of one", async () => {
    const { client, fetch } = served();
    const { models } = await client.list();
    expect(models.find(({ name }) => name === "tiny")).toMatchObject({
      model: "tiny",
      size: expect.any(Number),
      details: { family: "llama", format: "gguf" },
    });
    const shown = await client.show({ model: "tiny:latest" });
    expect(shown).toMatchObject({
      details: { family: "llama" },
      capabilities: ["completion", "tools"],
      model_info: { "general.architecture": "llama" },
    });
    expect(await client.version()).toEqual({ version: "0.6.5" });
    expect(await (await fetch("http://here/")).text()).toBe("Ollama is running");
  });

  it("tells errors as text; without the option nobody is there", async () => {
    const { client, fetch } = served();
    await expect(client.chat({ model: "no-such", messages: [{ role: "user", content: "Hi" }] })).rejects.toMatchObject({
      status_code: 404,
      error: "model 'no-such' not found",
    });
    expect(await post(fetch, "/api/chat", { model: "tiny", messages: [{ role: "user", content: "Hi", images: ["aGk="] }] })).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining("messages[0].images") },
    });
    expect(await post(fetch, "/api/generate", { model: "tiny", prompt: "a", options: { temperature: "x" } })).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining("options.temperature") },
    });
    expect(await post(fetch, "/api/generate", { model: "tiny", prompt: "a", think: "x" })).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining("think: expected low, medium, high") },
    });
    expect(await post(fetch, "/api/generate", { model: "tiny", prompt: "a", format: { type: "integer", multipleOf: 3 } })).toMatchObject({
      status: 400,
      json: { error: expect.stringMatching(/^format\/multipleOf: /) },
    });
    const told = await post(fetch, "/api/generate", { model: "tiny", prompt: "a", stream: false, keep_alive: 0, think: "low" });
    expect(told.json).toMatchObject({
      warnings: [{ message: expect.stringContaining("think") }, { message: expect.stringContaining("keep_alive") }],
    });
    expect((await here().fetch("http://here/api/tags")).status).toBe(404);
  });

  it("is read by our own backend for Ollama", async () => {
    const { fetch } = served();
    const ollama = { provider_type: "ollama", base_url: "http://127.0.0.1:1" } as const;
    const spell = createSpell({ platform: memoryPlatform({ fetch }), config: { providers: { ollama } }, env: {} });
    expect((await spell.models.list("ollama")).map(({ id }) => id)).toContain("tiny@ollama");
    const { text, usage, finishReason } = await spell.generate("tiny@ollama", "Hi");
    expect([text, usage.completionTokens, finishReason]).toEqual(["Hello Anna!", 3, "stop"]);
    await spell.dispose();
  });
});
