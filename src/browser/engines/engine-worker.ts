/**
 * Web Worker entry: holds one engine and one model, and answers the page (worker-runtime.ts). Ended from outside.
 * Only the engine that is asked for is loaded.
 */
import { toSpellError } from "../../core/errors.ts";
import { createEngineHost, type EngineHost, type HostedEngine } from "../../core/remote/engine.ts";
import { beatMs, type FromEngine, type ToEngine } from "../../core/remote/protocol.ts";
import type { ToWorker } from "./worker-runtime.ts";

const scope = self as unknown as DedicatedWorkerGlobalScope;
const post = (message: FromEngine): void => scope.postMessage(message);
let host: Promise<EngineHost> | undefined;

scope.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "start") host = start(data);
  else void host?.then((engine) => engine.receive(data as ToEngine)).catch(() => undefined); // start() has said why
};

async function start(message: Extract<ToWorker, { type: "start" }>): Promise<EngineHost> {
  // The lock says more than any message could: the browser gives it to the page when this worker is gone, for whatever reason.
  await new Promise<void>((held) => {
    if (navigator.locks === undefined) return held();
    const forever = navigator.locks.request(message.lock, () => {
      held();
      return new Promise(() => undefined);
    });
    forever.catch(() => held());
  });
  post({ type: "beat" });
  setInterval(() => post({ type: "beat" }), beatMs);
  try {
    return createEngineHost(await createEngine(message), post);
  } catch (error) {
    post({ type: "failed", call: 0, error: toSpellError(error, "device-unavailable", "the engine's program does not load").toJSON() });
    throw error;
  }
}

async function createEngine({ engine, files }: Extract<ToWorker, { type: "start" }>): Promise<HostedEngine> {
  if (engine === "wllama") return (await import("./wllama-engine.ts")).wllamaEngine(files.wllama);
  return (await import("./t5-engine.ts")).t5Engine(files.onnx);
}
