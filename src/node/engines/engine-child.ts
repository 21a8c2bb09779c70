/**
 * Child-process entry: holds one engine and one model, and answers its parent (child-runtime.ts). Ended from outside, by SIGKILL.
 * It never outlives its parent, and signals of a terminal do not concern it.
 */
import module from "node:module";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { createEngineHost, type HostedEngine } from "../../core/remote/engine.ts";
import { beatMs, type FromEngine, type ToEngine } from "../../core/remote/protocol.ts";
import { homeFolder } from "../home.ts";
import type { EngineName } from "./child-runtime.ts";

const parent = process.ppid;
process.on("disconnect", die);
// The child is in a group of its own where there are such; elsewhere Ctrl-C reaches it, and its parent decides.
process.on("SIGINT", () => undefined);
setInterval(() => send({ type: "beat" }), beatMs).unref();

// Compiled code of the engine's modules, kept from run to run where Node can do that (22.10). A failure of the cache is not an error.
const compileCache = module as {
  enableCompileCache?: ((folder: string) => unknown) | undefined;
  flushCompileCache?: (() => void) | undefined;
};
if (compileCache.flushCompileCache !== undefined) compileCache.enableCompileCache?.(join(homeFolder(), "compile-cache"));

const engines: Readonly<Record<EngineName, () => Promise<HostedEngine>>> = {
  "node-llama-cpp": async () => (await import("./llama-engine.ts")).llamaEngine(),
  wllama: async () => (await import("./wllama-engine.ts")).wllamaEngine(),
  "onnxruntime-node": async () => (await import("./t5-engine.ts")).t5Engine("onnxruntime-node"),
  "onnxruntime-web": async () => (await import("./t5-engine.ts")).t5Engine("onnxruntime-web"),
  "transformers.js": async () => (await import("./transformers-engine.ts")).transformersEngine(),
};
const engine = await engines[process.argv[2] as EngineName]();
engine.prepare?.();

const host = createEngineHost(engine, send);
let isWatched = false;
process.on("message", (message) => {
  const { type } = message as ToEngine;
  if (type === "open" || type === "probe") startWatchdog();
  host.receive(message as ToEngine);
});

function send(message: FromEngine): void {
  // The callback takes the error of a parent that is gone; `disconnect` follows and ends this process.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  // Node writes it at exit; this process never exits, it is killed.
  if (message.type === "opened") setImmediate(() => compileCache.flushCompileCache?.());
}

/**
 * A hostile file may keep the main thread busy for ever, where no `disconnect` is heard. A thread of its own looks whether the parent lives:
 * an orphan gets another parent (or, on Windows, keeps the number of a process that is gone).
 */
function startWatchdog(): void {
  if (isWatched) return;
  isWatched = true;
  const code = `
    const { workerData: parent } = require("node:worker_threads");
    setInterval(() => {
      let lives = process.ppid === parent;
      try { process.kill(parent, 0); } catch (error) { if (error.code === "ESRCH") lives = false; }
      if (!lives) process.kill(process.pid, "SIGKILL");
    }, 500);`;
  new Worker(code, { eval: true, workerData: parent, resourceLimits: { maxOldGenerationSizeMb: 8 } }).unref();
}

/** Not exit(): that would wait for native work that is under way. */
function die(): void {
  process.kill(process.pid, "SIGKILL");
}
