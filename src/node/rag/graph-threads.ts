/** Graphs of near neighbours, built in threads that share memory. */
import { Worker } from "node:worker_threads";
import { type GraphJob, graphJob, linkedRows } from "../../core/search/graph-part.ts";
import type { Graph, GraphThreads } from "../../core/spec/search-index.ts";
import { builtFile } from "../built-file.ts";

/** Threads that build tell nothing: how far they are is looked up. */
const lookMs = 200;

export async function buildInThreads(...[rows, settings, threads, onRows]: Parameters<GraphThreads["build"]>): Promise<Graph> {
  const job = graphJob(rows, settings, threads);
  const workers: Worker[] = [];
  const timer = onRows === undefined ? undefined : setInterval(() => onRows(linkedRows(job)), lookMs);
  try {
    const entries = await Promise.all(Array.from({ length: threads }, (_, part) => inThread(job, part, workers)));
    return { ...job.graph, entry: entries[0] ?? 0 };
  } finally {
    clearInterval(timer);
    // where one ended early the others wait for it
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function inThread(job: GraphJob, part: number, workers: Worker[]): Promise<number> {
  const worker = new Worker(builtFile("rag/graph-thread"), { workerData: { job, part } satisfies GraphThreadData, execArgv: [] });
  workers.push(worker);
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`a thread that builds a graph ended with ${code}`)));
  });
}

export interface GraphThreadData {
  readonly job: GraphJob;
  readonly part: number;
}
