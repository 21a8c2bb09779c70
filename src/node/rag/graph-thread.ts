/** One of the threads that build a graph of near neighbours together. */
import { parentPort, workerData } from "node:worker_threads";
import { buildPart } from "../../core/search/graph-part.ts";
import type { GraphThreadData } from "./graph-threads.ts";

const { job, part } = workerData as GraphThreadData;
parentPort?.postMessage(buildPart(job, part));
