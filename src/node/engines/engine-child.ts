/**
 * Child-process entry: holds one engine and one model, and answers its parent (child-runtime.ts). Ended from outside, by SIGKILL.
 * It never outlives its parent, and signals of a terminal do not concern it.
 */
import module from "node:module";
import { join } from "node:path";
import { createEngineHost, type HostedEngine } from "../../core/remote/engine.ts";
import { beatMs, type FromEngine, type ToEngine } from "../../core/remote/protocol.ts";
import { once } from "../../core/values.ts";
import { homeFolder } from "../home.ts";
import { watchParent } from "../watchdog.ts";
import type { EngineName } from "./fork-engine.ts";

const parent = process.ppid;
process.on("disconnect", die);
// The child is in a group of its own where there are such; elsewhere Ctrl-C reaches it, and its parent decides.
process.on("SIGINT", () => undefined);
// A limit on file sizes (ulimit -f) is an error of the write, as a full disk is. Windows has no such signal.
if (process.platform !== "win32") process.on("SIGXFSZ", () => undefined);
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
const watched = once(() => watchParent(parent));
process.on("message", (message) => {
  const { type } = message as ToEngine;
  if (type === "open" || type === "probe") watched();
  host.receive(message as ToEngine);
});

function send(message: FromEngine): void {
  // The callback takes the error of a parent that is gone; `disconnect` follows and ends this process.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  // Node writes it at exit; this process never exits, it is killed.
  if (message.type === "opened") setImmediate(() => compileCache.flushCompileCache?.());
}

/** Not exit(): that would wait for native work that is under way. */
function die(): void {
  process.kill(process.pid, "SIGKILL");
}
