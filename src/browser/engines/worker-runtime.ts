/**
 * The runtimes of a page, each model in a Web Worker of its own: the page never waits for an engine, and a crash takes the worker only.
 * What is said between the two is in core/remote; what the worker does is in serve-engine.ts.
 */
import { SpellError, toSpellError } from "../../core/errors.ts";
import { type CommonOpenOptions, RemoteEngine } from "../../core/remote/caller.ts";
import { blockingSilenceMs, type FromEngine, silenceMs, type ToEngine } from "../../core/remote/protocol.ts";
import { type RemoteRuntime, remoteRuntime } from "../../core/remote/runtime.ts";
import { workers } from "../addresses.ts";
import type { EngineFiles } from "./engine-files.ts";

export type EngineName = "wllama" | "onnxruntime-web";

export type ToWorker =
  | ToEngine
  /** first of all; `lock` is held by the worker for as long as it lives */
  | { readonly type: "start"; readonly lock: string; readonly files: EngineFiles };

/** llama.cpp computes in a worker of its own, beside ours; ONNX Runtime holds ours while it computes. */
const silences: Readonly<Record<EngineName, number>> = { wllama: silenceMs, "onnxruntime-web": blockingSilenceMs };

export interface WorkerRuntimeOptions {
  readonly files: EngineFiles;
  /** Makes the worker; by default the engine's own. */
  readonly createWorker?: (() => Worker) | undefined;
}

/** @returns a GgufRuntime or a Seq2SeqRuntime, by its options */
export function workerRuntime<OpenOptions extends CommonOpenOptions, CallOptions extends { readonly signal?: AbortSignal | undefined }>(
  engine: EngineName,
  { files, createWorker = workers[engine] }: WorkerRuntimeOptions,
): RemoteRuntime<OpenOptions, CallOptions> {
  return remoteRuntime(engine, () => startWorker(engine, files, createWorker));
}

function startWorker(engine: EngineName, files: EngineFiles, createWorker: () => Worker): RemoteEngine {
  if (typeof Worker !== "function") throw new SpellError("device-unavailable", "this place has no Web Workers, which engines run in");
  let worker: Worker;
  try {
    worker = createWorker();
  } catch (error) {
    throw toSpellError(error, "device-unavailable", "the worker for engines cannot be started");
  }
  const watch = new AbortController();
  const remote = new RemoteEngine(
    {
      post: (message) => worker.postMessage(message),
      async end() {
        watch.abort();
        worker.terminate();
      },
    },
    { place: "worker", engine, silenceMs: silences[engine] },
  );
  const died = (what: string): void => {
    remote.died(what);
    watch.abort();
    worker.terminate();
  };
  const lock = `llmspell-engine-${crypto.randomUUID()}`;
  let watched = false;
  worker.onmessage = ({ data }: MessageEvent<FromEngine>) => {
    if (!watched && data.type === "beat" && navigator.locks !== undefined) {
      watched = true;
      // Its beats begin once it holds the lock; the page gets the lock only when the worker is gone.
      const gone = navigator.locks.request(lock, { signal: watch.signal }, () => died("ended without a word: out of memory, perhaps"));
      gone.catch(() => undefined);
    }
    remote.receive(data);
  };
  worker.onmessageerror = () => died("sent a message that cannot be read");
  // An event without a message: its program could not be fetched, or the page's policy forbids it.
  worker.onerror = (event) => {
    event.preventDefault(); // each waiting call gets it; the console does not
    died(
      event.message
        ? `failed: ${event.message}`
        : "could not be loaded: its file is not served (docs/browser.md, Bundlers), or the policy of the page forbids it",
    );
  };
  worker.postMessage({ type: "start", lock, files } satisfies ToWorker);
  return remote;
}
