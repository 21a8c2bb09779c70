/**
 * What the workers of engines do: each holds one engine and one model, and answers the page (worker-runtime.ts). Ended from outside.
 * A worker for each engine, whole in one file: no bundler splits it, and a page loads only the engine it needs.
 */
import { createEngineHost, type EngineHost, type HostedEngine } from "../../core/remote/engine.ts";
import { beatMs, type FromEngine, type ToEngine } from "../../core/remote/protocol.ts";
import type { EngineFiles } from "./engine-files.ts";
import type { ToWorker } from "./worker-runtime.ts";

const scope = self as unknown as DedicatedWorkerGlobalScope;
const post = (message: FromEngine): void => scope.postMessage(message);

/** @param createEngine gets where the page serves the engine's files */
export function serveEngine(createEngine: (files: EngineFiles) => HostedEngine): void {
  let host: Promise<EngineHost> | undefined;
  scope.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if (data.type === "start") host = start(data, createEngine);
    else void host?.then((engine) => engine.receive(data as ToEngine)).catch(() => undefined); // start() has said why
  };
}

async function start(
  message: Extract<ToWorker, { type: "start" }>,
  createEngine: (files: EngineFiles) => HostedEngine,
): Promise<EngineHost> {
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
  return createEngineHost(createEngine(message.files), post);
}
