/** The command line and scripts with services: over the built bin, against a server on this machine. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { root } from "../../support.ts";
import { cleanEnv, cli, type Outcome } from "./support.ts";

const key = "key-of-mine-1234";
const chunk = (choice: object, more: object = {}): string => `data: ${JSON.stringify({ choices: [choice], ...more })}\n\n`;
const answer = [
  chunk({ delta: { reasoning: "hm" } }),
  chunk({ delta: { content: "Hello " } }),
  chunk({ delta: { content: "there." } }),
  chunk({ delta: {}, finish_reason: "stop" }, { usage: { prompt_tokens: 3, completion_tokens: 2 } }),
].join("");

const heard: { readonly url: string; readonly headers: IncomingMessage["headers"]; readonly body: string }[] = [];
const folder = mkdtempSync(join(tmpdir(), "llmspell-services-"));
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (piece) => {
    body += String(piece);
  });
  request.on("end", () => {
    heard.push({ url: request.url ?? "", headers: request.headers, body });
    if (request.headers.authorization === "Bearer wrong")
      response.writeHead(401).end(JSON.stringify({ error: { message: "Incorrect API key: wrong" } }));
    else if (request.url === "/v1/models")
      response.end(JSON.stringify({ data: [{ id: "own/big:free", owned_by: "me", max_model_len: 4096 }] }));
    else if (request.url === "/v1/embeddings") {
      const { input } = JSON.parse(body) as { readonly input: readonly string[] };
      const data = input.map((text, index) => ({ index, embedding: [text.length, 1, /bread/i.test(text) ? 100 : 0, 1] }));
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ data, usage: { prompt_tokens: 3 } }));
    } else if (body.includes('"model":"nope"'))
      response.writeHead(404).end(JSON.stringify({ error: { message: "The model `nope` does not exist", code: "model_not_found" } }));
    else response.writeHead(200, { "content-type": "text/event-stream" }).end(answer);
  });
});
let origin: string;

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const toml = (more: string): string =>
    `${more}\n[providers.office]\nprovider_type = "openai-compatible"\nbase_url = "${origin}/v1"\napi_key_env = "OFFICE_KEY"\nmax_retries = 0\ndefault_model = "own/big:free"\n`;
  writeFileSync(join(folder, "llmspell.toml"), toml(""));
  const index =
    '[rag.vector_storage]\ndimensions = 4\npersistence_path = "./index"\n[rag.embedding]\ndefault_provider = "office"\nmodel = "m"\n';
  writeFileSync(join(folder, "rag.toml"), toml(index));
  writeFileSync(join(folder, "bread.md"), "# Bread\n\nBake it.\n");
  writeFileSync(join(folder, "closed.toml"), toml("[runtime.security]\nallow_network_access = false\n"));
  writeFileSync(
    join(folder, "ask.lua"),
    'local agent = Agent.builder():model("office/own/big:free"):build()\nprint(agent:execute("Hi").text)\n',
  );
  writeFileSync(
    join(folder, "ask.js"),
    'console.log = print;\nprint(Provider.list().map(({ name }) => name).join(), await Provider.isAvailable("office"));\ntry { await LocalLLM.generate("office/m", "x"); } catch ({ code }) { print(code); }\nprint((await Agent.builder().provider("office").model("m").build().execute("Hi")).text);\n',
  );
});
beforeEach(() => heard.splice(0));
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const run = (args: readonly string[], env: Record<string, string> = { OFFICE_KEY: key }, input?: string): Promise<Outcome> =>
  cli(args, { cwd: folder, env, ...(input === undefined ? {} : { input }) });

describe("services on the command line", () => {
  it("answer generate and chat, by name and by default", async () => {
    const plain = await run(["generate", "-m", "office/own/big:free", "Hi", "--max-tokens", "9"]);
    expect(plain).toMatchObject({ status: 0, stdout: "Hello there.\n", stderr: "hm\n" }); // the thought
    expect(heard).toMatchObject([{ url: "/v1/chat/completions", headers: { authorization: `Bearer ${key}` } }]);
    expect(JSON.parse(heard[0]?.body ?? "")).toMatchObject({ model: "own/big:free", max_tokens: 9 });
    const { stdout, status } = await run(["generate", "Hi", "--output", "json"]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      model: "own/big:free@office",
      provider: "office",
      backend: "openai-compatible",
      device: null,
      text: "Hello there.",
      reasoning: "hm",
      finish_reason: "stop",
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    });
    const chat = await run(["chat", "-m", "x@office", "--output", "json"], undefined, "Hi\nAnd?\n");
    expect(JSON.parse(chat.stdout).messages).toHaveLength(4);
    expect(JSON.parse(heard.at(-1)?.body ?? "").messages).toMatchObject([
      { content: "Hi" },
      { content: "Hello there." },
      { content: "And?" },
    ]);
  });

  it("make the vectors of an index", async () => {
    const ingest = await run(["-c", "rag.toml", "rag", "ingest", "bread.md", "--output", "json"]);
    expect(ingest).toMatchObject({ status: 0 });
    const search = await run(["-c", "rag.toml", "rag", "search", "bread", "--output", "json"]);
    expect(JSON.parse(search.stdout)).toMatchObject({ results: [{ source: "bread.md" }] });
    expect(heard.every(({ url }) => url === "/v1/embeddings")).toBe(true);
  });

  it("leave the models of this machine where they were", async () => {
    const own = await run(["generate", "-m", "tiny-stories", "Once upon a time", "--max-tokens", "3", "--output", "json"]);
    expect(JSON.parse(own.stdout)).toMatchObject({ model: "tiny-stories", backend: "candle" });
    expect(heard).toEqual([]);
  });

  it("are listed and looked at where they are named", async () => {
    const list = await run(["model", "list", "--backend", "office"]);
    expect(list.stdout).toMatch(/^own\/big:free@office +openai-compatible/m);
    expect(JSON.parse((await run(["model", "info", "own/big:free@office", "--output", "json"])).stdout)).toMatchObject({
      context_length: 4096,
      size_bytes: null,
    });
    expect((await run(["model", "status", "--backend", "office"])).stdout).toMatch(/running: true[\s\S]*models: 1/);
    const before = heard.length;
    expect((await run(["model", "status"])).stdout).toMatch(/office[\s\S]*ready: true/);
    expect((await run(["model", "list"])).stdout).not.toContain("@office");
    const doctor = await run(["doctor", "--device", "cpu", "--output", "json"]);
    expect(JSON.parse(doctor.stdout).checks).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ area: "keys", id: "office", result: "ok", reason: "set" }),
        expect.objectContaining({ area: "servers", id: "office", result: "skip", command: "llmspell model status --backend office" }),
      ]),
    );
    expect(heard).toHaveLength(before);
  });

  it("fail with the next step: a missing key, a wrong one, a model that is not there", async () => {
    const missing = await run(["generate", "-m", "office/m", "Hi"], {});
    expect(missing).toMatchObject({
      status: 2,
      stdout: "",
      stderr: expect.stringContaining("  export OFFICE_KEY=…\n[config-api-key-missing]"),
    });
    expect(heard).toEqual([]);
    const wrong = await run(["generate", "-m", "office/m", "Hi"], { OFFICE_KEY: "wrong" });
    expect(wrong).toMatchObject({ status: 5, stderr: expect.stringContaining("  export OFFICE_KEY=…\n[provider-unauthorized]") });
    expect(wrong.stderr).not.toContain("Incorrect API key: wrong");
    const status = await run(["model", "status", "--backend", "office"], { OFFICE_KEY: "wrong" });
    expect(status).toMatchObject({ status: 5, stderr: expect.stringContaining("[provider-unauthorized]") });
    const unknown = await run(["generate", "-m", "office/nope", "Hi"]);
    expect(unknown).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("  llmspell model list --backend office\n[model-unknown]"),
    });
    const device = await run(["generate", "-m", "office/m", "Hi", "--device", "cpu"]);
    expect(device).toMatchObject({ status: 2, stderr: expect.stringContaining("--device: expected none") });
    expect((await run(["-p", "providers", "generate", "Hi"])).stderr).toContain("export OPENAI_API_KEY=…");
    expect((await run(["-p", "development", "generate", "-m", "anthropic/claude", "Hi"])).stderr).toContain("export ANTHROPIC_API_KEY=…");
    const shown = await run(["config", "show", "--output", "json"]);
    expect(shown.stdout + shown.stderr).not.toContain(key);
  });

  it("answer agents of scripts in both languages; LocalLLM stays local; without network access they are refused", async () => {
    expect(await run(["run", "ask.lua"])).toMatchObject({ status: 0, stdout: "Hello there.\n" });
    const js = await run(["run", "ask.js"]);
    expect(js.stdout).toMatch(/^.*office.* true\nrun-option\nHello there\.\n$/);
    const before = heard.length;
    const closed = await run(["-c", "closed.toml", "run", "ask.lua"]);
    expect(closed).toMatchObject({ status: 1, stderr: expect.stringContaining("[script-denied]") });
    expect(heard).toHaveLength(before);
  });

  it("answer the example", async () => {
    const env = { ...cleanEnv, OFFICE_URL: `${origin}/v1`, OFFICE_MODEL: "m" };
    const child = spawn(process.execPath, [join(root, "examples/services.mjs")], { cwd: root, env });
    const out: string[] = [];
    child.stdout.on("data", (piece) => out.push(String(piece)));
    child.stderr.on("data", (piece) => out.push(String(piece)));
    const [status] = await once(child, "close");
    expect(out.join("")).toContain("Hello there.");
    expect([status, out.join("")]).toEqual([0, expect.stringContaining("stop, 5 tokens")]);
  });
});
