/**
 * Answers over HTTP beside the library's own: `serve.mjs library|llmspell|ollama|llama_cpp MODEL`. The same prompts, 16 tokens each, greedily.
 * Prints { firstTokenMs: median of 15 asked one after the other, bareHttpMs: the same client and a bare server of node:http, asked in turns with
 * them, requestsPerSecond: 12 by four clients }.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const [, , kind = "library", given = ""] = process.argv;
const file = resolve(given);
const root = fileURLToPath(new URL("../../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "llmspell-bench-"));
const prompt = (/** @type {number} */ n) => `Tell a story about ${n} cats.`;
/** @type {(() => unknown)[]} */
const ends = [() => rmSync(folder, { recursive: true, force: true })];

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  return port;
}

/** One connection, kept. The client of node:http: `fetch` costs twice as much. */
const agent = new Agent({ keepAlive: true, maxSockets: 4 });

/** @param {string} url @param {string} model @returns {(n: number) => Promise<number>} milliseconds to the first text */
const over = (url, model) => (n) =>
  new Promise((resolve, reject) => {
    const started = performance.now();
    const body = JSON.stringify({
      ...{ model, messages: [{ role: "user", content: prompt(n) }] },
      ...{ max_tokens: 16, temperature: 0, stream: true },
    });
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const asked = request(`${url}/v1/chat/completions`, { method: "POST", agent, headers }, (response) => {
      let first = 0;
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text += chunk;
        if (first === 0 && /"content": ?"[^"]/.test(text)) first = performance.now() - started;
      });
      response.on("error", reject);
      response.on("end", () => (response.statusCode === 200 ? resolve(first) : reject(new Error(`${response.statusCode} ${text}`))));
    });
    asked.on("error", reject);
    asked.end(body);
  });

/** @param {string} command @param {readonly string[]} args @param {string} url @param {NodeJS.ProcessEnv} env */
async function start(command, args, url, env = {}) {
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: "ignore" });
  ends.push(() => child.kill());
  for (let tries = 0; tries < 300; tries++) {
    if (
      await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
    await sleep(100);
  }
  throw new Error(`${command} does not answer at ${url}`);
}

/** A bare server of node:http that reads the question and sends one word: what the client, loopback and Node's HTTP cost by themselves. */
async function startBare() {
  const port = await freePort();
  const event = `data: ${JSON.stringify({ choices: [{ delta: { content: "word" } }] })}\n\n`;
  const code = `require("node:http").createServer((q, a) => q.resume().on("end", () => a.writeHead(200, { "content-type": "text/event-stream" }).end(${JSON.stringify(event)}))).listen(${port}, "127.0.0.1")`;
  await start(process.execPath, ["-e", code], `http://127.0.0.1:${port}/`);
  return over(`http://127.0.0.1:${port}`, "none");
}

const port = await freePort();
const url = `http://127.0.0.1:${port}`;
/** @type {Record<string, () => Promise<(n: number) => Promise<number>>>} */
const kinds = {
  async library() {
    const { load } = await import("../../../dist/node/main.js");
    const model = await load(file);
    ends.push(() => model.dispose());
    return async (n) => {
      const started = performance.now();
      let first = 0;
      for await (const _ of model.stream(prompt(n), { maxTokens: 16, temperature: 0 }).textStream) first ||= performance.now() - started;
      return first;
    };
  },
  async llmspell() {
    await start(process.execPath, ["dist/node/cli/main.js", "serve", "-m", file, "--port", String(port), "-q"], `${url}/health`);
    return over(url, file);
  },
  async ollama() {
    const env = { OLLAMA_HOST: `127.0.0.1:${port}`, OLLAMA_MODELS: join(folder, "models"), HOME: folder };
    const program = process.env.OLLAMA_BIN ?? join(root, "../shared/bin/ollama");
    await start(program, ["serve"], `${url}/api/version`, env);
    writeFileSync(join(folder, "Modelfile"), `FROM ${file}\n`);
    spawnSync(program, ["create", "bench", "-f", join(folder, "Modelfile")], { env: { ...process.env, ...env } });
    return over(url, "bench");
  },
  async llama_cpp() {
    const program =
      process.env.LLMSPELL_BENCH_PEERS === undefined ? "python3" : `${process.env.LLMSPELL_BENCH_PEERS}/venv-llama/bin/python`;
    // by default a question ends the one before it
    const args = ["-m", "llama_cpp.server", "--model", file, "--port", String(port), "--interrupt_requests", "false"];
    await start(program, args, `${url}/v1/models`);
    return over(url, "bench");
  },
};

/** @param {number[]} values */
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

try {
  const ask = await /** @type {() => Promise<(n: number) => Promise<number>>} */ (kinds[kind])();
  const askBare = kind === "library" ? undefined : await startBare();
  for (let n = 0; n < 5; n++) await Promise.all([ask(n), askBare?.(n)]);
  const [firsts, bare] = [[], []];
  for (let n = 5; n < 20; n++) {
    firsts.push(await ask(n));
    if (askBare !== undefined) bare.push(await askBare(n));
  }
  const started = performance.now();
  await Promise.all(
    Array.from({ length: 4 }, async (_, client) => {
      for (let n = 0; n < 3; n++) await ask(100 + client * 10 + n);
    }),
  );
  const requestsPerSecond = 12_000 / (performance.now() - started);
  console.log(JSON.stringify({ firstTokenMs: median(firsts), ...(askBare && { bareHttpMs: median(bare) }), requestsPerSecond }));
} finally {
  agent.destroy();
  for (const end of ends.reverse()) await end();
}
