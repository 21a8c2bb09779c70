/** The Ollama backend: against the real server where it is, against a scripted one for what a real one does not do here. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createSpell } from "../../src/core/api/spell.ts";
import type { PullResult } from "../../src/core/backends/models.ts";
import type { GenerateOptions, Prompt } from "../../src/core/spec/generate.ts";
import type { StreamPart } from "../../src/core/spec/stream-part.ts";
import { memoryPlatform } from "../../src/core/testing/memory-platform.ts";
import { openFileSource } from "../../src/node/file-source.ts";
import { createSpell as createNodeSpell } from "../../src/node/main.ts";
import { distance } from "../contract/embedding-model.ts";
import { failure } from "../support/failure.ts";
import { onlyWhere } from "../support/only-where.ts";
import { textOf } from "../support/text-of.ts";
import { isLong, root, sharedModel } from "../support.ts";

const llmAt = (url: string, timeoutMs = 100_000) => {
  const bundled = (model: string, file: string) => openFileSource(join(root, "builtins/models", model, file));
  const ollama = { provider_type: "ollama", base_url: url, timeout_seconds: Math.ceil(timeoutMs / 1000) } as const;
  const { models, load, generate, embed } = createSpell({
    platform: { ...memoryPlatform({ fetch }), bundled },
    config: { providers: { candle: { provider_type: "candle" }, ollama } },
    env: {},
  });
  return { ...models, load, generate, embed };
};
type LocalLlm = ReturnType<typeof llmAt>;

/** @returns a port that nobody listens on, a moment ago */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

const beside = fileURLToPath(new URL("../../../shared/bin/ollama", import.meta.url));
const program = [process.env["OLLAMA_BIN"], beside, "ollama"].find(
  (path) => path !== undefined && (existsSync(path) || (path === "ollama" && spawnSync(path, ["--version"]).status === 0)),
);
if (program === undefined) console.warn("skipped: the real Ollama server is not here (OLLAMA_BIN, ../shared/bin/ollama, PATH)");
const weights = sharedModel("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");

onlyWhere(program === undefined || weights === undefined ? "no Ollama server, or no model for it" : undefined).describe(
  "the real Ollama server",
  () => {
    let folder: string;
    let env: NodeJS.ProcessEnv;
    let server: ChildProcess;
    let llm: LocalLlm;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "llmspell-ollama-"));
      const host = `127.0.0.1:${await freePort()}`;
      env = { ...process.env, OLLAMA_HOST: host, OLLAMA_MODELS: join(folder, "models"), HOME: folder };
      server = spawn(program ?? "", ["serve"], { env, stdio: "ignore" });
      llm = llmAt(`http://${host}`);
      await vi.waitFor(async () => expect((await llm.status("ollama"))["ollama"]?.running).toBe(true), { timeout: 60_000, interval: 100 });
      writeFileSync(join(folder, "Modelfile"), `FROM ${weights}\n`);
      expect(spawnSync(program ?? "", ["create", "smollm2", "-f", join(folder, "Modelfile")], { env }).status).toBe(0);
    }, 180_000);
    afterAll(() => {
      server?.kill();
      rmSync(folder, { recursive: true, force: true });
    });

    it("answers for its health, its models, and one of them", async () => {
      expect(await llm.status("ollama")).toMatchObject({ ollama: { running: true, models: 1, version: expect.stringMatching(/^\d/) } });
      expect(await llm.list("ollama")).toMatchObject([
        { id: "smollm2:latest@ollama", backend: "ollama", format: "ollama", architecture: "llama", quantization: "Q4_1" },
      ]);
      expect(await llm.info("smollm2@ollama")).toMatchObject({
        id: "smollm2:latest@ollama",
        architecture: "llama",
        contextLength: 8192,
        blockCount: 30,
        capabilities: expect.arrayContaining(["completion"]),
      });
      expect((await failure(llm.info("nope@ollama"))).code).toBe("model-not-installed");
      expect((await failure(llm.generate("nope@ollama", "x"))).actions).toEqual([{ kind: "pull", model: "nope:latest@ollama" }]);
      // Ollama itself reads names in any case, and keeps that of the model
      expect((await llm.info("SmolLM2@ollama")).id).toBe("smollm2:latest@ollama");
    });

    it("streams chats and raw texts, the same for the same seed, and counts", async () => {
      const model = await llm.load("smollm2@ollama", { contextSize: 512, threads: 1 });
      const parts: StreamPart[] = [];
      for await (const part of model.stream("Say hello.", { maxTokens: 6, temperature: 0 })) parts.push(part);
      expect(parts[0]).toMatchObject({ type: "stream-start", model: "smollm2:latest@ollama" });
      expect([model.backend, model.provider, model.device]).toEqual(["ollama", "ollama", undefined]);
      expect(parts.filter(({ type }) => type === "text-delta").length).toBeGreaterThan(2);
      expect(parts.at(-1)).toMatchObject({
        type: "stream-end",
        usage: { completionTokens: expect.any(Number) },
        timing: { decodeRate: expect.any(Number) },
      });
      const drawn = () =>
        textOf(
          model.stream("Once upon a time", {
            raw: true,
            maxTokens: 8,
            seed: 7,
            temperature: 1.2,
            topK: 50,
            topP: 0.9,
            minP: 0.01,
            repeatPenalty: 1.1,
            repeatLastN: 32,
          }),
        );
      expect(await drawn()).toBe(await drawn());
      const short = await textOf(
        model.stream([{ role: "user", content: "Count: one two three" }], { maxTokens: 8, temperature: 0, stop: ["two"] }),
      );
      expect(short).not.toContain("two");
      await model.dispose();
      expect((await failure(textOf(model.stream("x")))).code).toBe("run-closed");
    }, 180_000);

    it("answers in OpenAI's form too: text, thought of a limit, stops, models, and a name it does not know", async () => {
      const spell = createSpell({
        platform: memoryPlatform({ fetch }),
        config: { providers: { box: { provider_type: "openai-compatible", base_url: `http://${env["OLLAMA_HOST"]}/v1` } } },
        env: {},
      });
      expect((await spell.models.list("box")).map(({ id }) => id)).toEqual(["smollm2:latest@box"]);
      const model = await spell.load("box/smollm2");
      const said = await model.generate("Say hello.", { maxTokens: 6, temperature: 0, seed: 1 });
      expect(said).toMatchObject({ finishReason: "length", usage: { completionTokens: 6 }, seed: 1, warnings: [] });
      expect(said.text).toBe((await llm.generate("smollm2@ollama", "Say hello.", { maxTokens: 6, temperature: 0, seed: 1 })).text);
      expect(said.usage.promptTokens).toBeGreaterThan(3);
      const messages = [{ role: "user", content: "Count: one two three" }] as const;
      expect((await model.generate(messages, { maxTokens: 8, temperature: 0, stop: ["two"] })).text).not.toContain("two");
      expect((await model.generate("Once upon a time", { raw: true, maxTokens: 4, temperature: 0 })).usage.completionTokens).toBe(4);
      expect(await failure(spell.generate("box/nope", "x"))).toMatchObject({
        code: "model-unknown",
        actions: [{ kind: "list", backend: "box" }],
      });
      await spell.dispose();
    }, 180_000);

    it("makes vectors, the same by its own API and by OpenAI's, and refuses what is too long", async () => {
      const options = { contextSize: 512 }; // as the model is loaded already
      const [text = "", ...others] = ["a cat on a roof", "a dog in a house"];
      const own = await llm.embed("smollm2@ollama", [text, ...others], options);
      expect(own.dimensions).toBe(576);
      expect(own.tokens).toBeGreaterThan(8);
      for (const vector of own.vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
      expect((await failure(llm.embed("smollm2@ollama", ["cat ".repeat(600)], options))).code).toBe("run-context");
      if (!isLong) return; // it loads the model again, for its own context
      const box = { provider_type: "openai-compatible", base_url: `http://${env["OLLAMA_HOST"]}/v1` } as const;
      const spell = createSpell({ platform: memoryPlatform({ fetch }), config: { providers: { box } }, env: {} });
      const other = await spell.embed("box/smollm2", [text]);
      expect(distance(own.vectors[0]!, other.vectors[0]!)).toBeLessThan(1e-3);
      await spell.dispose();
    }, 180_000);

    it("names options it does not know, ends with length, and stops when told to", async () => {
      const model = await llm.load("smollm2@ollama", { contextSize: 512, threads: 1 });
      const parts: StreamPart[] = [];
      for await (const part of model.stream("Tell a long story.", { maxTokens: 3, numBeams: 4, temperature: 0 })) parts.push(part);
      expect(parts.filter(({ type }) => type === "warning")).toMatchObject([
        { code: "option-ignored", message: expect.stringContaining("numBeams") },
      ]);
      expect(parts.at(-1)).toMatchObject({ finishReason: "length" });
      const abort = new AbortController();
      let text = "";
      const error = await failure(
        (async () => {
          for await (const part of model.stream("Tell a long story.", { maxTokens: 400, signal: abort.signal })) {
            if (part.type === "text-delta") text += part.text;
            if (text.length > 3) abort.abort();
          }
        })(),
      );
      expect(error).toMatchObject({ code: "run-aborted", details: { partialText: text } });
      await model.dispose();
    }, 180_000);

    it("tells what is loaded, and forgets it", async () => {
      await llm.unload(); // what answers of tests before keep
      const model = await llm.load("smollm2@ollama", { contextSize: 512, threads: 1 });
      await textOf(model.stream("x", { raw: true, maxTokens: 1 }));
      expect(await llm.running()).toMatchObject([{ modelId: "smollm2:latest@ollama", gpuBytes: 0 }]);
      expect(await llm.unload("smollm2@ollama")).toBe(1);
    }, 180_000);

    // half a minute: with LLMSPELL_LONG=1
    if (isLong)
      it("answers an agent of a script, the same in both languages", async () => {
        const base_url = `http://${env["OLLAMA_HOST"]}`;
        const spell = createNodeSpell({ config: { providers: { ollama: { provider_type: "ollama", base_url } } }, env: {} });
        const lua = `local agent = Agent.builder():provider("ollama"):model("smollm2"):temperature(0):max_tokens(6):context_size(512):build()
        local pieces = {}
        local answer = agent:stream("Say hello.", function(chunk) pieces[#pieces + 1] = chunk.text end)
        local short = Agent.builder():model("smollm2@ollama"):max_tokens(2):build():execute({text = "Hi", parameters = {max_tokens = 1}})
        return {text = answer.text, joined = table.concat(pieces), about = answer.metadata, short = short.metadata.completion_tokens,
          running = LocalLLM.status("ollama").running, listed = LocalLLM.list("ollama")[1].id}`;
        const js = `const agent = Agent.builder().provider("ollama").model("smollm2").temperature(0).maxTokens(6).contextSize(512).build();
        const pieces = [];
        const answer = await agent.stream("Say hello.", (chunk) => { pieces.push(chunk.text); });
        const short = await Agent.builder().model("smollm2@ollama").maxTokens(2).build().execute({ text: "Hi", parameters: { max_tokens: 1 } });
        export default { text: answer.text, joined: pieces.join(""), about: answer.metadata, short: short.metadata.completion_tokens,
          running: (await LocalLLM.status("ollama")).running, listed: (await LocalLLM.list("ollama"))[0].id };`;
        const said: string[] = [];
        for (const [engine, source] of [
          ["lua", lua],
          ["javascript", js],
        ] as const) {
          const { result } = await spell.scripts.run(source, { engine });
          expect(result).toMatchObject({
            text: expect.stringMatching(/\w/),
            about: {
              backend: "ollama",
              provider: "ollama",
              completion_tokens: expect.any(Number),
              finish_reason: expect.stringMatching(/stop|length/),
            },
            short: 1,
            running: true,
            listed: "smollm2:latest@ollama",
          });
          const { text, joined } = result as { readonly text: string; readonly joined: string };
          expect(joined.trim()).toBe(text.trim());
          said.push(text);
        }
        expect(said[1]).toBe(said[0]);
        await spell.dispose();
      }, 180_000);

    it("refuses tools of a model whose template has none", async () => {
      const tools = [{ name: "add" }];
      await expect(llm.generate("smollm2@ollama", "1 + 1?", { tools })).rejects.toMatchObject({ code: "run-option", where: "tools" });
    });

    it("has names with owners, registries and capitals, which are typed again", async () => {
      const names = ["Some-User/Capital-8B:Q8_0", "reg.example.com/team/tool:v1", "localhost:5000/a/b:_c", "openai/gpt:1", "con:latest"];
      const created = names.map((name) => spawnSync(program ?? "", ["create", name, "-f", join(folder, "Modelfile")], { env }).status);
      expect(created).toEqual(names.map(() => 0));
      const ids = (await llm.list("ollama")).flatMap(({ id }) => (id.startsWith("smollm2:") ? [] : [id]));
      const short = names.map((name) => `${name.startsWith("openai/") ? "ollama:" : ""}${name}@ollama`);
      expect([...ids].sort()).toEqual([...short].sort());
      for (const id of ids) {
        expect((await llm.info(id)).id).toBe(id);
        expect((await llm.generate(id, "x", { raw: true, maxTokens: 1 })).model).toBe(id);
        expect((await llm.remove(id)).modelId).toBe(id);
      }
      expect(await llm.list("ollama")).toHaveLength(1);
    }, 180_000);

    it("passes on why a pull fails, and deletes", async () => {
      expect(await failure(llm.pull("no-such-model@ollama"))).toMatchObject({ code: "ollama-error", exitCode: 5 });
      expect(await llm.remove("smollm2@ollama")).toMatchObject({ modelId: "smollm2:latest@ollama", freedBytes: expect.any(Number) });
      expect(await llm.list("ollama")).toEqual([]);
      expect((await failure(llm.remove("smollm2@ollama"))).code).toBe("model-not-installed");
    }, 180_000);
  },
);

describe("a scripted Ollama server", () => {
  async function serve<T>(listener: RequestListener, work: (llm: LocalLlm, url: string) => Promise<T>, timeoutMs?: number): Promise<T> {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      return await work(llmAt(url, timeoutMs), url);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it("passes the server's own progress on, per layer", async () => {
    const lines = [
      { status: "pulling manifest" },
      { status: "pulling aaa", digest: "sha256:aaa", total: 1000, completed: 400 },
      { status: "pulling aaa", digest: "sha256:aaa", total: 1000, completed: 1000 },
      { status: "pulling bbb", digest: "sha256:bbb", total: 10, completed: 10 },
      { status: "verifying sha256 digest" },
      { status: "writing manifest" },
      { status: "success" },
    ];
    const listener: RequestListener = (request, response) => {
      if (request.url === "/api/tags")
        response.end(JSON.stringify({ models: [{ name: "tiny:1b", size: 1010, digest: "abc", modified_at: "2026-01-01T00:00:00Z" }] }));
      else
        for (const [index, line] of lines.entries())
          setTimeout(
            () => (index === lines.length - 1 ? response.end(`${JSON.stringify(line)}\n`) : response.write(`${JSON.stringify(line)}\n`)),
            index * 5,
          );
    };
    const events: unknown[] = [];
    const result = await serve(listener, (llm) => llm.pull("tiny:1b@ollama", { onEvent: (event) => events.push(event) }));
    expect(result).toMatchObject<Partial<PullResult>>({
      modelId: "tiny:1b@ollama",
      backend: "ollama",
      status: "complete",
      bytesDownloaded: 1010,
      bytesTotal: 1010,
    });
    expect(events).toContainEqual({
      type: "server-progress",
      model: "tiny:1b@ollama",
      status: "pulling aaa",
      bytes: 400,
      totalBytes: 1000,
    });
  });

  it.each<[string, RequestListener, string]>([
    ["no JSON", (_, response) => response.end("<html>"), "ollama-error"],
    ["an error in the stream", (_, response) => response.end('{"status":"pulling"}\n{"error":"disk is full"}\n'), "ollama-error"],
    ["a status of 500", (_, response) => response.writeHead(500).end('{"error":"boom"}'), "ollama-error"],
    ["an end without success", (_, response) => response.end('{"status":"pulling"}\n'), "ollama-error"],
    ["a broken connection", (_, response) => response.socket?.destroy(), "ollama-unreachable"],
    ["a line without end", (_, response) => response.end("x".repeat(5_000_000)), "ollama-error"],
    ["silence", () => undefined, "ollama-unreachable"],
  ])("%s → a typed error", async (_, answer, code) => {
    const listener: RequestListener = (request, response) =>
      request.url === "/api/tags" ? response.end('{"models":[]}') : answer(request, response);
    expect((await serve(listener, (llm) => failure(llm.pull("tiny@ollama")), 300)).code).toBe(code);
  });

  const answers = (lines: readonly unknown[], status = 200): RequestListener => {
    return (request, response) => {
      if (request.url === "/api/show") response.end("{}");
      else if (request.method === "GET") response.end('{"models":[]}');
      else response.writeHead(status).end(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    };
  };

  it.each<[string, number, unknown, string, string]>([
    ["a missing model", 404, { error: "model 'tiny:latest' not found" }, "model-not-installed", "has no model tiny:latest"],
    ["a missing model, in no words of Ollama", 404, { error: { message: "gibt es nicht" } }, "model-not-installed", "has no model"],
    ["an address that is not there", 404, { detail: "Not Found" }, "ollama-error", "answered 404: Not Found"],
    [
      "a failure that is about something else not found",
      500,
      { error: "llama runner: file not found" },
      "ollama-error",
      "answered 500: llama runner",
    ],
    ["the same in the middle of an answer", 200, { error: "not found: a tensor" }, "ollama-error", "reports an error: not found: a tensor"],
    ["an object", 400, { error: { message: "context too long", type: "x", code: 400 } }, "ollama-error", "answered 400: context too long"],
    [
      "an object in the middle of an answer",
      200,
      { error: { message: "out of memory" } },
      "ollama-error",
      "reports an error: out of memory",
    ],
    ["an object without words", 500, { error: { code: 7 } }, "ollama-error", 'answered 500: {"code":7}'],
    ["a list", 422, { detail: [{ msg: "field required" }] }, "ollama-error", "answered 422: field required"],
    ["an empty text", 500, { error: "" }, "ollama-error", "answered 500: nothing more"],
    ["a number", 500, { error: 7 }, "ollama-error", "answered 500: 7"],
    ["nothing but a status", 502, {}, "ollama-error", "answered 502: {}"],
  ])("%s is told apart by status and shape, and put into words", async (_, status, line, code, message) => {
    const error = await serve(answers([line], status), (llm) => failure(llm.generate("tiny@ollama", "x")));
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(error.message).not.toContain("[object");
  });

  it("a login or a busy server comes with what to do", async () => {
    const hint = (status: number) =>
      serve(answers([{ error: "no" }], status), async (llm) => (await failure(llm.generate("tiny@ollama", "x"))).hint);
    expect([await hint(401), await hint(503)]).toEqual([expect.stringContaining("USER:PASSWORD"), expect.stringContaining("busy")]);
  });

  it.each([
    ["length", "the model spent all 40 tokens on thinking and gave no answer"],
    ["stop", "the model ended after thinking, without an answer"],
  ])("a model that only thought, to its end by %s, says so", async (done_reason, message) => {
    const thoughts = ["First ", "I consider"].map((thinking) => ({ message: { role: "assistant", content: "", thinking }, done: false }));
    const end = { message: { role: "assistant", content: "\n" }, done: true, done_reason, eval_count: 40 };
    const result = await serve(answers([...thoughts, end]), (llm) => llm.generate("tiny@ollama", "x"));
    expect(result).toMatchObject({ reasoning: "First I consider", warnings: [{ code: "answer-missing", message }] });
    const raw = [
      { response: "", thinking: "Hm", done: false },
      { ...end, message: undefined, response: "" },
    ];
    const plain = await serve(answers(raw), (llm) => llm.generate("tiny@ollama", "x", { raw: true }));
    expect(plain).toMatchObject({ reasoning: "Hm", warnings: [{ code: "answer-missing" }] });
  });

  it("a model that says nothing at all says so", async () => {
    const end = { message: { role: "assistant", content: "" }, done: true, done_reason: "stop", eval_count: 1 };
    const result = await serve(answers([end]), (llm) => llm.generate("tiny@ollama", "x"));
    expect(result).toMatchObject({
      text: "",
      warnings: [{ code: "answer-missing", message: expect.stringContaining("without an answer") }],
    });
  });

  it("a model that thinks and answers gives both, without a warning", async () => {
    const lines = [
      { message: { content: "", thinking: "Hm" } },
      { message: { content: "Yes." } },
      { message: { content: "" }, done: true },
    ];
    const result = await serve(answers(lines), (llm) => llm.generate("tiny@ollama", "x"));
    expect(result).toMatchObject({ text: "Yes.", reasoning: "Hm", warnings: [] });
  });

  it("takes choices as a schema and gives the one that was taken; other forms are refused with what to do", async () => {
    const bodies: Record<string, unknown>[] = [];
    const told =
      (content: string, done_reason = "stop"): RequestListener =>
      (request, response) => {
        if (request.method === "GET") return response.end('{"models":[]}');
        if (request.url === "/api/show") return response.end("{}");
        const chunks: Buffer[] = [];
        request.on("data", (chunk: Buffer) => chunks.push(chunk));
        return request.on("end", () => {
          bodies.push(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>);
          for (const letter of content) response.write(`${JSON.stringify({ message: { content: letter } })}\n`);
          response.end(`${JSON.stringify({ message: { content: "" }, done: true, done_reason })}\n`);
        });
      };
    const choices = ["yes", "no"];
    const ask = (listener: RequestListener, options: GenerateOptions) =>
      serve(listener, (llm) => llm.generate("tiny@ollama", "x", options));
    expect(await ask(told('{"answer": "no"}'), { choices })).toMatchObject({ text: "no", finishReason: "stop" });
    expect(bodies[0]?.["format"]).toMatchObject({ type: "object", properties: { answer: { enum: choices } }, required: ["answer"] });
    expect(await ask(told('{"answer', "length"), { choices })).toMatchObject({ text: '{"answer', finishReason: "length" });
    expect(await failure(ask(told('{"answer": "maybe"}'), { choices }))).toMatchObject({
      code: "run-form",
      message: 'the answer has not the form of choices: expected one of "yes", "no", got "maybe"',
    });
    const number = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] } as const;
    expect(await failure(ask(told('{"a": "x"}'), { jsonSchema: number }))).toMatchObject({
      code: "run-form",
      message: 'the answer has not the form of jsonSchema: answer.a: expected integer, got "x"',
    });
    expect(await failure(ask(told(""), { regex: "[a-z]" }))).toMatchObject({
      code: "run-option",
      message: "regex: expected none, tiny:latest@ollama holds no answer to it; it takes jsonSchema, choices",
      hint: expect.stringContaining("Say the form as jsonSchema or choices"),
    });
  });

  describe("tools", () => {
    const tools = [
      { name: "add", description: "Adds", inputSchema: { type: "object" as const, properties: { a: { type: "number" as const } } } },
    ];
    /** A server with these capabilities that gives these lines, and what it was asked. */
    async function asked(capabilities: readonly string[] | undefined, lines: readonly unknown[], prompt: Prompt, options: GenerateOptions) {
      const bodies: Record<string, unknown>[] = [];
      const listener: RequestListener = (request, response) => {
        const chunks: Buffer[] = [];
        request.on("data", (chunk: Buffer) => chunks.push(chunk));
        request.on("end", () => {
          if (request.url === "/api/show") return response.end(JSON.stringify({ capabilities }));
          if (request.url !== "/api/chat") return response.end('{"models":[]}');
          bodies.push(JSON.parse(Buffer.concat(chunks).toString()));
          return response.end(lines.map((line) => JSON.stringify(line)).join("\n"));
        });
      };
      const result = await serve(listener, (llm) => llm.generate("tiny@ollama", prompt, options));
      return { result, body: bodies[0] ?? {} };
    }
    const call = (name: unknown, input: unknown = { a: 1 }) => ({ function: { name, arguments: input } });
    const end = { message: { role: "assistant", content: "" }, done: true, done_reason: "stop" };

    it("are sent, and their calls come out", async () => {
      const lines = [
        { message: { content: "Well", tool_calls: [call("add"), null, {}, call(5)] } },
        { message: { tool_calls: "x" } },
        { message: { tool_calls: [call("add", {})] } },
        end,
      ];
      const { result, body } = await asked(["completion", "tools"], lines, "x", { tools });
      expect(body["tools"]).toEqual([
        { type: "function", function: { name: "add", description: "Adds", parameters: tools[0]?.inputSchema } },
      ]);
      expect(result).toMatchObject({
        text: "Well",
        finishReason: "tool-calls",
        warnings: [],
        toolCalls: [
          { name: "add", input: { a: 1 } },
          { name: "add", input: {} },
        ],
      });
      expect((await asked(undefined, lines, "x", { tools, parallelToolCalls: false })).result.toolCalls).toHaveLength(1);
    });

    it("and their results go back as messages", async () => {
      const prompt: Prompt = [
        { role: "user", content: "1?" },
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "hm" },
            { type: "tool-call", id: "x", name: "add", input: { a: 1 } },
          ],
        },
        { role: "tool", content: [{ type: "tool-result", id: "x", result: 2 }] },
      ];
      const { body } = await asked(["tools", "thinking"], [end], prompt, { tools, toolChoice: "none", reasoning: "off" });
      expect(body).toMatchObject({
        think: false,
        messages: [
          { role: "user", content: "1?" },
          { role: "assistant", content: "", thinking: "hm", tool_calls: [{ function: { name: "add", arguments: { a: 1 } } }] },
          { role: "tool", content: "2", tool_name: "add" },
        ],
      });
      expect(body).not.toHaveProperty("tools");
      expect((await asked(["tools"], [end], "x", { reasoning: "off" })).body).not.toHaveProperty("think");
    });

    it("of a model that has none are refused by name, before it is asked and by the server's own words", async () => {
      const refused = { code: "run-option", where: "tools" };
      await expect(asked(["completion"], [end], "x", { tools })).rejects.toMatchObject({
        ...refused,
        message: "tools: expected none, got 1; tiny:latest does not support tools",
      });
      await expect(asked(undefined, [{ error: "tiny does not support tools" }], "x", { tools })).rejects.toMatchObject(refused);
      await expect(asked(["tools"], [end], "x", { tools, toolChoice: "required" })).rejects.toMatchObject({
        code: "run-option",
        where: "toolChoice",
      });
    });
  });

  describe("vectors", () => {
    const answering =
      (embedded: unknown, capabilities: readonly string[] = ["embedding"]): RequestListener =>
      (request, response) => {
        if (request.url === "/api/tags") response.end(JSON.stringify({ models: [{ name: "e:1b" }] }));
        else if (request.url === "/api/show") response.end(JSON.stringify({ capabilities }));
        else response.end(JSON.stringify(embedded));
      };
    const ask = (embedded: unknown, capabilities?: readonly string[]) =>
      serve(answering(embedded, capabilities), (llm) => llm.embed("e:1b@ollama", ["a", "b"]));

    it("are of length 1, with the tokens that the server counts", async () => {
      const { vectors, tokens } = await ask({
        embeddings: [
          [3, 4],
          [0, 2],
        ],
        prompt_eval_count: 5,
      });
      expect(vectors.map((vector) => Array.from(vector, (value) => Number(value.toFixed(3))))).toEqual([
        [0.6, 0.8],
        [0, 1],
      ]);
      expect(tokens).toBe(5);
    });

    it.each([
      ["fewer than texts", { embeddings: [[1, 0]] }, "answered 2 texts with 1 vectors"],
      ["none at all", {}, "answered 2 texts with 0 vectors"],
      ["two widths", { embeddings: [[1, 0], [1]] }, "vectors of 2 and of 1 numbers"],
      ["no numbers", { embeddings: [["1"], [1]] }, "text 1 with something other than a vector"],
    ])("are refused: %s", async (_, embedded, message) => {
      const error = await failure(ask(embedded));
      expect(error.code).toBe("ollama-error");
      expect(error.message).toContain(message);
    });

    it("are no matter of a model that draws pictures", async () => {
      expect((await failure(ask({}, ["image"]))).code).toBe("model-architecture");
    });
  });

  it("a length of 0 is one that the server does not know", async () => {
    const facts = { "general.architecture": "llama", "llama.context_length": 0, "llama.block_count": 0, "general.parameter_count": 0 };
    const listener: RequestListener = (request, response) => {
      if (request.url === "/api/show") response.end(JSON.stringify({ model_info: facts }));
      else response.end(JSON.stringify({ models: [{ name: "tiny:latest", size: 1, context_length: 0 }] }));
    };
    await serve(listener, async (llm) => {
      expect(await llm.info("tiny@ollama")).toMatchObject({ contextLength: null, blockCount: null, parameterCount: null });
      expect((await llm.load("tiny@ollama")).contextLength).toBeUndefined();
      expect((await llm.running()).map(({ contextLength }) => contextLength)).toEqual([undefined]);
    });
  });

  it("an answer that breaks off keeps its text, and is an error", async () => {
    const listener: RequestListener = (request, response) => {
      if (request.url === "/api/show") response.end("{}");
      else if (request.url === "/api/ps") response.end('{"models":[]}');
      else response.end('{"message":{"role":"assistant","content":"Hel"},"done":false}\n');
    };
    const error = await serve(listener, async (llm) => failure(llm.generate("tiny@ollama", "x")));
    expect(error).toMatchObject({ code: "ollama-error", details: { partialText: "Hel" } });
  });

  it("hostile lists do no harm", async () => {
    const listener: RequestListener = (_, response) =>
      response.end(
        JSON.stringify({
          models: [null, 5, {}, { name: 7 }, { name: "a", size: "x", details: null, modified_at: 9 }, { name: "__proto__" }],
        }),
      );
    const list = await serve(listener, (llm) => llm.list("ollama"));
    expect(list.map(({ id, sizeBytes }) => [id, sizeBytes])).toEqual([
      ["a@ollama", 0],
      ["__proto__@ollama", 0],
    ]);
  });
});
