/** wllama used directly: its own API on our stand-in for Web Workers, which Node lacks; nothing else of ours. Arguments: MODEL THREADS */
import { openAsBlob, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fromSource } from "../../support/from-source.mjs";
import { newTokens, print, prompt } from "./prompt.mjs";

const library = await fromSource(["node/engines/web-worker.ts", "engines/wllama/features.ts"]);
const { webWorkerClass, hasMemory64 } = await import(library.href);
library.remove();

const [modelPath, threads] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const folder = (name) => dirname(require.resolve(`${name}/package.json`));
globalThis.Worker = webWorkerClass(fileURLToPath(new URL("../../../dist/node/engines/web-worker-scope.js", import.meta.url)), (reason) =>
  console.error(reason),
);
globalThis.self = globalThis;
globalThis.location ??= { href: "file:///" };
if (typeof navigator === "undefined") globalThis.navigator = { userAgent: "Node.js", hardwareConcurrency: availableParallelism() };
const started = performance.now();
const { Wllama, CacheManager } = await import(pathToFileURL(join(folder("@wllama/wllama"), "esm/index.js")).href);
const store = {
  isSupported: () => true,
  read: async () => null,
  write: async () => {},
  getSize: async () => -1,
  list: async () => [],
  delete: async () => {},
};
const silent = () => {};
const wasm = (name, file) => `node${pathToFileURL(join(folder(name), file)).href}`;
const w = new Wllama(
  { default: wasm("@wllama/wllama", "esm/wasm/wllama.wasm") },
  { cacheManager: new CacheManager([store]), suppressNativeLog: true, logger: { debug: silent, log: silent, warn: silent, error: silent } },
);
w.setCompat(null);
if (!hasMemory64()) {
  const resources = w.getWorkerResources.bind(w);
  const code = readFileSync(join(folder("@wllama/wllama-compat"), "wasm/wllama.js"), "utf8");
  w.getWorkerResources = () => ({
    ...resources(),
    wasmPath: wasm("@wllama/wllama-compat", "wasm/wllama.wasm"),
    jsPath: { code },
    compat: true,
  });
}
await w.loadModel([await openAsBlob(modelPath)], { n_ctx: 512, n_threads: Number(threads), n_gpu_layers: 0, n_parallel: 1 });
const loadMs = performance.now() - started;

async function run(text) {
  const began = performance.now();
  let first = 0;
  let count = 0;
  let timings = {};
  await w.createCompletion({
    prompt: text,
    max_tokens: newTokens,
    temperature: 0,
    stream: true,
    cache_prompt: true,
    onData: (chunk) => {
      timings = chunk.timings ?? timings;
      if (!chunk.choices?.[0]?.text) return;
      if (first === 0) first = performance.now();
      count += 1;
    },
  });
  const tokens = timings.predicted_n ?? count;
  return {
    first,
    prefillRate: ((timings.prompt_n ?? 0) * 1000) / (first - began),
    decodeRate: ((tokens - 1) * 1000) / (performance.now() - first),
  };
}

const cold = await run(prompt);
const warm = [];
for (const word of ["Two", "Three"]) warm.push(await run(`${word} years ago: ${prompt}`));
const best = (key) => Math.max(...warm.map((figures) => figures[key]));
print({ loadMs, firstTokenFromStartMs: cold.first, prefillRate: best("prefillRate"), decodeRate: best("decodeRate") });
process.kill(process.pid, "SIGKILL");
