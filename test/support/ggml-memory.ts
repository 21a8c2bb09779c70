/** ggml's structures in the memory of a bare engine, as src/kernels/engine.h has them. */
import type { BareEngine } from "./bare-engine.ts";

export interface Tensor {
  readonly type?: number;
  /** values of each dimension; those left out have 1 */
  readonly ne: readonly number[];
  /** bytes from one to the next; for floats without gaps where left out */
  readonly nb?: readonly number[];
  readonly data: number;
  readonly op?: number;
  /** 32-bit words; floats by `words` */
  readonly params?: readonly number[];
  readonly sources?: readonly number[];
}

/** Floats as the words that an operation's parameters are. */
export const words = (...floats: readonly number[]): readonly number[] => [...new Int32Array(Float32Array.from(floats).buffer)];

function put(engine: BareEngine, address: number, value: number): void {
  const view = new DataView(engine.memory.buffer);
  if (engine.addressBytes === 8) view.setBigUint64(address, BigInt(value), true);
  else view.setUint32(address, value, true);
}

/** @returns its address; with the flag of tensors that are computed */
export function tensor(engine: BareEngine, { type = 0, ne, nb, data, op = 0, params = [], sources = [] }: Tensor): number {
  const address = engine.alloc(400);
  const view = new DataView(engine.memory.buffer);
  const pointer = engine.addressBytes;
  const shape = 2 * pointer;
  const strides = shape + 4 * 8;
  const afterStrides = strides + 4 * pointer;
  const flags = afterStrides + 4 + 16 * 4;
  const src = Math.ceil((flags + 4) / pointer) * pointer;
  view.setInt32(address, type, true);
  const all = Array.from({ length: 4 }, (_, at) => ne[at] ?? 1);
  for (const [at, value] of all.entries()) view.setBigInt64(address + shape + 8 * at, BigInt(value), true);
  let bytes = 4;
  for (const [at, value] of all.entries()) {
    const stride = nb?.[at] ?? bytes;
    put(engine, address + strides + pointer * at, stride);
    bytes = stride * value;
  }
  view.setInt32(address + afterStrides, op, true);
  for (const [at, value] of params.entries()) view.setInt32(address + afterStrides + 4 + 4 * at, value, true);
  view.setInt32(address + flags, 16, true);
  for (const [at, value] of sources.entries()) put(engine, address + src + pointer * at, value);
  put(engine, address + src + 12 * pointer, data);
  return address;
}

/** A graph of these operations, and what a thread that computes it is given. @returns the address for thread 0, 1, … */
export function graphOf(engine: BareEngine, nodes: readonly number[], threads: number, workBytes: number): number[] {
  const is64 = engine.addressBytes === 8;
  const view = new DataView(engine.memory.buffer);
  const list = engine.alloc(nodes.length * 8);
  for (const [at, node] of nodes.entries()) put(engine, list + at * engine.addressBytes, node);
  const graph = engine.alloc(128);
  view.setInt32(graph + 4, nodes.length, true);
  put(engine, graph + (is64 ? 16 : 12), list);
  // How often a tensor is used: its loop asks; a table of one empty place says never.
  const uses = is64 ? 48 : 28;
  put(engine, graph + uses, engine.alloc(8));
  put(engine, graph + uses + engine.addressBytes, 1);
  for (const at of [2, 3]) put(engine, graph + uses + at * engine.addressBytes, engine.alloc(8));
  const plan = engine.alloc(64);
  put(engine, plan, workBytes);
  put(engine, plan + engine.addressBytes, engine.alloc(workBytes));
  view.setInt32(plan + 2 * engine.addressBytes, threads, true);
  const pool = engine.alloc(320);
  put(engine, pool + (is64 ? 88 : 72), graph);
  put(engine, pool + (is64 ? 96 : 76), plan);
  view.setInt32(pool + (is64 ? 104 : 80), threads, true);
  view.setInt32(pool + 264, -1, true);
  return Array.from({ length: threads }, (_, thread) => {
    const state = engine.alloc(544);
    put(engine, state + (is64 ? 528 : 524), pool);
    view.setInt32(state + (is64 ? 536 : 528), thread, true);
    return state;
  });
}
