/**
 * Each operation of a graph that the kernels compute, against the engine's own loop over graphs: the same tensors through both, and through the formula
 * in double precision where there is one.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { merge } from "../../tools/merge-kernels.mjs";
import { encode, functionNames, parse, section, sized, vector } from "../../tools/wasm-module.mjs";
import { type BareEngine, bareEngine } from "./bare-engine.ts";
import { graphOf, type Tensor, tensor, words } from "./ggml-memory.ts";

const loop = "ggml_graph_compute_thread";
const [f32, f16, i32, i64] = [0, 1, 26, 27] as const;
const ops = {
  add: 2,
  sub: 6,
  mul: 7,
  div: 8,
  square: 9,
  root: 10,
  sumRows: 15,
  norm: 24,
  rmsNorm: 25,
  mulMat: 29,
  scale: 32,
  copy: 34,
  cont: 35,
} as const;
const more = { getRows: 40, setRows: 42, softMax: 46, rope: 48, attention: 74, unary: 92, gated: 101 } as const;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const gelu = (x: number): number => x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));
/** A function of one number. */
interface Unary {
  readonly name: string;
  /** ggml's number of it */
  readonly number: number;
  readonly of?: (x: number) => number;
}
const functions: readonly Unary[] = [
  { name: "abs", number: 0, of: Math.abs },
  { name: "neg", number: 2, of: (x) => -x },
  { name: "tanh", number: 4, of: Math.tanh },
  { name: "relu", number: 6, of: (x) => Math.max(x, 0) },
  { name: "sigmoid", number: 7, of: sigmoid },
  { name: "gelu", number: 8, of: gelu },
  { name: "gelu_quick", number: 9, of: (x) => x * sigmoid(1.702 * x) },
  { name: "silu", number: 10, of: (x) => x * sigmoid(x) },
  { name: "exp", number: 13, of: Math.exp },
  { name: "gelu_erf", number: 16 },
];
/** The engine looks these up in a table of half floats. */
const inHalves = ["gelu", "gelu_quick", "geglu", "geglu_quick"];
const rounded = { within: 2e-3, ofLargest: 2e-3, least: 1e-7 };
const close = { within: 1e-5 };

const values = {
  usual: (next: () => number) => (next() + next() + next() - 1.5) * 4,
  zeros: () => 0,
  large: (next: () => number) => (next() - 0.5) * 1e15,
  tiny: (next: () => number) => (next() - 0.5) * 1e-15,
  "around zero": (next: () => number) => (next() - 0.5) * 1.5,
  "up to ends of exp": (next: () => number) => (next() - 0.5) * 230,
  "one outlier": (next: () => number, at: number) => (at % 61 === 7 ? 5000 : next() - 0.5),
} as const;
type Values = keyof typeof values;

/** Numerical Recipes' generator: the same numbers everywhere. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const product = (numbers: readonly number[]): number => numbers.reduce((all, one) => all * one, 1);

/** Tensors of one test, made anew in each engine: addresses differ. */
class Maker {
  readonly engine: BareEngine;
  #seed = 1;
  constructor(engine: BareEngine) {
    this.engine = engine;
  }
  bytes(content: ArrayBufferView): number {
    const address = this.engine.alloc(content.byteLength + 64);
    new Uint8Array(this.engine.memory.buffer, address, content.byteLength).set(
      new Uint8Array(content.buffer, content.byteOffset, content.byteLength),
    );
    return address;
  }
  numbers(count: number, kind: Values = "usual"): Float32Array {
    this.#seed += 1;
    const next = random(this.#seed * 7919);
    return Float32Array.from({ length: count }, (_, at) => values[kind](next, at));
  }
  floats(ne: readonly number[], kind: Values = "usual"): number {
    return tensor(this.engine, { ne, data: this.bytes(this.numbers(product(ne), kind)) });
  }
  halves(ne: readonly number[], of: (at: number) => number = () => Number.NaN): number {
    const numbers = this.numbers(product(ne));
    const content = Uint16Array.from(numbers, (value, at) => half(Number.isNaN(of(at)) ? value : of(at)));
    return tensor(this.engine, { type: f16, ne, nb: strides(2, ne), data: this.bytes(content) });
  }
  result(ne: readonly number[], rest: Omit<Tensor, "ne" | "data">): Result {
    const size = rest.type === f16 ? 2 : 4;
    const data = this.engine.alloc(product(ne) * size + 64);
    return { data, bytes: product(ne) * size, node: tensor(this.engine, { nb: strides(size, ne), ...rest, ne, data }) };
  }
}
interface Result {
  readonly node: number;
  readonly data: number;
  readonly bytes: number;
}
const strides = (size: number, ne: readonly number[]): number[] => ne.map((_, at) => size * product(ne.slice(0, at)));

/** The nearest half float, of what halves hold. */
function half(value: number): number {
  if (value === Number.NEGATIVE_INFINITY) return 0xfc00;
  const sign = value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === 0) return sign;
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const fraction = Math.round((size / 2 ** exponent) * 1024);
  return sign + fraction + (exponent + 14) * 1024;
}
function fromHalf(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size =
    exponent === 31
      ? fraction
        ? Number.NaN
        : Number.POSITIVE_INFINITY
      : exponent === 0
        ? fraction * 2 ** -24
        : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

/** The engine with these functions as they are given: nothing, or a trap where the kernels must not come. */
function withBodies(
  file: Uint8Array,
  bodies: Readonly<Record<string, readonly number[]>>,
  names: ReadonlyMap<string, number> = functionNames(parse(file)),
): Uint8Array {
  const module = parse(file);
  const changed = [...module.bodies];
  for (const [name, body] of Object.entries(bodies)) changed[names.get(name)! - module.importedFunctions.length] = Uint8Array.from(body);
  return encode(module.sections.map(({ id, body }) => ({ id, body: id === section.code ? vector(changed.map(sized)) : body })));
}
const nothing = [0, 0x0b];
const trap = [0, 0x00, 0x0b];
const workBytes = 2 ** 20;

/** @param read gives a file of the engine, or of the kernels */
export function graphSuite(bits: 32 | 64, read: (which: "engine" | "kernels") => Promise<Uint8Array>): void {
  let theirs: BareEngine;
  let ours: BareEngine;
  let whole: BareEngine;
  beforeAll(async () => {
    const engine = await read("engine");
    const kernels = await read("kernels");
    const names = functionNames(parse(engine));
    // Threads run one after the other here, so they must not wait; and what comes to the engine's loop is not of the kernels.
    const alone = (file: Uint8Array): Uint8Array => withBodies(file, { ggml_barrier: nothing }, names);
    theirs = await bareEngine(engine, bits, [loop], alone(engine));
    ours = await bareEngine(engine, bits, [loop], alone(merge(withBodies(engine, { [loop]: trap }), kernels, names)));
    whole = await bareEngine(engine, bits, [loop], alone(merge(engine, kernels, names)));
  });

  type Make = (maker: Maker) => readonly Result[];
  /** What an engine computes: the last of the results. */
  function compute(engine: BareEngine, make: Make, threads: number): Float32Array {
    const results = make(new Maker(engine));
    const states = graphOf(
      engine,
      results.map(({ node }) => node),
      threads,
      workBytes,
    );
    // Twice: of what threads share, each finds the others' part.
    for (const state of [...states, ...states]) engine.call(loop, engine.at(state));
    const { data, bytes, node } = results.at(-1)!;
    const type = new DataView(engine.memory.buffer).getInt32(node, true);
    const content = engine.memory.buffer.slice(data, data + bytes);
    const numbers = type === f16 ? Float32Array.from(new Uint16Array(content), fromHalf) : new Float32Array(content);
    engine.reset();
    return numbers;
  }
  interface Near {
    /** share of the number itself */
    readonly within?: number;
    /** share of the largest of all */
    readonly ofLargest?: number;
    readonly least?: number;
  }
  function near(got: Float32Array, wanted: ArrayLike<number>, { within = 0, ofLargest = 0, least = 1e-36 }: Near): void {
    expect(got.length).toBe(wanted.length);
    let largest = 0;
    for (let at = 0; at < wanted.length; at += 1) if (Number.isFinite(wanted[at])) largest = Math.max(largest, Math.abs(wanted[at]!));
    for (const [at, value] of got.entries()) {
      const want = wanted[at]!;
      const allowed = Number.isFinite(want) ? within * Math.abs(want) + ofLargest * largest + least : 0;
      const isRight = value === want || Object.is(value, want) || Math.abs(value - want) <= allowed;
      if (!isRight) expect(value, `number ${at} of ${got.length}`).toBe(want);
    }
  }
  function check(make: Make, tolerance: Near = {}): void {
    const wanted = compute(theirs, make, 1);
    const alone = compute(ours, make, 1);
    near(alone, wanted, tolerance);
    // How many threads compute is found out as they go: it must not change one bit of the text.
    for (const threads of [2, 3]) expect(compute(ours, make, threads)).toEqual(alone);
  }

  describe(`operations of a graph for addresses of ${bits} bits`, () => {
    const shapes = [
      [7, 5],
      [64, 3, 2, 2],
      [1030, 1],
    ] as const;

    it.each(["add", "sub", "mul", "div"] as const)("%s: of the same shape, of one row, of one number a row", (name) => {
      for (const ne of shapes) {
        for (const second of [ne, [ne[0]], [1, ne[1]]]) {
          for (const kind of ["usual", "large", "tiny"] as const)
            check((maker) => [maker.result(ne, { op: ops[name], sources: [maker.floats(ne, kind), maker.floats(second, kind)] })]);
        }
      }
    });

    it("add: of rows with gaps between them", () => {
      check((maker) => {
        const x = tensor(maker.engine, { ne: [10, 4], nb: [4, 64, 256, 256], data: maker.bytes(maker.numbers(64)) });
        return [maker.result([10, 4], { op: ops.add, sources: [x, maker.floats([10])] })];
      });
    });

    it("scale, squares and roots", () => {
      for (const ne of shapes) {
        check((maker) => [maker.result(ne, { op: ops.scale, params: words(0.3, 0), sources: [maker.floats(ne)] })]);
        check((maker) => [maker.result(ne, { op: ops.scale, params: words(-3, 7), sources: [maker.floats(ne)] })], {
          within: 1e-6,
          ofLargest: 1e-6,
        });
        check((maker) => [maker.result(ne, { op: ops.square, sources: [maker.floats(ne)] })]);
        check((maker) => [maker.result(ne, { op: ops.root, sources: [maker.floats(ne)] })]);
      }
    });

    describe.each(functions)("$name", ({ name, number, of }) => {
      it.each(Object.keys(values) as Values[])("of numbers that are %s", (kind) => {
        for (const ne of shapes) {
          const make: Make = (maker) => [maker.result(ne, { op: more.unary, params: [number], sources: [maker.floats(ne, kind)] })];
          check(make, inHalves.includes(name) ? rounded : close);
          if (of === undefined) continue;
          const exact = Float32Array.from(new Maker(ours).numbers(product(ne), kind), of);
          near(compute(ours, make, 2), exact, kind === "up to ends of exp" ? { within: 2e-5 } : { within: 2e-6 });
        }
      });
    });

    it.each([
      ["reglu", 0],
      ["geglu", 1],
      ["swiglu", 2],
      ["geglu_erf", 4],
      ["geglu_quick", 5],
    ] as const)("%s: of two tensors, of the halves of one", (name, number) => {
      const tolerance = inHalves.includes(name) ? rounded : close;
      for (const ne of shapes.filter((shape) => shape.length === 2)) {
        check(
          (maker) => [maker.result(ne, { op: more.gated, params: [number, 0], sources: [maker.floats(ne), maker.floats(ne)] })],
          tolerance,
        );
        for (const swapped of [0, 1]) {
          const both = [2 * ne[0], ne[1]];
          check((maker) => [maker.result(ne, { op: more.gated, params: [number, swapped], sources: [maker.floats(both)] })], tolerance);
        }
      }
    });

    it.each(["norm", "rmsNorm"] as const)("%s, and multiplied after it", (name) => {
      for (const ne of shapes) {
        for (const kind of ["usual", "zeros", "large", "tiny", "one outlier"] as const) {
          const normed = (maker: Maker): Result =>
            maker.result(ne, { op: ops[name], params: words(1e-5), sources: [maker.floats(ne, kind)] });
          check((maker) => [normed(maker)], { within: 2e-6, ofLargest: 2e-6 });
          for (const isInPlace of [false, true]) {
            const make: Make = (maker) => {
              const first = normed(maker);
              const by = { op: ops.mul, sources: [first.node, maker.floats([ne[0]])] };
              if (!isInPlace) return [first, maker.result(ne, by)];
              return [first, { ...first, node: tensor(maker.engine, { ...by, ne, data: first.data }) }];
            };
            for (const threads of [1, 2]) near(compute(ours, make, threads), compute(theirs, make, 1), { within: 2e-6, ofLargest: 2e-6 });
          }
        }
      }
    });

    it("softmax: without a mask, with one of floats, with one of half floats", () => {
      const hidden = (at: number): number => (at % 3 === 1 ? Number.NEGATIVE_INFINITY : at % 5 === 0 ? -2 : 0);
      for (const ne of [
        [37, 5, 3],
        [64, 2, 4],
      ]) {
        const rows = [ne[0]!, ne[1]!];
        const masks: readonly ((maker: Maker) => number[])[] = [
          () => [],
          (maker) => [
            tensor(maker.engine, { ne: rows, data: maker.bytes(Float32Array.from({ length: product(rows) }, (_, at) => hidden(at))) }),
          ],
          (maker) => [maker.halves(rows, hidden)],
        ];
        for (const mask of masks) {
          for (const kind of ["usual", "zeros", "one outlier", "up to ends of exp"] as const)
            check(
              (maker) => [maker.result(ne, { op: more.softMax, params: words(0.7, 0), sources: [maker.floats(ne, kind), ...mask(maker)] })],
              { within: 4e-6, ofLargest: 1e-7 },
            );
        }
      }
    });

    it("rows by number: floats, half floats and blocks, written as floats and half floats", () => {
      const numbers = [3, 0, 5, 5, 1];
      const blocks = [
        [2, 18, 32],
        [3, 20, 32],
        [6, 22, 32],
        [7, 24, 32],
        [8, 34, 32],
        [10, 84, 256],
        [11, 110, 256],
        [12, 144, 256],
        [13, 176, 256],
        [14, 210, 256],
        [20, 18, 32],
        [23, 136, 256],
        [39, 17, 32],
        [30, 2, 1],
        [f16, 2, 1],
        [f32, 4, 1],
      ] as const;
      for (const [type, bytes, weights] of blocks) {
        const row = (512 / weights) * bytes;
        check((maker) => {
          // No infinite half floats: bit 6 of each second byte is clear.
          const content = Uint8Array.from(new Uint8Array(maker.numbers((row * 6) / 4 + 1).buffer), (byte) => byte & 0xbf);
          const table = tensor(maker.engine, { type, ne: [512, 6], nb: [bytes, row, 6 * row, 6 * row], data: maker.bytes(content) });
          const which = tensor(maker.engine, { type: i32, ne: [5], data: maker.bytes(Int32Array.from(numbers)) });
          return [maker.result([512, 5], { op: more.getRows, sources: [table, which] })];
        });
      }
      for (const type of [f32, f16]) {
        for (const index of [i32, i64]) {
          for (const kind of ["usual", "tiny", "large", "one outlier"] as const) {
            check((maker) => {
              const which = index === i32 ? Int32Array.from(numbers.slice(0, 3)) : BigInt64Array.from(numbers.slice(0, 3), BigInt);
              const size = index === i32 ? 4 : 8;
              const places = tensor(maker.engine, {
                type: index,
                ne: [3],
                nb: [size, 3 * size, 3 * size, 3 * size],
                data: maker.bytes(which),
              });
              return [maker.result([19, 6], { type, op: more.setRows, sources: [maker.floats([19, 3], kind), places] })];
            });
          }
        }
      }
    });

    it("copies, and positions as rotations", () => {
      check((maker) => {
        const turned = tensor(maker.engine, { ne: [5, 8, 3], nb: [32, 4, 160, 480], data: maker.bytes(maker.numbers(120)) });
        return [maker.result([5, 8, 3], { op: ops.cont, sources: [turned] })];
      });
      check((maker) => {
        const target = maker.floats([12, 3]);
        return [maker.result([12, 3], { type: f16, op: ops.copy, sources: [maker.floats([12, 3]), target] })];
      });
      for (const mode of [0, 2]) {
        check((maker) => {
          const places = tensor(maker.engine, { type: i32, ne: [4], data: maker.bytes(Int32Array.from([0, 7, 8, 500])) });
          const params = [0, 16, mode, 0, 2048, ...words(10000, 1, 0, 1, 32, 1)];
          return [maker.result([16, 3, 4], { op: more.rope, params, sources: [maker.floats([16, 3, 4]), places] })];
        });
      }
    });

    interface Attention {
      readonly positions: number;
      readonly keys: number;
      readonly heads?: number;
      readonly shared?: number;
      readonly size?: number;
      readonly valueSize?: number;
      readonly type?: number;
      readonly cap?: number;
      readonly alibi?: number;
      readonly sinks?: boolean;
      readonly mask?: boolean;
      readonly kind?: Values;
    }
    const attention =
      (of: Attention): Make =>
      (maker) => {
        const { positions, keys, heads = 9, shared = 3, size = 64, valueSize = size, type = f16 } = of;
        const engine = maker.engine;
        const q = tensor(engine, { ne: [size, positions, heads], data: maker.bytes(maker.numbers(size * positions * heads, of.kind)) });
        const cache = (width: number): number => {
          const ne = [width, keys, heads / shared];
          const bytes = type === f16 ? 2 : type === f32 ? 4 : 34;
          const block = type === 8 ? 32 : 1;
          const row = (width / block) * bytes * (heads / shared); // heads side by side, as a cache has them
          const nb = [bytes, row, (width / block) * bytes, row * keys];
          if (type === f32) return tensor(engine, { type, ne, nb, data: maker.bytes(maker.numbers(product(ne))) });
          if (type === f16) return tensor(engine, { type, ne, nb, data: maker.bytes(Uint16Array.from(maker.numbers(product(ne)), half)) });
          const content = new Uint8Array(row * keys);
          const numbers = maker.numbers(content.length);
          for (let at = 0; at < content.length; at += 1) content[at] = at % 34 === 1 ? 0x24 : (numbers[at]! * 40) & 255;
          return tensor(engine, { type, ne, nb, data: maker.bytes(content) });
        };
        const k = cache(size);
        const values = cache(valueSize);
        // Causal; and a stretch that a sequence of another conversation has.
        const first = Math.max(0, keys - positions - 40);
        const hidden = (at: number): number => {
          const [key, position] = [at % keys, Math.floor(at / keys)];
          return key > first + position || (key >= 32 && key < 70 && keys > 100) ? Number.NEGATIVE_INFINITY : 0;
        };
        const mask = of.mask === false ? 0 : maker.halves([keys, positions], hidden);
        const sinks = of.sinks ? maker.floats([heads]) : 0;
        const params = words(1 / Math.sqrt(size), of.alibi ?? 0, of.cap ?? 0);
        return [maker.result([valueSize, heads, positions], { op: more.attention, params, sources: [q, k, values, mask, sinks] })];
      };
    // The engine sums values of half floats in half floats.
    it.each<readonly [string, Attention, number]>([
      ["one position", { positions: 1, keys: 77 }, 4e-3],
      ["one position and many keys, which threads share", { positions: 1, keys: 700 }, 4e-3],
      ["some positions", { positions: 5, keys: 96 }, 4e-3],
      ["many positions", { positions: 70, keys: 200 }, 4e-3],
      ["without a mask", { positions: 3, keys: 45, mask: false }, 4e-3],
      ["keys and values in floats", { positions: 4, keys: 128, type: f32 }, 1e-5],
      ["keys and values in floats, many keys", { positions: 1, keys: 600, type: f32 }, 1e-5],
      [
        "each head with keys of its own, values of another size",
        { positions: 2, keys: 40, heads: 4, shared: 1, valueSize: 32, type: f32 },
        1e-5,
      ],
      ["products with a bound", { positions: 3, keys: 64, cap: 5, type: f32 }, 1e-5],
      ["sinks", { positions: 3, keys: 64, sinks: true, type: f32 }, 1e-5],
      ["products beyond exp's ends", { positions: 3, keys: 64, kind: "up to ends of exp", type: f32 }, 2e-5],
      ["ALiBi, which the engine's own function does", { positions: 3, keys: 64, alibi: 8 }, 4e-3],
      ["blocks of 8 bits, which the engine's own function does", { positions: 3, keys: 64, type: 8 }, 1e-5],
    ])("attention: %s", (_, of, within) => {
      check(attention(of), { within, ofLargest: within });
    });

    it("leaves a graph with another operation to the engine, as it was", () => {
      const make: Make = (maker) => {
        const sum = maker.result([6, 3], { op: ops.add, sources: [maker.floats([6, 3]), maker.floats([6, 3])] });
        return [sum, maker.result([1, 3], { op: ops.sumRows, sources: [sum.node] })];
      };
      expect(() => compute(ours, make, 1)).toThrow(/unreachable/);
      ours.reset();
      near(compute(whole, make, 1), compute(theirs, make, 1), {});
    });

    it("leaves out what is not to be computed, and what has no rows", () => {
      const make: Make = (maker) => {
        const sum = maker.result([6, 3], { op: ops.add, sources: [maker.floats([6, 3]), maker.floats([6, 3])] });
        const skipped = maker.result([6, 3], { op: ops.sumRows, sources: [sum.node] });
        new DataView(maker.engine.memory.buffer).setInt32(skipped.node + (maker.engine.addressBytes === 8 ? 148 : 124), 0, true);
        const empty = maker.result([6, 0], { op: ops.add, sources: [maker.floats([6, 0]), maker.floats([6])] });
        const emptyToo = maker.result([6, 0], { op: ops.add, sources: [empty.node, maker.floats([6, 0])] });
        const view = maker.result([6, 3], { op: 37, sources: [sum.node] });
        return [sum, skipped, empty, emptyToo, view, maker.result([6, 3], { op: ops.scale, params: words(2, 0), sources: [sum.node] })];
      };
      near(compute(ours, make, 1), compute(theirs, make, 1), {});
    });
  });
}
