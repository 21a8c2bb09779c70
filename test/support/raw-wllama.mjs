/** wllama used directly: its own API on our stand-in for Web Workers, which Node lacks; nothing else of ours, but for the kernels where they are asked for. */
import { openAsBlob, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fromSource } from "./from-source.mjs";

const root = new URL("../../", import.meta.url);

/**
 * A process has one, and ends with a signal: the engine's workers keep it alive.
 * @param {string} modelPath
 * @param {{ threads: number, kernels?: boolean, load?: object }} options kernels: the engine's file of dist/wasm instead of the package's
 */
export async function startWllama(modelPath, { threads, kernels = false, load = {} }) {
  const library = await fromSource(["node/engines/web-worker.ts", "engines/wllama/features.ts"]);
  const { webWorkerClass, hasMemory64 } = await import(library.href);
  library.remove();
  const require = createRequire(import.meta.url);
  const folder = (/** @type {string} */ name) => dirname(require.resolve(`${name}/package.json`));
  const globals = /** @type {Record<string, unknown>} */ (globalThis);
  globals.Worker = webWorkerClass(
    fileURLToPath(new URL("dist/node/engines/web-worker-scope.js", root)),
    () => false,
    (/** @type {string} */ reason) => console.error(reason),
  );
  globals.self = globalThis;
  globals.location ??= { href: "file:///" };
  if (typeof navigator === "undefined") globals.navigator = { userAgent: "Node.js", hardwareConcurrency: availableParallelism() };
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
  const build = hasMemory64() ? "default" : "compat";
  const shipped =
    build === "default"
      ? join(folder("@wllama/wllama"), "esm/wasm/wllama.wasm")
      : join(folder("@wllama/wllama-compat"), "wasm/wllama.wasm");
  const wasmPath = `node${kernels ? new URL(`dist/wasm/wllama-${build}.wasm`, root).href : pathToFileURL(shipped).href}`;
  // not suppressNativeLog: with it the engine writes eight lines for a token, for its messages to be thrown away (src/engines/wllama/instance.ts)
  const logger = { debug: silent, log: silent, warn: silent, error: silent };
  const wllama = new Wllama({ default: wasmPath }, { cacheManager: new CacheManager([store]), logger });
  wllama.setCompat(null);
  if (build === "compat") {
    const resources = wllama.getWorkerResources.bind(wllama);
    const code = readFileSync(join(folder("@wllama/wllama-compat"), "wasm/wllama.js"), "utf8");
    wllama.getWorkerResources = () => ({ ...resources(), wasmPath, jsPath: { code }, compat: true });
  }
  await wllama.loadModel([await openAsBlob(modelPath)], { n_ctx: 512, n_threads: threads, n_gpu_layers: 0, n_parallel: 1, ...load });
  return wllama;
}
