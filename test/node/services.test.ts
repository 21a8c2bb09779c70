/** Services over real HTTP: keys, pace, retries, redirects, time. Nothing leaves this machine. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createAgents } from "../../src/core/agents/agents.ts";
import { createSpell, type Spell } from "../../src/core/api/spell.ts";
import { memoryPlatform } from "../../src/core/testing/memory-platform.ts";
import { failure } from "../support/failure.ts";

const key = "key-of-mine-1234";
const answer = [
  'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n',
  'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n',
  "data: [DONE]\n\n",
].join("");
const say = (response: ServerResponse): void => void response.writeHead(200, { "content-type": "text/event-stream" }).end(answer);
const refuse = (response: ServerResponse, status: number, error: object | string, headers: Record<string, string> = {}): void =>
  void response.writeHead(status, headers).end(typeof error === "string" ? error : JSON.stringify({ error }));

interface Heard {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly at: number;
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(listener: (request: IncomingMessage, response: ServerResponse, count: number) => void) {
  const heard: Heard[] = [];
  const listen: RequestListener = (request, response) => {
    let body = "";
    request.on("data", (piece) => {
      body += String(piece);
    });
    request.on("end", () => {
      heard.push({ path: request.url ?? "", headers: request.headers, body, at: performance.now() });
      listener(request, response, heard.length - 1);
    });
  };
  const server = createServer(listen).listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { heard, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const quick = { initial_delay_ms: 1, max_delay_ms: 2 };
const spellOf = (provider: object, env: Record<string, string> = {}): Spell => {
  const spell = createSpell({ platform: memoryPlatform({ fetch }), config: { providers: { office: provider as never } }, env });
  closing.push(() => void spell.dispose());
  return spell;
};
const compatible = (origin: string, more: object = {}): Spell =>
  spellOf({ provider_type: "openai-compatible", base_url: `${origin}/v1/`, retry: quick, ...more });

describe("every key of a provider", () => {
  const seen = async (type: string, more: object, env: Record<string, string> = {}) => {
    const messages = [
      '{"type":"message_start","message":{"usage":{"input_tokens":1}}}',
      '{"type":"message_delta","delta":{"stop_reason":"end_turn"}}',
      '{"type":"message_stop"}',
    ];
    const { heard, origin } = await serve((_, response) =>
      type === "anthropic" ? response.end(messages.map((each) => `data: ${each}\n\n`).join("")) : say(response),
    );
    const spell = spellOf({ provider_type: type, base_url: origin, retry: quick, ...more }, env);
    await spell.generate("office/m", "x");
    return { ...heard[0], body: JSON.parse(heard[0]?.body ?? "{}") as Record<string, unknown> };
  };

  it.each([
    [{ temperature: 0.3 }, { temperature: 0.3 }],
    [{ top_p: 0.5 }, { top_p: 0.5 }],
    [{ top_k: 7 }, { top_k: 7 }],
    [{ max_tokens: 77 }, { max_tokens: 77 }],
    [{ preset: "greedy" }, { temperature: 0, top_p: 1 }],
  ])("%j is sent by every type", async (keys, sent) => {
    for (const type of ["openai-compatible", "anthropic"]) expect((await seen(type, { api_key: key, ...keys })).body).toMatchObject(sent);
  });

  it("min_p, seed and stop are sent where they are known", async () => {
    expect((await seen("openai-compatible", { min_p: 0.1, seed: 5, stop: ["a"] })).body).toMatchObject({
      min_p: 0.1,
      seed: 5,
      stop: ["a"],
    });
    expect((await seen("anthropic", { api_key: key, stop: ["a"] })).body).toMatchObject({ stop_sequences: ["a"] });
    const { origin } = await serve((_, response) => say(response));
    const { warnings } = await compatible(origin, { repeat_penalty: 1.3, repeat_last_n: 5 }).generate("office/m", "x");
    expect(warnings).toMatchObject([{ code: "option-ignored", message: "office does not know repeatPenalty, repeatLastN; not sent" }]);
  });

  it("api_key goes into the header of its service; api_key_env names a variable", async () => {
    expect((await seen("openai", { api_key: key })).headers?.authorization).toBe(`Bearer ${key}`);
    expect((await seen("openai", { api_key_env: "MINE" }, { MINE: key })).headers?.authorization).toBe(`Bearer ${key}`);
    expect((await seen("anthropic", { api_key_env: "MINE" }, { MINE: ` ${key}\n` })).headers?.["x-api-key"]).toBe(key);
    expect((await seen("openai-compatible", {})).headers?.authorization).toBeUndefined();
  });

  it("says where a service passes over that a tool has to be called", async () => {
    const { origin } = await serve((_, response) => say(response));
    const tools = [{ name: "look" }];
    const told = async (toolChoice: "auto" | "required") =>
      (await (await compatible(origin).load("office/m")).generate("x", { tools, toolChoice })).warnings.map(({ code }) => code);
    expect([await told("required"), await told("auto")]).toEqual([["option-ignored"], []]);
  });

  it("enabled = false is as if the provider were not there", async () => {
    expect(await failure(spellOf({ provider_type: "openai", enabled: false }).load("x@office"))).toMatchObject({ code: "backend-unknown" });
  });

  it("default_model answers where none is named", async () => {
    const { heard, origin } = await serve((_, response) => say(response));
    const spell = compatible(origin, { default_model: "own/model:free" });
    expect(await spell.generate(undefined, "x")).toMatchObject({
      text: "Hello",
      model: "own/model:free@office",
      backend: "openai-compatible",
      provider: "office",
    });
    expect(JSON.parse(heard[0]?.body ?? "")).toMatchObject({ model: "own/model:free" });
  });

  it("timeout_seconds is the longest wait for the first byte and between two", async () => {
    for (const begins of [false, true]) {
      const { origin } = await serve((_, response) => {
        if (begins) response.writeHead(200, { "content-type": "text/event-stream" }).write(answer.slice(0, 60));
      });
      const started = performance.now();
      const error = await failure(compatible(origin, { timeout_seconds: 1 }).generate("office/m", "x"));
      expect(error).toMatchObject({ code: "net-stall", hint: expect.stringContaining("timeout_seconds") });
      expect(performance.now() - started).toBeGreaterThan(900);
      expect(performance.now() - started).toBeLessThan(8000);
      if (begins) expect(error.details?.["partialText"]).toBe("Hello");
    }
  });

  it("rag.embedding.max_retries alone counts tries of embeddings, each with the whole time, and the service's own words are told", async () => {
    const ragOf = (origin: string, embedding: object) => {
      const office = { provider_type: "openai-compatible", base_url: `${origin}/v1/`, retry: quick } as const;
      const rag = { embedding: { default_provider: "office", model: "office/e", ...embedding } };
      const spell = createSpell({ platform: memoryPlatform({ fetch }), config: { providers: { office }, rag }, env: {} });
      closing.push(() => void spell.dispose());
      return spell.rag();
    };
    const note = { id: "a", text: "The oven is hot." };
    for (const [max_retries, status] of [
      [0, 500],
      [1, 500],
      [1, 503],
    ] as const) {
      const { heard, origin } = await serve((_, response) => refuse(response, status, { message: "it fell over" }));
      const rag = await ragOf(origin, { max_retries, timeout_seconds: 2 });
      expect(await failure(rag.ingest(note))).toMatchObject({
        code: "provider-error",
        message: expect.stringContaining(`answered ${status}: it fell over`),
      });
      expect(heard.filter(({ path }) => path.endsWith("/embeddings"))).toHaveLength(max_retries + 1);
    }
    const stuck = await serve((_, response, count) => (count === 0 ? refuse(response, 500, { message: "it fell over" }) : undefined));
    const rag = await ragOf(stuck.origin, { max_retries: 1, timeout_seconds: 1 });
    expect(await failure(rag.ingest(note))).toMatchObject({
      code: "rag-timeout",
      message: expect.stringMatching(/gave no vectors within 1 s$/),
    });
    const waits = await serve((_, response) => refuse(response, 429, { message: "later" }, { "retry-after": "1" }));
    await failure((await ragOf(waits.origin, { max_retries: 1 })).ingest(note));
    expect((waits.heard[1]?.at ?? 0) - (waits.heard[0]?.at ?? 0)).toBeGreaterThan(900);
  });

  it("max_retries counts tries after 408, 429, 5xx and resets; retry.* says how long between", async () => {
    for (const status of [408, 429, 500, 503, 529]) {
      const { heard, origin } = await serve((_, response, count) => (count < 2 ? refuse(response, status, "") : say(response)));
      expect((await compatible(origin, { max_retries: 2 }).generate("office/m", "x")).text).toBe("Hello");
      expect(heard).toHaveLength(3);
    }
    const reset = await serve((request, response, count) => (count < 1 ? void request.socket.destroy() : say(response)));
    expect((await compatible(reset.origin).generate("office/m", "x")).text).toBe("Hello");
    const { heard, origin } = await serve((_, response) => refuse(response, 500, { message: "it fell over" }));
    const error = await failure(compatible(origin, { max_retries: 1 }).generate("office/m", "x"));
    expect(error).toMatchObject({
      code: "provider-error",
      retryable: true,
      message: expect.stringContaining("answered 500: it fell over"),
    });
    expect(heard).toHaveLength(2);
    const once400 = await serve((_, response) => refuse(response, 400, { message: "no" }));
    await failure(compatible(once400.origin).generate("office/m", "x"));
    expect(once400.heard).toHaveLength(1);
    const slow = await serve((_, response, count) => (count < 3 ? refuse(response, 500, "") : say(response)));
    await compatible(slow.origin, { retry: { initial_delay_ms: 20, max_delay_ms: 200, backoff_multiplier: 4 } }).generate("office/m", "x");
    const [a = 0, b = 0, c = 0, d = 0] = slow.heard.map(({ at }) => at);
    expect(b - a).toBeGreaterThanOrEqual(9);
    expect(c - b).toBeGreaterThanOrEqual(39);
    expect(d - c).toBeGreaterThanOrEqual(99);
  });

  it("rate_limit.requests_per_minute lets calls wait, and an abort ends the wait", async () => {
    const { heard, origin } = await serve((_, response) => say(response));
    const spell = compatible(origin, { rate_limit: { requests_per_minute: 2 } });
    const model = await spell.load("office/m");
    await Promise.all([model.generate("a"), model.generate("b")]);
    const abort = new AbortController();
    const third = failure(model.generate("c", { signal: abort.signal }));
    setTimeout(() => abort.abort(), 100);
    expect((await third).code).toBe("run-aborted");
    expect(heard).toHaveLength(2);
  });
});

describe("keys", () => {
  it("are missed only with the first use, by the name of their variable; nothing is asked before", async () => {
    const { heard, origin } = await serve((_, response) => say(response));
    for (const [type, more, variable] of [
      ["openai", {}, "OPENAI_API_KEY"],
      ["anthropic", {}, "ANTHROPIC_API_KEY"],
      ["openai-compatible", { api_key_env: "OFFICE_KEY" }, "OFFICE_KEY"],
    ] as const) {
      const spell = spellOf({ provider_type: type, base_url: origin, ...more });
      const builder = createAgents({ spell, config: await spell.config() }).builder();
      const agent = builder.set("model", "office/m").build();
      expect(await spell.models.status()).toMatchObject({
        office: { configured: true, ready: false, error: expect.stringContaining(variable) },
      });
      for (const use of [agent.execute("x"), spell.load("office/m"), spell.models.info("m@office")])
        expect(await failure(use)).toMatchObject({
          code: "config-api-key-missing",
          exitCode: 2,
          message: expect.stringContaining(variable),
          actions: [{ kind: "set-variable", name: variable }],
        });
    }
    expect(heard).toEqual([]);
  });

  it("of a vendor's variable go to the vendor alone, unless a configuration names the variable for another address", async () => {
    const { heard, origin } = await serve((_, response) => say(response));
    const env = { OPENAI_API_KEY: key };
    const own = (more: object): Spell =>
      createSpell({
        platform: memoryPlatform({ fetch }),
        config: { providers: { openai: { provider_type: "openai", base_url: origin, ...more } } },
        env,
      });
    expect(await failure(own({}).generate("openai/m", "x"))).toMatchObject({
      code: "config-api-key-missing",
      hint: expect.stringContaining('providers.openai.api_key_env = "OPENAI_API_KEY"'),
    });
    expect(heard).toEqual([]);
    await own({ api_key_env: "OPENAI_API_KEY" }).generate("openai/m", "x");
    expect(heard[0]?.headers.authorization).toBe(`Bearer ${key}`);
    const asked: Headers[] = [];
    const vendor = createSpell({
      platform: memoryPlatform({
        fetch: async (_, init) => {
          asked.push(new Headers(init?.headers));
          return new Response(answer);
        },
      }),
      config: { providers: { openai: { provider_type: "openai" } } },
      env,
    });
    await vendor.generate("openai/m", "x");
    expect(asked[0]?.get("authorization")).toBe(`Bearer ${key}`);
  });

  it("go to no other origin: a redirect there is not followed, one at the same origin is", async () => {
    const other = await serve((_, response) => say(response));
    for (const status of [301, 302, 307, 308])
      for (const type of ["openai-compatible", "anthropic"]) {
        const { origin } = await serve((_, response) => void response.writeHead(status, { location: `${other.origin}/v1/x` }).end());
        const error = await failure(
          spellOf({ provider_type: type, base_url: origin, api_key: key, retry: quick }).generate("office/m", "secret prompt"),
        );
        expect(error).toMatchObject({ code: "net-redirect", hint: expect.stringContaining("providers.office.base_url") });
        expect(error.message).toContain(other.origin);
      }
    expect(other.heard).toEqual([]);
    const { heard, origin } = await serve((request, response) =>
      request.url === "/v1/chat/completions" ? void response.writeHead(307, { location: "/v2/chat" }).end() : say(response),
    );
    expect((await compatible(origin, { api_key: key }).generate("office/m", "x")).text).toBe("Hello");
    expect(heard.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ["/v1/chat/completions", `Bearer ${key}`],
      ["/v2/chat", `Bearer ${key}`],
    ]);
  });

  it("are not sent without encryption to another machine", async () => {
    const spell = spellOf({ provider_type: "openai-compatible", base_url: "http://office.example/v1", api_key: key });
    expect(await failure(spell.generate("office/m", "x"))).toMatchObject({ code: "config-value", where: "providers.office.base_url" });
  });

  it("show nowhere: not where a server repeats them, not in status, not in errors", async () => {
    const { origin } = await serve((_, response) => refuse(response, 401, { message: `Incorrect API key provided: ${key}` }));
    const spell = compatible(origin, { api_key_env: "OFFICE_KEY" });
    const keyed = spellOf(
      { provider_type: "openai-compatible", base_url: origin, api_key_env: "OFFICE_KEY", retry: quick },
      { OFFICE_KEY: key },
    );
    const error = await failure(keyed.generate("office/m", "x"));
    expect(error).toMatchObject({ code: "provider-unauthorized", exitCode: 5, actions: [{ kind: "set-variable", name: "OFFICE_KEY" }] });
    expect(error.message).toContain("********");
    const all = JSON.stringify([error, error.cause, await keyed.models.status("office"), await spell.models.status()]);
    expect(all).not.toContain(key);
  });

  it("of an agent's own address are its own: the configured one goes to the configured origin alone", async () => {
    const { heard, origin } = await serve((_, response) => say(response));
    const other = await serve((_, response) => say(response));
    const spell = compatible(origin, { api_key: key });
    const agents = createAgents({ spell, config: await spell.config() });
    closing.push(() => void agents.dispose());
    const built = (more: Record<string, string>) => {
      const builder = agents.builder().set("provider", "office").set("model", "m");
      for (const [name, value] of Object.entries(more)) builder.set(name, value);
      return builder.build();
    };
    await built({}).execute("x");
    await built({ base_url: `${origin}/v1` }).execute("x");
    expect(heard.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${key}`, `Bearer ${key}`]);
    await built({ base_url: other.origin }).execute("x");
    await built({ base_url: other.origin, api_key: "another-key" }).execute("x");
    expect(other.heard.map(({ headers }) => headers.authorization)).toEqual([undefined, "Bearer another-key"]);
  });
});

describe("errors say the next step", () => {
  const errorOf = async (status: number, error: object | string, headers: Record<string, string> = {}, more: object = {}) => {
    const { heard, origin } = await serve((_, response) => refuse(response, status, error, headers));
    return { error: await failure(compatible(origin, { max_retries: 1, ...more }).generate("office/m", "x", { temperature: 0.5 })), heard };
  };

  it("a model that is not there: how to list those that are", async () => {
    for (const error of [
      { message: "The model `m` does not exist", code: "model_not_found" },
      { message: 'model "m" not found' },
      { message: "x", type: "not_found_error" },
    ])
      expect((await errorOf(404, error)).error).toMatchObject({
        code: "model-unknown",
        exitCode: 3,
        actions: [{ kind: "list", backend: "office" }],
      });
    expect((await errorOf(404, "<html>nothing here</html>")).error).toMatchObject({
      code: "provider-error",
      hint: expect.stringContaining("/v1"),
    });
  });

  it("a limit: how long to wait; a wait of two minutes at most is waited for", async () => {
    const { error, heard } = await errorOf(429, { message: "slow down" }, { "retry-after": "3600" });
    expect(error).toMatchObject({ code: "provider-rate-limit", exitCode: 5, retryable: true, details: { retryAfterSeconds: 3600 } });
    expect(error.message).toContain("3600 s");
    expect(heard).toHaveLength(1);
    const waited = await serve((_, response, count) => (count === 0 ? refuse(response, 429, "", { "retry-after": "1" }) : say(response)));
    await compatible(waited.origin).generate("office/m", "x");
    const [a = 0, b = 0] = waited.heard.map(({ at }) => at);
    expect(b - a).toBeGreaterThan(950);
    const spent = await errorOf(429, { message: "You exceeded your quota", code: "insufficient_quota" });
    expect(spent.error).toMatchObject({ code: "provider-rate-limit", hint: expect.stringContaining("spend") });
    expect(spent.heard).toHaveLength(1);
  });

  it("a parameter that the model does not take: which", async () => {
    const { error } = await errorOf(400, { message: "Unsupported value: 'temperature'", param: "temperature", code: "unsupported_value" });
    expect(error).toMatchObject({ code: "run-option", where: "temperature" });
    const long = await errorOf(400, { message: "This model's maximum context length is 8192 tokens", code: "context_length_exceeded" });
    expect(long.error).toMatchObject({ code: "run-context" });
    expect((await errorOf(400, { message: "no\u0007 way", type: "invalid_request_error" })).error).toMatchObject({
      code: "provider-error",
    });
  });

  it("a web page in place of an answer: where to look", async () => {
    const { origin } = await serve((_, response) =>
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<html>login"),
    );
    expect(await failure(compatible(origin).generate("office/m", "x"))).toMatchObject({
      code: "provider-error",
      message: expect.stringContaining("answered with a web page, expected a stream of events"),
      hint: expect.stringContaining("base_url"),
    });
  });

  it("whatever a server says, in bounds", async () => {
    const { error } = await errorOf(500, "x".repeat(5_000_000), {}, { max_retries: 0 });
    expect(error.message.length).toBeLessThan(1000);
    for (const body of ["null", "[]", '"text"', "{}", '{"error":null}', '{"error":[{"message":"deep"}]}', `${"[".repeat(10_000)}`])
      expect((await errorOf(400, body)).error.code).toBe("provider-error");
    expect(
      await failure(spellOf({ provider_type: "openai-compatible", base_url: "http://127.0.0.1:9/v1" }).generate("office/m", "x")),
    ).toMatchObject({
      code: "net-offline",
      hint: expect.stringContaining("http://127.0.0.1:9/v1"),
    });
  });
});

describe("models of a service", () => {
  const models = {
    data: [
      { id: "m", object: "model", created: 1_700_000_000, owned_by: "me", max_model_len: 4096 },
      { id: "own/big:free", created_at: "2025-01-01T00:00:00Z" },
      { id: "g.gguf", meta: { n_ctx_train: 2048, n_params: 135_000_000, n_vocab: 49_152, size: 100 } },
      { id: 7 },
      "x",
    ],
  };

  it("are asked for at /models, and called so that they can be typed again", async () => {
    const { heard, origin } = await serve((_, response) => response.end(JSON.stringify(models)));
    const spell = compatible(origin, { api_key: key });
    const list = await spell.models.list("office");
    expect(list.map(({ id }) => id)).toEqual(["m@office", "own/big:free@office", "g.gguf@office"]);
    expect(list[0]).toMatchObject({ backend: "openai-compatible", format: null, sizeBytes: null, modifiedAt: 1_700_000_000, source: "me" });
    expect(heard[0]).toMatchObject({ path: "/v1/models", headers: { authorization: `Bearer ${key}` } });
    expect(await spell.models.info("m@office")).toMatchObject({ id: "m@office", contextLength: 4096 });
    expect(await spell.models.info("g.gguf@office")).toMatchObject({ contextLength: 2048, parameterCount: 135_000_000, vocabSize: 49_152 });
    expect(await failure(spell.models.info("nope@office"))).toMatchObject({
      code: "model-unknown",
      actions: [{ kind: "list", backend: "office" }],
    });
    expect(await spell.models.status("office")).toMatchObject({ "openai-compatible": { running: true, models: 3, url: `${origin}/v1` } });
    // nobody asks a service that was not named
    const before = heard.length;
    await spell.models.list();
    expect(await spell.models.status()).toMatchObject({ office: { configured: true, ready: true } });
    expect(await (await spell.localLLM()).status()).not.toHaveProperty("office");
    expect(heard).toHaveLength(before);
    expect(await failure((await spell.localLLM()).generate("office/m", "x"))).toMatchObject({
      code: "run-option",
      hint: expect.stringContaining("agent"),
    });
  });

  it("are read page by page from Anthropic, and no longer than a list can be", async () => {
    const { heard, origin } = await serve((request, response) => {
      const isFirst = !(request.url ?? "").includes("after_id");
      response.end(
        JSON.stringify(
          isFirst ? { data: [{ id: "a" }], has_more: true, last_id: "a" } : { data: [{ id: "b" }], has_more: false, last_id: "b" },
        ),
      );
    });
    const spell = spellOf({ provider_type: "anthropic", base_url: origin, api_key: key });
    expect((await spell.models.list("office")).map(({ id }) => id)).toEqual(["a@office", "b@office"]);
    expect(heard.map(({ path }) => path)).toEqual(["/v1/models?limit=1000", "/v1/models?limit=1000&after_id=a"]);
    const endless = await serve((_, response) => response.end('{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}'));
    await spellOf({ provider_type: "anthropic", base_url: endless.origin, api_key: key }).models.list("office");
    expect(endless.heard.length).toBeLessThan(50);
    for (const body of ["[]", "{}", "<html>", '{"data":{}}']) {
      const wrong = await serve((_, response) => response.end(body));
      expect(
        await failure(
          compatible(wrong.origin)
            .models.listAll("office")
            .then(({ backends }) => Promise.reject(backends[0]?.error)),
        ),
      ).toMatchObject({ code: "provider-error" });
    }
  });
});

describe("an answer", () => {
  it("is stopped by an abort, by leaving the loop, and by disposing the model", async () => {
    const { heard, origin } = await serve((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const timer = setInterval(() => response.write('data: {"choices":[{"delta":{"content":"x"}}]}\n\n'), 5);
      response.on("close", () => clearInterval(timer));
    });
    const spell = compatible(origin);
    const model = await spell.load("office/m");
    const abort = new AbortController();
    const error = await failure(
      (async () => {
        for await (const part of model.stream("x", { signal: abort.signal })) if (part.type === "text-delta") abort.abort();
      })(),
    );
    expect(error).toMatchObject({ code: "run-aborted", details: { partialText: expect.stringMatching(/^x+$/) } });
    for await (const part of model.stream("x")) if (part.type === "text-delta") break;
    const left = model.generate("x");
    setTimeout(() => void model.dispose(), 50);
    expect((await failure(left)).code).toBe("run-closed");
    expect(heard).toHaveLength(3);
  });
});
