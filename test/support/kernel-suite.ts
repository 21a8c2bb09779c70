/**
 * Each kernel against the engine's own functions, which it replaces: the same blocks and activations through both, and through the sum of the dequantized
 * weights in double precision.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { merge } from "../../tools/merge-kernels.mjs";
import { type BareEngine, bareEngine } from "./bare-engine.ts";
import { tensor } from "./ggml-memory.ts";

interface Format {
  readonly name: string;
  /** number in ggml.h */
  readonly type: number;
  /** bytes of a block of so many weights */
  readonly bytes: number;
  readonly weights: number;
  /** where in a block half floats are */
  readonly halves: readonly number[];
  /** Functions of the engine: activations to its blocks, the product, and weights to floats. */
  readonly quantize?: string;
  readonly dot: string;
  readonly dequantize?: string;
}

const simple = (name: string, type: number, bytes: number, halves: readonly number[], by: "q8_0" | "q8_1"): Format => ({
  ...{ name, type, bytes, halves, weights: 32, quantize: `quantize_row_${by}` },
  dot: `ggml_vec_dot_${name}_${by}`,
  dequantize: `dequantize_row_${name}`,
});
const large = (name: string, type: number, bytes: number, halves: readonly number[]): Format => ({
  ...{ name, type, bytes, halves, weights: 256, quantize: "quantize_row_q8_K" },
  dot: `ggml_vec_dot_${name}_q8_K`,
  dequantize: `dequantize_row_${name}`,
});
const formats: readonly Format[] = [
  simple("q4_0", 2, 18, [0], "q8_0"),
  simple("q4_1", 3, 20, [0, 2], "q8_1"),
  simple("q5_0", 6, 22, [0], "q8_0"),
  simple("q5_1", 7, 24, [0, 2], "q8_1"),
  simple("q8_0", 8, 34, [0], "q8_0"),
  large("q4_K", 12, 144, [0, 2]),
  large("q5_K", 13, 176, [0, 2]),
  large("q6_K", 14, 210, [208]),
  { name: "f16", type: 1, bytes: 2, weights: 1, halves: [0], dot: "ggml_vec_dot_f16_f32" },
  { name: "f32", type: 0, bytes: 4, weights: 1, halves: [], dot: "ggml_vec_dot_f32" },
];
const product = "ggml_compute_forward_mul_mat";
const replacedDots = formats.map(({ dot }) => dot).filter((dot) => !/_K$|_f32_|dot_f32$/.test(dot));

/** rows, columns, threads: none of them multiples of what the kernels take at a time, and columns beyond one share of them */
const shapes = [
  [7, 1, 1],
  [8, 2, 1],
  [9, 3, 2],
  [13, 5, 3],
  [16, 33, 2],
  [64, 40, 1],
] as const;

/** Half floats of scales, and bytes of weights. */
const fillings = {
  random: {
    half: (next: () => number) => (Math.floor(next() * 2) << 15) | (0x1800 + Math.floor(next() * 0x800)),
    byte: (next: () => number) => Math.floor(next() * 256),
  },
  zeros: { half: () => 0, byte: () => 0 },
  "largest weights": { half: () => 0x3c00, byte: () => 0xff },
  "smallest weights": { half: () => 0xbc00, byte: () => 0x80 },
  "subnormal scales": {
    half: (next: () => number) => 1 + Math.floor(next() * 0x3fe),
    byte: (next: () => number) => Math.floor(next() * 256),
  },
  "largest scales": {
    half: (next: () => number) => (Math.floor(next() * 2) << 15) | 0x7bff,
    byte: (next: () => number) => Math.floor(next() * 256),
  },
} as const;
type Filling = keyof typeof fillings;

const activations = {
  usual: (next: () => number) => (next() + next() + next() - 1.5) * 2,
  zeros: () => 0,
  // Around zero a wrong offset of the weights would all but cancel.
  positive: (next: () => number) => 1 + next(),
  "one outlier": (next: () => number, at: number) => (at % 61 === 7 ? 5000 : next() - 0.5),
  large: (next: () => number) => (next() - 0.5) * 1e30,
  tiny: (next: () => number) => (next() - 0.5) * 1e-20,
} as const;
type Activation = keyof typeof activations;
/** The engine's own blocks of activations have half floats for scales, which these leave. */
const beyondHalves: readonly Activation[] = ["large", "tiny"];

/** Numerical Recipes' generator: the same numbers everywhere. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** @param read gives a file of the engine, or of the kernels */
export function kernelSuite(bits: 32 | 64, read: (which: "engine" | "kernels") => Promise<Uint8Array>): void {
  let theirs: BareEngine;
  let ours: BareEngine;
  beforeAll(async () => {
    const engine = await read("engine");
    const functions = formats.flatMap(({ quantize = [], dot, dequantize = [] }) => [quantize, dot, dequantize].flat());
    theirs = await bareEngine(engine, bits, [...new Set(functions)]);
    ours = await bareEngine(engine, bits, [product, ...replacedDots], merge(engine, await read("kernels")));
  });

  describe(`the kernels for addresses of ${bits} bits`, () => {
    describe.each(formats)("$name", (format) => {
      const weights = format.weights === 1 ? 203 : 3 * format.weights;
      it.each(shapes)("gives what the engine gives for %i rows, %i columns, %i threads", (rows, columns, threads) => {
        check(format, { rows, columns, threads, weights }, "random", "usual");
      });
      it.each(Object.keys(fillings).slice(1) as Filling[])("gives it for %s", (filling) => {
        for (const columns of [1, 5]) check(format, { rows: 6, columns, threads: 1, weights }, filling, "usual");
      });
      it.each(Object.keys(activations).slice(1) as Activation[])("gives it for activations that are %s", (activation) => {
        for (const columns of [1, 5]) check(format, { rows: 6, columns, threads: 1, weights }, "random", activation);
      });
    });

    it.each(formats.filter(({ dot }) => replacedDots.includes(dot)))("one row of $name times one column", (format) => {
      const weights = 3 * Math.max(32, format.weights);
      const { row, x } = fill(ours, format, 1, 1, weights, "random", "usual");
      const y = activationsOf(theirs, format, copy(ours, theirs, x, 4 * weights), weights);
      const size = 4 * weights; // more than any form of them takes
      const results = [ours, theirs].map((engine) => {
        const out = engine.alloc(4);
        const [w, a] = [copy(ours, engine, row, (weights / format.weights) * format.bytes), copy(theirs, engine, y, size)];
        dot(engine, format, weights, out, w, a);
        return new Float32Array(engine.memory.buffer, out, 1)[0]!;
      });
      expect(Math.abs(results[0]! - results[1]!)).toBeLessThanOrEqual(1e-4 * Math.abs(results[1]!) + 1e-4);
      for (const engine of [ours, theirs]) engine.reset();
    });
  });

  interface Shape {
    readonly rows: number;
    readonly columns: number;
    readonly threads: number;
    readonly weights: number;
  }

  function check(format: Format, { rows, columns, threads, weights }: Shape, filling: Filling, activation: Activation): void {
    const { row, x } = fill(ours, format, rows, columns, weights, filling, activation);
    const stride = (weights / format.weights) * format.bytes;
    const result = multiply(format, row, x, rows, columns, threads, weights);
    // How many threads compute is found out as they go: it must not change one bit of the text.
    if (threads > 1) expect(multiply(format, row, x, rows, columns, 1, weights)).toEqual(result);
    const w = copy(ours, theirs, row, rows * stride);
    const inputs = copy(ours, theirs, x, 4 * columns * weights);
    const group = Math.max(32, format.weights);
    const out = theirs.alloc(4);
    const matrix = Array.from({ length: rows }, (_, r) => dequantized(theirs, format, w + r * stride, weights));
    for (let column = 0; column < columns; column += 1) {
      const values = new Float32Array(theirs.memory.buffer, inputs + 4 * column * weights, weights);
      const y = activationsOf(theirs, format, inputs + 4 * column * weights, weights);
      const steps = format.weights === 1 ? values.map(() => 0) : roundings(values, group);
      for (const [r, floats] of matrix.entries()) {
        let exact = 0;
        let size = 0; // of all products together
        let rounding = 0; // at most, of activations in 8 bits
        for (let i = 0; i < weights; i += 1) {
          const weight = floats[i]!;
          const product = weight * values[i]!;
          exact += product;
          size += Math.abs(product);
          rounding += Math.abs(weight) * steps[i]!;
        }
        const got = result[column * rows + r]!;
        const isRight = Math.abs(got - exact) <= 1.03 * rounding + 2e-6 * size;
        if (!isRight) expect(got, `row ${r}, column ${column}; at most ${rounding} from`).toBe(exact);
        if (beyondHalves.includes(activation)) continue;
        dot(theirs, format, weights, out, w + r * stride, y);
        const generic = new Float32Array(theirs.memory.buffer, out, 1)[0]!;
        if (!(Math.abs(got - generic) <= 0.25 * rounding + 2e-6 * size))
          expect(got, `row ${r}, column ${column}; exact ${exact}; the engine's`).toBe(generic);
      }
    }
    for (const engine of [ours, theirs]) engine.reset();
  }

  /** The product as ggml asks for it: each thread in turn. @returns out[column][row] */
  function multiply(format: Format, row: number, x: number, rows: number, columns: number, threads: number, weights: number): Float32Array {
    const stride = (weights / format.weights) * format.bytes;
    const out = ours.alloc(4 * rows * columns);
    const w = tensor(ours, { type: format.type, ne: [weights, rows], nb: [format.bytes, stride, stride * rows], data: row });
    const input = tensor(ours, { type: 0, ne: [weights, columns], nb: [4, 4 * weights, 4 * weights * columns], data: x });
    const result = tensor(ours, { type: 0, ne: [rows, columns], nb: [4, 4 * rows, 4 * rows * columns], data: out, sources: [w, input] });
    for (let thread = 0; thread < threads; thread += 1) {
      const params = ours.alloc(64);
      new Int32Array(ours.memory.buffer, params, 2).set([thread, threads]);
      ours.call(product, ours.at(params), ours.at(result));
    }
    return new Float32Array(ours.memory.buffer, out, rows * columns);
  }
}

/** How far each activation is from the integer it becomes, at most: half a step of its group's 127. */
function roundings(values: Float32Array, group: number): Float32Array {
  const most = Float32Array.from({ length: values.length / group }, (_, at) =>
    values.subarray(at * group, (at + 1) * group).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0),
  );
  return values.map((_, at) => most[Math.floor(at / group)]! / 254);
}

function fill(
  engine: BareEngine,
  format: Format,
  rows: number,
  columns: number,
  weights: number,
  filling: Filling,
  activation: Activation,
) {
  const next = random(rows * 1000 + columns);
  const bytes = rows * (weights / format.weights) * format.bytes;
  const row = engine.alloc(bytes);
  const view = new DataView(engine.memory.buffer);
  const { half, byte } = fillings[filling];
  for (let at = row; at < row + bytes; at += 1) view.setUint8(at, byte(next));
  for (let block = row; block < row + bytes; block += format.bytes) {
    for (const at of format.halves) view.setUint16(block + at, half(next), true);
    if (format.name === "f32")
      view.setFloat32(block, filling === "random" ? next() - 0.5 : filling === "zeros" ? 0 : 1e4 * (next() - 0.5), true);
  }
  const x = engine.alloc(4 * columns * weights);
  const values = new Float32Array(engine.memory.buffer, x, columns * weights);
  values.forEach((_, at) => {
    values[at] = activations[activation](next, at);
  });
  return { row, x };
}

/** In the form that the engine's product takes. */
function activationsOf(engine: BareEngine, { quantize }: Format, x: number, weights: number): number {
  if (quantize === undefined) return x;
  const y = engine.alloc(4 * weights);
  engine.call(quantize, engine.at(x), engine.at(y), BigInt(weights));
  return y;
}

function dot(engine: BareEngine, { dot: name }: Format, weights: number, out: number, w: number, y: number): void {
  engine.call(name, weights, engine.at(out), engine.at(0), engine.at(w), engine.at(0), engine.at(y), engine.at(0), 1);
}

function dequantized(engine: BareEngine, { name, dequantize }: Format, w: number, weights: number): Float32Array {
  if (name === "f32") return new Float32Array(engine.memory.buffer.slice(w, w + 4 * weights));
  if (name === "f16") return Float32Array.from(new Uint16Array(engine.memory.buffer.slice(w, w + 2 * weights)), halfFloat);
  const out = engine.alloc(4 * weights);
  engine.call(dequantize!, engine.at(w), engine.at(out), BigInt(weights));
  return new Float32Array(engine.memory.buffer, out, weights);
}

function halfFloat(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return (bits & 0x8000 ? -1 : 1) * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

function copy(from: BareEngine, to: BareEngine, address: number, bytes: number): number {
  const target = to.alloc(bytes);
  new Uint8Array(to.memory.buffer, target, bytes).set(new Uint8Array(from.memory.buffer, address, bytes));
  return target;
}
