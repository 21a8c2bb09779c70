/** The installed package where neither Node nor a browser runs it: workerd, and Deno and Bun, which take Node's entry. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { isLong, root } from "../support.ts";
import { expectScripts, installed, run } from "./support.ts";

const folder = inject("folder");
const here = process.platform === "linux" && process.arch === "x64";
const without = "only the programs for Linux x64 are fetched";

/** Names, a header over byte ranges, what it says, what is no model, and a load; by the imports users expect. */
const probe = `
import { collect, createFetch, createSpell, load, parseModelSpec, SpellError } from "llmspell";
import { acceptGguf, exitCodeOf, httpSource } from "llmspell/core";
export async function probe(address) {
  const code = (promise) => promise.then((value) => value, (error) => (error instanceof SpellError ? { code: error.code, message: error.message } : { untyped: String(error) }));
  const source = await httpSource(address, fetch);
  const facts = await acceptGguf([source]);
  const loaded = await code(load("tiny-stories").then(async (model) => {
    const { text } = await collect(model.stream("Once upon a time", { maxTokens: 8, temperature: 0, repeatPenalty: 1 }));
    await model.dispose();
    return { text };
  }));
  return {
    spec: parseModelSpec("tiny-stories:q8_0"),
    exit: exitCodeOf("net-status"),
    size: source.size,
    architecture: facts.architecture,
    quantization: facts.quantization,
    contextLength: facts.contextLength,
    broken: await code(httpSource(address + "?page", fetch).then((page) => acceptGguf([page]))),
    missing: await code(httpSource(address + "?missing", fetch)),
    loaded,
  };
}

/** The HTTP API where no engine runs: what is asked for a provider is passed on to it. */
export async function passOn(address) {
  const base_url = new URL("/v1", address).href;
  const config = { providers: { office: { provider_type: "openai-compatible", base_url, api_key: "key-of-the-office" } } };
  const serve = createFetch(createSpell({ config }));
  const ask = async (model, stream) => {
    const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hi" }], stream });
    const response = await serve("/v1/chat/completions", { method: "POST", headers: { "content-type": "application/json" }, body });
    return [response.status, await response.text()];
  };
  return {
    card: await (await serve("/v1/models/office%2Fbig")).json(),
    whole: await ask("office/big", false),
    stream: await ask("office/big", true),
    here: await ask("tiny-stories", false),
    nobody: await ask("office/nobody", false),
  };
}
`;

interface Probed {
  readonly [name: string]: unknown;
  readonly passedOn?: Readonly<Record<"whole" | "stream" | "here" | "nobody", readonly [status: number, text: string]>>;
  readonly loaded: { readonly code?: string; readonly message?: string; readonly text?: string; readonly untyped?: string };
}

let server: Server;
let address = "";
beforeAll(async () => {
  const files: Readonly<Record<string, Buffer>> = {
    "/model.gguf": readFileSync(join(root, "builtins/models/tiny-stories/tiny-stories.gguf")),
    "/model.gguf?page": Buffer.from("<!doctype html><p>Sign in to go on; this is no model at all."),
  };
  server = createServer((request, response) => {
    if (request.url?.startsWith("/v1/") === true) return void office(request, response);
    const bytes = files[request.url ?? ""];
    if (bytes === undefined) return void response.writeHead(404).end();
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    if (range === null) {
      response
        .writeHead(200, { "accept-ranges": "bytes", "content-length": bytes.length })
        .end(request.method === "HEAD" ? undefined : bytes);
      return;
    }
    const [from, to] = [Number(range[1]), Math.min(Number(range[2]), bytes.length - 1)];
    response.writeHead(206, { "content-range": `bytes ${from}-${to}/${bytes.length}`, "content-length": to - from + 1 });
    response.end(bytes.subarray(from, to + 1));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.gguf`;
  mkdirSync(join(folder, "edge"), { recursive: true });
  writeFileSync(join(folder, "edge", "probe.mjs"), probe);
  writeFileSync(
    join(folder, "edge", "main.mjs"),
    `import { probe } from "./probe.mjs";\nconsole.log(JSON.stringify(await probe("${address}")));\n`,
  );
});
afterAll(() => server?.close());

/** The provider that requests are passed on to: one model that says what it was asked. */
async function office(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.headers.authorization !== "Bearer key-of-the-office") return void response.writeHead(401).end();
  response.setHeader("content-type", "application/json");
  if (request.url === "/v1/models") return void response.end(JSON.stringify({ object: "list", data: [{ id: "big", object: "model" }] }));
  const { model, messages } = JSON.parse(await text(request)) as {
    readonly model: string;
    readonly messages: readonly { readonly content: string }[];
  };
  if (model !== "big") return void response.writeHead(404).end('{"error":{"message":"none","code":"model_not_found"}}');
  response.setHeader("content-type", "text/event-stream");
  const chunk = (delta: object, finish_reason: string | null = null): string =>
    `data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", created: 1, model, choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
  for (const word of ["You", " said ", `"${messages.at(-1)?.content}".`]) response.write(chunk({ content: word }));
  response.end(`${chunk({}, "stop")}data: [DONE]\n\n`);
}

function expectPassedOn(passedOn: NonNullable<Probed["passedOn"]>): void {
  const { whole, stream, here: own, nobody } = passedOn;
  expect(passedOn).toMatchObject({ card: { id: "office/big", object: "model", owned_by: "openai-compatible" } });
  expect([whole[0], JSON.parse(whole[1])]).toMatchObject([
    200,
    { model: "office/big", choices: [{ message: { content: 'You said "Hi".' }, finish_reason: "stop" }] },
  ]);
  const events = stream[1].split("\n\n");
  expect([stream[0], ...events.slice(-2)]).toEqual([200, "data: [DONE]", ""]);
  const deltas = events.slice(0, -2).map((event) => JSON.parse(event.slice("data: ".length)).choices[0].delta.content ?? "");
  expect(deltas.join("")).toBe('You said "Hi".');
  expect(nobody[0]).toBe(404);
  // engines do not run there, and nothing about that machine is told
  expect([own[0], JSON.parse(own[1])]).toMatchObject([503, { error: { code: "device-unavailable" } }]);
}

function expectFacts(probed: Probed): void {
  expect(probed).toMatchObject({
    spec: { kind: "name", name: "tiny-stories", variant: "q8_0" },
    exit: 5,
    size: 3_121_440,
    architecture: "llama",
    quantization: "Q8_0",
    contextLength: 512,
    broken: { code: "gguf-magic" },
    missing: { code: "net-status" },
  });
}

describe("workerd", () => {
  it("imports and answers; a local engine is refused with the reason", async (context) => {
    if (!here) return context.skip(without);
    const workerd = join(installed("@cloudflare/workerd-linux-64", "1.20261104.1"), "bin/workerd");
    writeFileSync(
      join(folder, "edge", "worker.mjs"),
      `import { passOn, probe } from "./probe.mjs";\nexport default { fetch: async () => Response.json({ ...(await probe("${address}")), passedOn: await passOn("${address}") }) };\n`,
    );
    // as its own tools bundle: by these conditions, and without Node's modules
    await build({
      entryPoints: [join(folder, "edge", "worker.mjs")],
      outfile: join(folder, "edge", "bundle.js"),
      bundle: true,
      format: "esm",
      conditions: ["workerd", "worker", "browser"],
      logLevel: "error",
    });
    writeFileSync(
      join(folder, "edge", "config.capnp"),
      `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (modules = [(name = "worker", esModule = embed "bundle.js")], compatibilityDate = "2026-10-01", globalOutbound = "net")),
    (name = "net", network = (allow = ["private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`,
    );
    // it says on this descriptor which port it got
    const child: ChildProcess = spawn(workerd, ["serve", "config.capnp", "--control-fd=3"], {
      cwd: join(folder, "edge"),
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    try {
      let stderr = "";
      child.stderr?.on("data", (bytes) => {
        stderr += bytes;
      });
      const port = await new Promise<number>((resolve, reject) => {
        child.stdio[3]?.on("data", (bytes) => {
          const { event, port: told } = JSON.parse(String(bytes).split("\n")[0] ?? "{}") as { event?: string; port?: number };
          if (event === "listen" && told !== undefined) resolve(told);
        });
        child.on("exit", () => reject(new Error(stderr)));
      });
      const response = await fetch(`http://127.0.0.1:${port}/`);
      const text = await response.text();
      expect(response.status, text + stderr).toBe(200);
      const probed = JSON.parse(text) as Probed;
      expectFacts(probed);
      expectPassedOn(probed.passedOn!);
      expect(probed.loaded).toMatchObject({ code: "device-unavailable", message: expect.stringContaining("WebAssembly") });
    } finally {
      child.kill("SIGKILL");
    }
  });
});

describe.each([
  ["Deno", "@deno/linux-x64-glibc", "2.9.6", "deno", ["run", "--allow-all", "--no-lock", "--node-modules-dir=manual"]],
  ["Bun", "@oven/bun-linux-x64", "1.4.4", "bin/bun", ["run"]],
] as const)("%s", (_, name, version, bin, args) => {
  it("imports, answers, and runs a local model", async (context) => {
    if (!here) return context.skip(without);
    const program = join(installed(name, version), bin);
    chmodSync(program, 0o755);
    const { stdout, stderr } = await run(program, [...args, "main.mjs"], join(folder, "edge"), { DENO_NO_UPDATE_CHECK: "1" });
    const probed = JSON.parse(stdout.trim().split("\n").at(-1) ?? `{"stderr": ${JSON.stringify(stderr)}}`) as Probed;
    expectFacts(probed);
    // both run the engines in child processes, as Node does
    expect(probed.loaded.text?.length, JSON.stringify(probed.loaded)).toBeGreaterThan(10);
  });

  // half a minute each; Bun with LLMSPELL_LONG=1
  if (isLong || name === "@deno/linux-x64-glibc")
    it("runs scripts in both languages", async (context) => {
      if (!here) return context.skip(without);
      const program = join(installed(name, version), bin);
      chmodSync(program, 0o755);
      await expectScripts(program, args, folder, { DENO_NO_UPDATE_CHECK: "1" });
    });
});
