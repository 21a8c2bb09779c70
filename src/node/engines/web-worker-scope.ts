/**
 * Worker-thread entry: makes the thread look like a browser's dedicated worker, then runs the code it was given. `process` is hidden, so that
 * emscripten takes its web path; its own Node path cannot load workers from blobs. Only inside the disposable child of engine-child.ts.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { runInThisContext } from "node:vm";
import { parentPort, workerData } from "node:worker_threads";
import { acceptSharedMemory, loadDawn, openGpu } from "./dawn.ts";
import { toTransferList, type WorkerData, webWorkerClass } from "./web-worker.ts";

const { code, name, scope, hasGpu } = workerData as WorkerData;
const port = parentPort;
const exit = process.exit.bind(process);
const fetchRemote = globalThis.fetch;
class WorkerNavigator {
  readonly hardwareConcurrency = availableParallelism();
  readonly userAgent = "Node.js";
  readonly language = "en";
}

// Helper threads of the engine compute on the processor only.
if (hasGpu && !name.startsWith("em-pthread")) {
  const dawn = loadDawn(import.meta.url);
  Object.assign(globalThis, dawn.globals);
  acceptSharedMemory(dawn.globals.GPUQueue.prototype);
  const gpu = openGpu(dawn);
  Object.defineProperty(WorkerNavigator.prototype, "gpu", { get: () => gpu });
}

const define = (key: string, value: unknown): void => {
  Object.defineProperty(globalThis, key, { value, writable: true, configurable: true });
};
define("self", globalThis);
define("name", name);
define("location", { href: "file:///worker.js" });
define("WorkerNavigator", WorkerNavigator);
define("navigator", new WorkerNavigator());
define("WorkerGlobalScope", class WorkerGlobalScope {});
define(
  "Worker",
  webWorkerClass(
    scope,
    () => hasGpu,
    (reason) => fail(reason),
  ),
);
define("importScripts", () => fail("importScripts is not here"));
define("postMessage", (message: unknown, options?: Parameters<typeof toTransferList>[0]) =>
  port?.postMessage(message, toTransferList(options)),
);
define("close", () => exit(0));
define("onmessage", null);
// "nodefile:" because emscripten takes XMLHttpRequest for file: addresses
define("fetch", async (url: unknown, options?: RequestInit) =>
  String(url).startsWith("nodefile:")
    ? new Response(readFileSync(fileURLToPath(String(url).slice(4))), { headers: { "content-type": "application/wasm" } })
    : fetchRemote(url as string, options),
);
port?.on("message", (data) =>
  (globalThis as { onmessage?: ((event: { data: unknown }) => void) | null | undefined }).onmessage?.({ data }),
);
Reflect.deleteProperty(globalThis, "process");

// A script, as it would be in a browser's worker: its functions become global.
runInThisContext(code, { filename: `${name || "worker"}.js` });

function fail(reason: string): never {
  throw new Error(reason);
}
