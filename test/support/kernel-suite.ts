/**
 * Each kernel against the engine's own functions, which it replaces: the same blocks and activations through both, and through the sum of the dequantized
 * weights in double precision.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { merge } from "../../tools/merge-kernels.mjs";
import { encode, parse, section, vector } from "../../tools/wasm-module.mjs";
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

  // The files for addresses of 32 bits have one form.
  if (bits === 64) {
    describe("sums of bytes, four products an instruction", () => {
      let plain: BareEngine;
      let inBytes: BareEngine;
      beforeAll(async () => {
        const [engine, kernels] = await Promise.all([read("engine"), read("kernels")]);
        const withForm = (form: Form): Promise<BareEngine> => bareEngine(engine, bits, [product], merge(engine, inForm(kernels, form)));
        [plain, inBytes] = await Promise.all([withForm("none"), withForm("unsigned")]);
      });

      // Weights of eight bits need a processor with the instruction: there the suite above ran in this form.
      it.each(formats.filter(({ weights, name }) => weights > 1 && name !== "q8_0"))("gives the same bits for $name", (format) => {
        for (const [rows, columns, threads] of shapes) sameBits(plain, inBytes, format, { rows, columns, threads }, "random", "usual");
        for (const filling of Object.keys(fillings) as Filling[]) {
          for (const columns of [1, 5]) sameBits(plain, inBytes, format, { rows: 6, columns, threads: 1 }, filling, "usual");
        }
        for (const activation of Object.keys(activations) as Activation[]) {
          for (const columns of [1, 5]) sameBits(plain, inBytes, format, { rows: 6, columns, threads: 1 }, "random", activation);
        }
      });
      it("gives the same bits for q8_0, where the processor has it", () => {
        const format = formats.find(({ name }) => name === "q8_0")!;
        for (const filling of Object.keys(fillings) as Filling[]) {
          for (const columns of [1, 5]) sameBits(plain, ours, format, { rows: 6, columns, threads: 1 }, filling, "usual");
        }
        for (const [rows, columns, threads] of shapes) sameBits(plain, ours, format, { rows, columns, threads }, "random", "positive");
      });
    });
  }

  function sameBits(
    one: BareEngine,
    other: BareEngine,
    format: Format,
    { rows, columns, threads }: Omit<Shape, "weights">,
    filling: Filling,
    activation: Activation,
  ): void {
    const weights = 5 * format.weights;
    const [a, b] = [one, other].map((engine) => {
      const { row, x } = fill(engine, format, rows, columns, weights, filling, activation);
      const bytes = Uint8Array.from(new Uint8Array(multiply(engine, format, row, x, { rows, columns, threads, weights }).slice().buffer));
      engine.reset();
      return bytes;
    });
    expect(a, `${rows} rows, ${columns} columns, ${filling}, ${activation}`).toEqual(b);
  }

  interface Shape {
    readonly rows: number;
    readonly columns: number;
    readonly threads: number;
    readonly weights: number;
  }

  function check(format: Format, shape: Shape, filling: Filling, activation: Activation): void {
    const { rows, columns, weights } = shape;
    const { row, x } = fill(ours, format, rows, columns, weights, filling, activation);
    const stride = (weights / format.weights) * format.bytes;
    const result = multiply(ours, format, row, x, shape);
    // How many threads compute is found out as they go: it must not change one bit of the text.
    if (shape.threads > 1) expect(multiply(ours, format, row, x, { ...shape, threads: 1 })).toEqual(result);
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
  function multiply(engine: BareEngine, format: Format, row: number, x: number, { rows, columns, threads, weights }: Shape): Float32Array {
    const stride = (weights / format.weights) * format.bytes;
    const out = engine.alloc(4 * rows * columns);
    const w = tensor(engine, { type: format.type, ne: [weights, rows], nb: [format.bytes, stride, stride * rows], data: row });
    const input = tensor(engine, { type: 0, ne: [weights, columns], nb: [4, 4 * weights, 4 * weights * columns], data: x });
    const result = tensor(engine, { type: 0, ne: [rows, columns], nb: [4, 4 * rows, 4 * rows * columns], data: out, sources: [w, input] });
    for (let thread = 0; thread < threads; thread += 1) {
      const params = engine.alloc(64);
      new Int32Array(engine.memory.buffer, params, 2).set([thread, threads]);
      engine.call(product, engine.at(params), engine.at(result));
    }
    return new Float32Array(engine.memory.buffer, out, rows * columns);
  }
}

/** What src/kernels/bytes.c finds out by itself, said to it: the products of the other kernels, or those of bytes. */
type Form = "none" | "unsigned";
/** The one global of 32 bits in kernels for addresses of 64 bits holds it; 0 is not known yet. */
function inForm(kernels: Uint8Array, form: Form): Uint8Array {
  const { sections, globals } = parse(kernels);
  const unknown = [0x7f, 1, 0x41, 0, 0x0b]; // (global (mut i32) (i32.const 0))
  const isIt = (each: Uint8Array): boolean => each.length === unknown.length && unknown.every((byte, at) => each[at] === byte);
  expect(globals.filter(isIt)).toHaveLength(1);
  const known = globals.map((each) =>
    isIt(each) ? Uint8Array.from(each, (byte, at) => (at === 3 ? { none: 1, unsigned: 2 }[form] : byte)) : each,
  );
  return encode(sections.map(({ id, body }) => ({ id, body: id === section.global ? vector(known) : body })));
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
