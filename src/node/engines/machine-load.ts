/** What other programs do with the processors, so that a measurement knows whether it was alone. */
import { availableParallelism, cpus } from "node:os";

/** Counters since some time in the past, in milliseconds of processor time. */
export interface ProcessorClocks {
  /** of all programs */
  readonly busyMs: number;
  /** of this one */
  readonly ownMs: number;
  readonly atMs: number;
}

/** Below this the clocks, which count in steps of 10 ms, say nothing. */
const shortestMs = 80;

/**
 * Starts to watch.
 * @returns a function that says how many processors other programs kept busy since then, on the average; undefined where too little time has passed.
 * A system that tells nothing counts as quiet.
 */
export function watchOthers(read: () => ProcessorClocks = readClocks): () => number | undefined {
  const before = read();
  return () => {
    const now = read();
    const passedMs = now.atMs - before.atMs;
    if (passedMs < shortestMs) return undefined;
    const othersMs = now.busyMs - before.busyMs - (now.ownMs - before.ownMs);
    return Math.min(availableParallelism(), Math.max(0, othersMs / passedMs));
  };
}

function readClocks(): ProcessorClocks {
  const busyMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return { busyMs, ownMs: ownProcessorMs(), atMs: performance.now() };
}

/** Milliseconds of processor time this process has used, with all its threads. */
export function ownProcessorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
