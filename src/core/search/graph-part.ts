/**
 * A graph that several threads build: each runs `buildPart` over the same memory, and waits for the others between the steps of a batch. What a step reads no
 * thread writes meanwhile, and each list has one owner, so the graph is the one that a single thread makes.
 */
import { fromBase64 } from "../base64.ts";
import type { Graph, GraphRows, GraphSettings } from "../spec/search-index.ts";
import { batches, emptyGraph, Walk } from "./graph.ts";
import { sharedKernel } from "./kernel-shared.generated.ts";
import { fill, openScan, pagesOf, type ScanSize } from "./row-scan.ts";

/** Plain data over shared memory: it is posted to each thread. */
export interface GraphJob {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly size: ScanSize;
  readonly factors: Float64Array;
  readonly biases: Float64Array;
  readonly graph: Graph;
  readonly settings: Pick<GraphSettings, "efConstruction" | "batchSize">;
  /** where threads meet, who takes which row, and how many rows have their neighbours */
  readonly turns: Int32Array;
}

/** in turns */
const [round, arrived, taken, linked] = [0, 1, 2, 3];

/** @throws RangeError where there is no memory for it */
export function graphJob({ rows, dimensions, factors, biases }: GraphRows, settings: GraphSettings, threads: number): GraphJob {
  const count = factors.length;
  const size = { count, dimensions, threads };
  const pages = pagesOf(size);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const module = new WebAssembly.Module(fromBase64(sharedKernel));
  fill(module, memory, rows, size);
  const share = (numbers: Float64Array): Float64Array => {
    const shared = new Float64Array(new SharedArrayBuffer(numbers.byteLength));
    shared.set(numbers);
    return shared;
  };
  return {
    module,
    memory,
    size,
    factors: share(factors),
    biases: share(biases),
    graph: emptyGraph(count, settings, (bytes) => new SharedArrayBuffer(bytes)),
    settings: { efConstruction: settings.efConstruction, batchSize: settings.batchSize },
    turns: new Int32Array(new SharedArrayBuffer(4 * 4)),
  };
}

/** Rows that have their neighbours by now. */
export function linkedRows({ turns }: Pick<GraphJob, "turns">): number {
  return Atomics.load(turns, linked);
}

/** One thread's share; it blocks the thread until the graph is whole. @param part 0 … threads − 1 @returns where searches begin */
export function buildPart({ module, memory, size, factors, biases, graph, settings, turns }: GraphJob, part: number): number {
  const { count, threads } = size;
  const walk = new Walk({ scan: openScan(module, memory, size, part), factors, biases }, graph);
  for (const [from, to] of batches(count, settings.batchSize)) {
    const next = (): number => from + Atomics.add(turns, taken, 1);
    for (let row = next(); row < to; row = next()) walk.choose(row, from, settings.efConstruction);
    meet(turns, threads);
    if (part === 0) Atomics.store(turns, taken, 0);
    const chosen = walk.chosen(from, to);
    meet(turns, threads);
    for (let row = from; row < to; row += 1) walk.tell(row, chosen[row - from] ?? [], part, threads);
    walk.enter(from, to);
    if (part === 0) Atomics.store(turns, linked, to);
    meet(turns, threads);
  }
  return walk.entry;
}

/** Returns when all threads are here. */
function meet(turns: Int32Array, threads: number): void {
  const now = Atomics.load(turns, round);
  if (Atomics.add(turns, arrived, 1) === threads - 1) {
    Atomics.store(turns, arrived, 0);
    Atomics.add(turns, round, 1);
    Atomics.notify(turns, round);
  } else while (Atomics.load(turns, round) === now) Atomics.wait(turns, round, now);
}
