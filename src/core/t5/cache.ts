/**
 * Keys and values that the decoder computed, for sequences of equal length: between two steps they are fed back. Whose memory holds them decides how:
 * where it can be written from here, buffers with room
 * for more, so that a step adds its own and copies nothing old; else what the graph joined.
 */
import type { OnnxRuntime, OnnxTensor, Piece, TensorMemory } from "../spec/onnx.ts";
import type { T5Config } from "./config.ts";
import { type Joining, names, namesOf } from "./graph.ts";

type Feeds = Readonly<Record<string, OnnxTensor>>;

/** Owner of its tensors. */
export interface DecoderCache {
  /** Inputs of the next step. */
  feeds(): Feeds;
  /** Outputs of a step that add() needs. */
  readonly outputs: readonly string[];
  /** Takes the keys and values of `count` more tokens of each sequence. @param answer of a step; what it needs of it is released here or later */
  add(answer: Feeds, count: number): void;
  /** Forgets all but the first `length` tokens. */
  truncate(length: number): Promise<void>;
  /** Goes on with these sequences, in this order: sequence i becomes a copy of what was sequence `order[i]`. */
  reorder(order: readonly number[]): Promise<void>;
  /** Frees what a device holds. */
  release(): void;
}

/** Who joins old and new keys and values on this runtime. */
export function joiningOn({ keepsOutputs, deviceMemory }: Pick<OnnxRuntime, "keepsOutputs" | "deviceMemory">): Joining {
  return keepsOutputs && deviceMemory === undefined ? "inside" : "outside";
}

/** The keys and values among the outputs of a step. */
export function cacheOutputs(config: T5Config, joining: Joining): readonly string[] {
  return namesOf(config, joining === "inside" ? names.present : names.fresh);
}

/** @param batch sequences */
export function createCache(runtime: OnnxRuntime, config: T5Config, batch: number): DecoderCache {
  return joiningOn(runtime) === "inside" ? joinedCache(runtime, config, batch) : roomyCache(runtime, config, batch);
}

/** Positions by which room grows at least: each step computes with all of the room, and each growth copies what is there. */
const leastRoom = 32;

function roomyCache(runtime: OnnxRuntime, config: T5Config, sequences: number): DecoderCache {
  const { numHeads, dKv } = config;
  const pasts = namesOf(config, names.past);
  const outputs = cacheOutputs(config, "outside");
  const memory = runtime.deviceMemory ?? hostMemory(runtime);
  let batch = sequences;
  let length = 0;
  let room = leastRoom;
  const shape = (): readonly number[] => [batch, numHeads, room, dKv];
  let tensors = pasts.map(() => memory.zeros(shape()));
  let spare: OnnxTensor | undefined;
  /** Room for so many elements, kept from one change of order to the next. */
  const aside = (elements: number): OnnxTensor => {
    if (elements > (spare?.shape[0] ?? 0)) {
      spare?.release();
      spare = memory.zeros([batch * numHeads * room * dKv]);
    }
    return spare as OnnxTensor;
  };
  const releaseTensors = (): void => {
    for (const tensor of tensors) tensor.release();
  };
  /** Into tensors of the shape there is now. */
  const move = (pieces: readonly Piece[]): void => {
    const moved = tensors.map((from) => ({ from, to: memory.zeros(shape()), pieces }));
    memory.copy(moved);
    releaseTensors();
    tensors = moved.map(({ to }) => to);
  };
  const rows = (): readonly number[] => Array.from({ length: batch * numHeads }, (_, row) => row);
  const makeRoom = (positions: number): void => {
    const before = room;
    room = Math.ceil(Math.max(positions, before + before / 4) / leastRoom) * leastRoom;
    move(rows().map((row) => ({ from: row * before * dKv, to: row * room * dKv, length: length * dKv })));
  };
  return {
    outputs,
    feeds: () => ({
      ...Object.fromEntries(pasts.map((name, at) => [name, tensors[at] as OnnxTensor])),
      [names.pastLength]: runtime.tensor("int64", BigInt64Array.of(BigInt(length)), []),
    }),
    add(answer, count) {
      if (length + count > room) makeRoom(length + count);
      const size = count * dKv;
      const pieces = rows().map((row) => ({ from: row * size, to: (row * room + length) * dKv, length: size }));
      const fresh = outputs.map((name) => answer[name] as OnnxTensor);
      memory.copy(fresh.map((from, at) => ({ from, to: tensors[at] as OnnxTensor, pieces })));
      for (const tensor of fresh) tensor.release();
      length += count;
    },
    // what lies behind is not read
    truncate: async (wanted) => {
      length = wanted;
    },
    async reorder(order) {
      const size = numHeads * room * dKv;
      if (order.length !== batch) {
        batch = order.length;
        move(order.map((from, to) => ({ from: from * size, to: to * size, length: size })));
        return;
      }
      const moved = movedRows(order);
      if (moved.length === 0) return;
      // What moves is taken out first: one sequence may be the source of one and the target of another.
      const out = moved.map(({ from }, index) => ({ from: from * size, to: index * size, length: size }));
      const back = moved.map(({ to }, index) => ({ from: index * size, to: to * size, length: size }));
      const taken = aside(moved.length * size);
      memory.copy(
        tensors.flatMap((tensor) => [
          { from: tensor, to: taken, pieces: out },
          { from: taken, to: tensor, pieces: back },
        ]),
      );
    },
    release() {
      releaseTensors();
      spare?.release();
    },
  };
}

function hostMemory(runtime: Pick<OnnxRuntime, "tensor">): TensorMemory {
  const valuesOf = ({ local }: OnnxTensor): Float32Array => local as Float32Array;
  return {
    zeros: (shape) => runtime.tensor("float32", new Float32Array(shape.reduce((product, length) => product * length, 1)), shape),
    copy(copies) {
      for (const { from, to, pieces } of copies) {
        const [source, target] = [valuesOf(from), valuesOf(to)];
        for (const piece of pieces) copyPiece(source, target, piece);
      }
    },
  };
}

/** Elements up to which a loop is faster than the call of set(). */
const fewElements = 128;

function copyPiece(source: Float32Array, target: Float32Array, { from, to, length }: Piece): void {
  if (length > fewElements) target.set(source.subarray(from, from + length), to);
  else for (let i = 0; i < length; i += 1) target[to + i] = source[from + i] as number;
}

function joinedCache(runtime: OnnxRuntime, config: T5Config, sequences: number): DecoderCache {
  const { numHeads, dKv } = config;
  const pasts = namesOf(config, names.past);
  const outputs = cacheOutputs(config, "inside");
  let batch = sequences;
  let length = 0;
  let past: Feeds = Object.fromEntries(
    pasts.map((name) => [name, runtime.tensor("float32", new Float32Array(0), [batch, numHeads, 0, dKv])]),
  );
  const release = (): void => {
    for (const tensor of Object.values(past)) tensor.release();
  };
  /** @param change gets values it may change, and returns them or others */
  const replace = async (shape: readonly number[], change: (values: Float32Array) => Float32Array): Promise<void> => {
    const fresh: Record<string, OnnxTensor> = {};
    for (const [name, tensor] of Object.entries(past as Readonly<Record<string, OnnxTensor<"float32">>>)) {
      fresh[name] = runtime.tensor("float32", change(tensor.local ?? (await tensor.read())), shape);
    }
    release();
    past = fresh;
  };
  return {
    outputs,
    feeds: () => past,
    add(answer, count) {
      release();
      past = Object.fromEntries(pasts.map((name, at) => [name, answer[outputs[at] as string] as OnnxTensor]));
      length += count;
    },
    async truncate(wanted) {
      if (wanted === length) return;
      const rows = batch * numHeads;
      await replace([batch, numHeads, wanted, dKv], (values) => {
        // every row moves to the left, so none is overwritten before it has moved
        for (let row = 0; row < rows; row += 1) values.copyWithin(row * wanted * dKv, row * length * dKv, (row * length + wanted) * dKv);
        return values.subarray(0, rows * wanted * dKv);
      });
      length = wanted;
    },
    async reorder(order) {
      const moved = movedRows(order);
      if (order.length === batch && moved.length === 0) return;
      const size = numHeads * length * dKv;
      const isSameSize = order.length === batch;
      await replace([order.length, numHeads, length, dKv], (values) => {
        if (!isSameSize) return pickedRows(values, order, size);
        moveRows(values, moved, size);
        return values;
      });
      batch = order.length;
    },
    release,
  };
}

interface Move {
  readonly from: number;
  readonly to: number;
}

function movedRows(order: readonly number[]): readonly Move[] {
  return order.flatMap((from, to) => (from === to ? [] : [{ from, to }]));
}

/** What moves is taken out first: one row may be the source of one and the target of another. */
function moveRows(values: Float32Array, moved: readonly Move[], size: number): void {
  const taken = moved.map(({ from }) => values.slice(from * size, (from + 1) * size));
  for (const [index, { to }] of moved.entries()) values.set(taken[index] as Float32Array, to * size);
}

function pickedRows(values: Float32Array, order: readonly number[], size: number): Float32Array {
  const picked = new Float32Array(order.length * size);
  for (const [to, from] of order.entries()) picked.set(values.subarray(from * size, (from + 1) * size), to * size);
  return picked;
}
