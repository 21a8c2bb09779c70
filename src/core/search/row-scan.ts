/**
 * Exact products of 8-bit rows: in WebAssembly with SIMD, and in plain JavaScript where a host has none, with equal answers.
 * A scan waits for memory, so rows of 8 bits take a quarter of the time of rows of 32.
 */
import { fromBase64 } from "../base64.ts";
import { kernel } from "./kernel.generated.ts";

export interface RowScan {
  readonly count: number;
  /** row · row, for each row */
  readonly squares: Int32Array;
  /** Room for row numbers of gather(). */
  readonly ids: Int32Array;
  /** Says whom all() and gather() compare rows with. @param query as many numbers as a row has */
  ask(query: Int8Array): void;
  /** query · row for each row; the array is used again by the next call */
  all(): Int32Array;
  /**
   * Products of a row, or of the query, with the first `count` rows that `ids` names; the array is used again by the next call.
   * @param row a number, or −1: the query
   */
  gather(row: number, count: number): Int32Array;
}

/** Most rows of one gather(). */
export const mostGathered = 4096;

interface Kernel {
  scan(query: number, rows: number, count: number, stride: number, out: number): void;
  gather(query: number, rows: number, ids: number, count: number, stride: number, out: number): void;
  squares(rows: number, count: number, stride: number, out: number): void;
}

let compiled: WebAssembly.Module | null | undefined;
/** @returns null for hosts that compile none, or without SIMD */
function compile(): WebAssembly.Module | null {
  if (compiled === undefined) {
    try {
      compiled = new WebAssembly.Module(fromBase64(kernel));
    } catch {
      compiled = null;
    }
  }
  return compiled;
}

/** @param rows `count` rows of `dimensions` numbers; they are copied */
export function rowScan(rows: Int8Array, dimensions: number): RowScan {
  const module = compile();
  return (module === null ? undefined : kernelScan(module, rows, dimensions)) ?? plainScan(rows, dimensions);
}

/** @returns undefined where there is no memory for it */
function kernelScan(module: WebAssembly.Module, rows: Int8Array, dimensions: number): RowScan | undefined {
  const size = { count: dimensions === 0 ? 0 : rows.length / dimensions, dimensions, threads: 1 };
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ initial: pagesOf(size) });
  } catch {
    return undefined;
  }
  fill(module, memory, rows, size);
  return openScan(module, memory, size, 0);
}

/** What lies in a memory: all rows, and room to ask for each thread. */
export interface ScanSize {
  readonly count: number;
  readonly dimensions: number;
  readonly threads: number;
}

function placesIn({ count, dimensions, threads }: ScanSize, thread: number) {
  const stride = Math.ceil(dimensions / 16) * 16;
  const whole = (bytes: number): number => Math.ceil(bytes / 16) * 16;
  const [queryAt, idsAt] = [0, stride];
  const foundAt = idsAt + mostGathered * 4;
  const outAt = foundAt + mostGathered * 4;
  // one thread alone looks at all rows
  const own = outAt + (threads === 1 ? whole(count * 4) : 0);
  const base = thread * own;
  const squaresAt = threads * own;
  const rowsAt = squaresAt + whole(count * 4);
  return {
    stride,
    queryAt: base + queryAt,
    idsAt: base + idsAt,
    foundAt: base + foundAt,
    outAt: base + outAt,
    squaresAt,
    rowsAt,
    end: rowsAt + count * stride,
  };
}

/** of 64 KiB */
export function pagesOf(size: ScanSize): number {
  return Math.max(1, Math.ceil(placesIn(size, 0).end / 65_536));
}

/** Puts rows into a memory of `pagesOf` pages. */
export function fill(module: WebAssembly.Module, memory: WebAssembly.Memory, rows: Int8Array, size: ScanSize): void {
  const { count, dimensions } = size;
  const { stride, rowsAt, squaresAt } = placesIn(size, 0);
  const own = new Int8Array(memory.buffer, rowsAt, count * stride);
  if (stride === dimensions) own.set(rows);
  else for (let row = 0; row < count; row += 1) own.set(rows.subarray(row * dimensions, (row + 1) * dimensions), row * stride);
  kernelIn(module, memory).squares(rowsAt, count, stride, squaresAt);
}

/** A thread's view of a memory that was filled. With more than one thread it has no all(). */
export function openScan(module: WebAssembly.Module, memory: WebAssembly.Memory, size: ScanSize, thread: number): RowScan {
  const { count } = size;
  const { stride, queryAt, idsAt, foundAt, outAt, squaresAt, rowsAt } = placesIn(size, thread);
  const { scan, gather } = kernelIn(module, memory);
  const { buffer } = memory;
  const query = new Int8Array(buffer, queryAt, stride);
  const out = new Int32Array(buffer, outAt, size.threads === 1 ? count : 0);
  const found = new Int32Array(buffer, foundAt, mostGathered);
  return {
    count,
    squares: new Int32Array(buffer, squaresAt, count),
    ids: new Int32Array(buffer, idsAt, mostGathered),
    ask: (asked) => query.set(asked),
    all() {
      scan(queryAt, rowsAt, out.length, stride, outAt);
      return out;
    },
    gather(row, many) {
      gather(row < 0 ? queryAt : rowsAt + row * stride, rowsAt, idsAt, many, stride, foundAt);
      return found;
    },
  };
}

function kernelIn(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernel {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernel;
}

/** The same in plain JavaScript. */
export function plainScan(rows: Int8Array, dimensions: number): RowScan {
  const count = dimensions === 0 ? 0 : rows.length / dimensions;
  const query = new Int8Array(dimensions);
  const out = new Int32Array(count);
  const ids = new Int32Array(mostGathered);
  const found = new Int32Array(mostGathered);
  const product = (one: Int8Array, from: number, row: number): number => {
    let sum = 0;
    for (let i = 0, at = row * dimensions; i < dimensions; i += 1, at += 1) sum += (one[from + i] as number) * (rows[at] as number);
    return sum;
  };
  return {
    count,
    squares: Int32Array.from({ length: count }, (_, row) => product(rows, row * dimensions, row)),
    ids,
    ask: (asked) => query.set(asked),
    all() {
      for (let row = 0; row < count; row += 1) out[row] = product(query, 0, row);
      return out;
    },
    gather(row, many) {
      for (let i = 0; i < many; i += 1)
        found[i] = row < 0 ? product(query, 0, ids[i] as number) : product(rows, row * dimensions, ids[i] as number);
      return found;
    },
  };
}
