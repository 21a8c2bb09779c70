/** Isolate over a Web Worker, terminated when its time is up. Browsers themselves end a worker that takes too much memory. */
import type { Isolate } from "../core/platform.ts";
import { createWorkerIsolate } from "../core/text/worker-isolate.ts";
import { workers } from "./addresses.ts";

export function workerIsolate(): Isolate {
  // no prepare(): a worker of a page starts in some milliseconds, and its memory is the page's
  const { run, dispose } = createWorkerIsolate(({ onMessage, onDeath }) => {
    const worker = workers.isolate();
    worker.onmessage = ({ data }) => onMessage(data);
    worker.onerror = (event) => onDeath(event.message || "it could not start", false);
    return { post: (message) => worker.postMessage(message), terminate: () => worker.terminate(), hold: () => undefined };
  });
  return { run, dispose };
}
