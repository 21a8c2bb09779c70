/** What every OnnxRuntime promises. One suite; it runs on onnxruntime-node, on onnxruntime-web in Node, and in Chromium on WebAssembly and WebGPU. */
import { beforeAll, describe, expect, it } from "vitest";
import type { SpellError } from "../../src/core/errors.ts";
import { type ByteSource, bytesSource } from "../../src/core/formats/byte-source.ts";
import { OnnxGraphBuilder } from "../../src/core/onnx/graph-builder.ts";
import { ProtoWriter } from "../../src/core/protobuf.ts";
import type { OnnxModel, OnnxRuntime } from "../../src/core/spec/onnx.ts";
import { failure } from "../support/failure.ts";

export interface OnnxRuntimeCaseOptions {
  /** Tests this runtime cannot pass: beginnings of their names, and why. */
  readonly skip?: readonly { readonly reason: string; readonly tests: readonly string[] }[];
  /** How a file of these bytes comes into the world: with a path where there are paths. */
  readonly file?: (name: string, bytes: Uint8Array) => Promise<ByteSource>;
}

const threads = 1;

const bytesOf = (values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

/** Repeatable values within −1 … 1. */
function noise(length: number, seed: number): number[] {
  let state = seed;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.fround((state / 2 ** 32) * 2 - 1);
  });
}

/** x·Wᵀ over plain arrays. */
function naiveLinear(x: readonly number[], w: readonly number[], rows: number, inner: number, columns: number): number[] {
  const y: number[] = [];
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      let sum = 0;
      for (let k = 0; k < inner; k += 1) sum += (x[row * inner + k] ?? 0) * (w[column * inner + k] ?? 0);
      y.push(sum);
    }
  }
  return y;
}

const furthest = (got: ArrayLike<number>, wanted: readonly number[]): number =>
  wanted.reduce(
    (most, value, at) => Math.max(most, Math.abs(value - (got[at] ?? Number.NaN))),
    got.length === wanted.length ? 0 : Number.NaN,
  );

/** y = x·w + b, with w in a file and b in the file too, or made. */
function scaleModel(source: ByteSource, b: "file" | "made", offset = 4): { readonly model: OnnxModel; readonly made: () => number } {
  let made = 0;
  const graph = new OnnxGraphBuilder("scale");
  graph.input("x", "float32", ["n", 4]);
  graph.weight({ name: "w", type: "float32", shape: [4], length: 16, file: { source, offset } });
  graph.weight({
    name: "b",
    type: "float32",
    shape: [4],
    length: 16,
    ...(b === "file"
      ? { file: { source, offset: offset + 16 } }
      : {
          make: async () => {
            made += 1;
            return bytesOf([10, 20, 30, 40]);
          },
        }),
  });
  graph.node("Add", [graph.node("Mul", ["x", "w"]), "b"], { output: "y" });
  graph.output("y", "float32", ["n", 4]);
  return { model: graph.toModel(), made: () => made };
}

/** Four bytes of something else, then w = 1 2 3 4, then b = 10 20 30 40. */
const scaleBytes = (): Uint8Array => bytesOf([99, 1, 2, 3, 4, 10, 20, 30, 40]);

function cacheModel(): OnnxModel {
  const graph = new OnnxGraphBuilder("cache");
  graph.input("past", "float32", [1, 2, "p", 4]);
  graph.input("x", "float32", [1, 2, "t", 4]);
  graph.node("Concat", ["past", "x"], { attributes: { axis: 2 }, output: "present" });
  graph.output("present", "float32", [1, 2, "n", 4]);
  return graph.toModel();
}

/** y = operator(input), written by hand: the builder does not write such graphs. */
function rawModel(operator: string, input: string, opset: number): OnnxModel {
  const type = new ProtoWriter().message(
    1,
    new ProtoWriter().int(1, 1).message(2, new ProtoWriter().message(1, new ProtoWriter().int(1, 3))),
  );
  const value = (name: string): ProtoWriter => new ProtoWriter().string(1, name).message(2, type);
  const node = new ProtoWriter().string(1, input).string(2, "y").string(4, operator);
  const graph = new ProtoWriter().message(1, node).string(2, "raw").message(11, value("x")).message(12, value("y"));
  const bytes = new ProtoWriter().int(1, 9).message(7, graph).message(8, new ProtoWriter().int(2, opset)).finish();
  return { weights: [], encode: () => bytes };
}

const inBytes = (bytes: Uint8Array): OnnxModel => ({ weights: [], encode: () => bytes });

export function onnxRuntimeContract(name: string, create: () => Promise<OnnxRuntime>, options: OnnxRuntimeCaseOptions = {}): void {
  const { skip = [], file = async (fileName: string, bytes: Uint8Array) => bytesSource(fileName, bytes) } = options;
  const test = (title: string, body: () => Promise<void>): void => {
    const reason = skip.find(({ tests }) => tests.some((start) => title.startsWith(start)))?.reason;
    if (reason === undefined) it(title, body);
    else it.skip(`${title} (skipped: ${reason})`, body);
  };

  describe(`OnnxRuntime contract: ${name}`, () => {
    let runtime: OnnxRuntime;
    beforeAll(async () => {
      runtime = await create();
    });
    const floats = (values: readonly number[], shape: readonly number[]) => runtime.tensor("float32", Float32Array.from(values), shape);

    test("E22 finds weights that all lie in a file, at their offsets", async () => {
      const graph = await runtime.open(scaleModel(await file("w.safetensors", scaleBytes()), "file").model, { threads });
      const { y } = await graph.run({ x: floats([1, 1, 1, 1, 0, 0, 0, 2], [2, 4]) });
      expect(y?.shape).toEqual([2, 4]);
      expect([...((await y?.read()) ?? [])]).toEqual([11, 22, 33, 44, 10, 20, 30, 48]);
      y?.release();
      await graph.dispose();
    });

    test("E23 takes weights of which one is in a file and one is made, and makes it once", async () => {
      const { model, made } = scaleModel(await file("w.safetensors", scaleBytes()), "made");
      const graph = await runtime.open(model, { threads, lowMemory: true });
      const { y } = await graph.run({ x: floats([1, 1, 1, 1], [1, 4]) });
      expect([...((await y?.read()) ?? [])]).toEqual([11, 22, 33, 44]);
      expect(made()).toBe(1);
      y?.release();
      await graph.dispose();
    });

    test("names inputs and outputs, clamps threads, and says where it computes", async () => {
      const graph = await runtime.open(cacheModel(), { threads: 1000 });
      expect([...graph.inputs].sort()).toEqual(["past", "x"]);
      expect(graph.outputs).toEqual(["present"]);
      expect(graph.threads).toBeGreaterThanOrEqual(1);
      expect(graph.threads).toBeLessThan(1000);
      expect(graph.device).toBe(runtime.device);
      await graph.dispose();
    });

    test("carries int64 exactly, beyond 2^53 and below zero", async () => {
      const builder = new OnnxGraphBuilder("integers");
      builder.input("x", "int64", ["n"]);
      builder.node("Identity", ["x"], { output: "y" });
      builder.output("y", "int64", ["n"]);
      const graph = await runtime.open(builder.toModel(), { threads });
      const values = BigInt64Array.of(2n ** 62n + 1n, -3n, 0n);
      const { y } = await graph.run({ x: runtime.tensor("int64", values, [3]) });
      expect(y?.dtype).toBe("int64");
      expect(await y?.read()).toEqual(values);
      y?.release();
      await graph.dispose();
    });

    test("grows a cache from length 0 by feeding its output back, on the device where that is asked", async () => {
      for (const keepOnDevice of [[], ["present"]]) {
        const graph = await runtime.open(cacheModel(), { threads, keepOnDevice });
        let past = floats([], [1, 2, 0, 4]);
        const heads: [number[], number[]] = [[], []];
        for (let step = 0; step < 4; step += 1) {
          const values = noise(8, step);
          heads[0].push(...values.slice(0, 4));
          heads[1].push(...values.slice(4));
          const { present } = await graph.run({ past, x: floats(values, [1, 2, 1, 4]) });
          past.release();
          past = present as typeof past;
        }
        expect(past.shape).toEqual([1, 2, 4, 4]);
        expect([...(await past.read())]).toEqual(heads.flat());
        past.release();
        past.release();
        await graph.dispose();
      }
    });

    test("hands out the outputs that are wanted, and no other", async () => {
      const builder = new OnnxGraphBuilder("two");
      builder.input("x", "float32", [2]);
      for (const [operator, output] of [
        ["Neg", "less"],
        ["Abs", "more"],
      ] as const) {
        builder.node(operator, ["x"], { output });
        builder.output(output, "float32", [2]);
      }
      const graph = await runtime.open(builder.toModel(), { threads });
      const out = await graph.run({ x: floats([1, -2], [2]) }, ["more"]);
      expect(Object.keys(out)).toEqual(["more"]);
      expect([...((await out["more"]?.read()) ?? [])]).toEqual([1, 2]);
      out["more"]?.release();
      await graph.dispose();
    });

    test("writes into memory of the device, between two passes that read it, where that can be written", async () => {
      const { deviceMemory: memory } = runtime;
      if (memory === undefined) {
        // outputs are here then, or joined by the graph
        expect(runtime.keepsOutputs && runtime.name === "onnxruntime-web").toBe(false);
        return;
      }
      const builder = new OnnxGraphBuilder("sums");
      builder.input("x", "float32", [1, "n"]);
      builder.input("more", "float32", [1, 2]);
      builder.output(builder.node("Add", ["x", "x"], { output: "twice" }), "float32", [1, "n"]);
      builder.output(builder.node("Neg", ["more"], { output: "fresh" }), "float32", [1, 2]);
      const graph = await runtime.open(builder.toModel(), { threads, keepOnDevice: ["fresh"] });
      const room = memory.zeros([1, 5]);
      const seen: number[][] = [];
      for (const at of [0, 3, 1]) {
        const { twice, fresh } = await graph.run({ x: room, more: floats([at + 1, at + 10], [1, 2]) });
        seen.push([...((await twice?.read()) ?? [])] as number[]);
        memory.copy([{ from: fresh as NonNullable<typeof fresh>, to: room, pieces: [{ from: 0, to: at, length: 2 }] }]);
        fresh?.release();
      }
      expect(seen).toEqual([
        [0, 0, 0, 0, 0],
        [-2, -20, 0, 0, 0],
        [-2, -20, 0, -8, -26],
      ]);
      expect([...(await room.read())]).toEqual([-1, -2, -11, -4, -13]);
      room.release();
      await graph.dispose();
    });

    test("runs two graphs at once without mixing them", async () => {
      const [a, b] = await Promise.all([runtime.open(cacheModel(), { threads }), runtime.open(cacheModel(), { threads })]);
      const feed = (value: number) => ({ past: floats([], [1, 2, 0, 4]), x: floats(Array<number>(8).fill(value), [1, 2, 1, 4]) });
      const [one, two] = await Promise.all([a.run(feed(1)), b.run(feed(2))]);
      expect([...((await one["present"]?.read()) ?? [])]).toEqual(Array(8).fill(1));
      expect([...((await two["present"]?.read()) ?? [])]).toEqual(Array(8).fill(2));
      await Promise.all([a.dispose(), b.dispose()]);
    });

    test("opens two graphs at once whose weights have the same names and other values", async () => {
      const other = bytesOf([99, 5, 6, 7, 8, 50, 60, 70, 80]);
      const models = [scaleModel(await file("w", scaleBytes()), "file").model, scaleModel(await file("w", other), "file").model];
      const graphs = await Promise.all(models.map((model) => runtime.open(model, { threads })));
      const sums = graphs.map(async (graph) => {
        const { y } = await graph.run({ x: floats([1, 1, 1, 1], [1, 4]) });
        const values = [...((await y?.read()) ?? [])];
        y?.release();
        return values;
      });
      expect(await Promise.all(sums)).toEqual([
        [11, 22, 33, 44],
        [55, 66, 77, 88],
      ]);
      await Promise.all(graphs.map((graph) => graph.dispose()));
    });

    test("G65: an empty, garbage or cut protobuf → onnx-parse", async () => {
      const whole = cacheModel().encode(() => {
        throw new Error("no weights");
      });
      const bad = [new TextEncoder().encode("<!doctype html>"), Uint8Array.from(noise(300, 5), (x) => x * 128)];
      // The second operator set comes last; without it the model is whole, because this graph does not use it.
      const last = 2 + new ProtoWriter().string(1, "com.microsoft").int(2, 1).finish().byteLength;
      for (let length = 0; length < whole.length; length += 1) if (length !== whole.length - last) bad.push(whole.slice(0, length));
      for (const bytes of bad) expect((await failure(runtime.open(inBytes(bytes), { threads }))).code).toBe("onnx-parse");
      await (await runtime.open(inBytes(whole), { threads })).dispose();
    });

    test("G65: opset 999, an unknown operator, a missing input name → onnx-parse that names it", async () => {
      await (await runtime.open(rawModel("Neg", "x", 17), { threads })).dispose();
      for (const [model, named] of [
        [rawModel("Neg", "x", 999), "opset"],
        [rawModel("Nope", "x", 17), "Nope"],
        [rawModel("Neg", "absent", 17), "absent"],
      ] as const) {
        const error = await failure(runtime.open(model, { threads }));
        expect(error).toMatchObject({ code: "onnx-parse", message: expect.stringContaining(named) });
        expect(error.cause).toBeDefined();
      }
    });

    test("G66: a weight past the end, negative, or at a fraction of a byte → onnx-external before the engine is called", async () => {
      const source = await file("w.safetensors", scaleBytes());
      for (const offset of [8, 1e15, -4, 0.5, Number.NaN]) {
        const { model } = scaleModel(source, "file", offset);
        const unseen: OnnxModel = {
          weights: model.weights,
          encode() {
            throw new Error("it was written for the engine");
          },
        };
        expect(await failure(runtime.open(unseen, { threads }))).toMatchObject({
          code: "onnx-external",
          where: expect.stringMatching(/^[wb]$/),
        });
      }
    });

    test("a weight that is made too short → onnx-external with both lengths", async () => {
      const graph = new OnnxGraphBuilder("short");
      graph.input("x", "float32", [4]);
      graph.weight({ name: "w", type: "float32", shape: [4], length: 16, make: async () => new Uint8Array(12) });
      graph.node("Add", ["x", "w"], { output: "y" });
      graph.output("y", "float32", [4]);
      const error = await failure(runtime.open(graph.toModel(), { threads }));
      expect(error).toMatchObject({ code: "onnx-external", message: expect.stringMatching(/16.*12/), where: "w" });
    });

    test("a missing feed, a wrong shape, a wrong type → run-option, and the graph stays usable", async () => {
      const graph = await runtime.open(cacheModel(), { threads });
      const past = floats([], [1, 2, 0, 4]);
      const x = floats(noise(8, 1), [1, 2, 1, 4]);
      const missing = await failure(graph.run({ past }));
      expect(missing).toMatchObject({ code: "run-option", where: "x", message: expect.stringContaining("missing") });
      for (const wrong of [
        floats(noise(9, 1), [1, 1, 1, 9]),
        floats([1], [1]),
        runtime.tensor("int64", new BigInt64Array(8), [1, 2, 1, 4]),
      ]) {
        expect((await failure(graph.run({ past, x: wrong }))).code).toBe("run-option");
      }
      expect((await graph.run({ past, x }))["present"]?.shape).toEqual([1, 2, 1, 4]);
      await graph.dispose();
    });

    test("a tensor larger than memory → device-memory; then the graph works, or refuses to with run-crash; others work", async () => {
      const builder = new OnnxGraphBuilder("huge");
      builder.input("n", "int64", [1]);
      builder.node("ConstantOfShape", ["n"], { output: "y" });
      builder.output("y", "float32", ["k"]);
      const graph = await runtime.open(builder.toModel(), { threads });
      const run = (length: bigint) => graph.run({ n: runtime.tensor("int64", BigInt64Array.of(length), [1]) });
      expect((await failure(run(2n ** 46n))).code).toBe("device-memory");
      const after = await run(3n).then(
        ({ y }) => y?.shape,
        (error: SpellError) => error.code,
      );
      expect(after).toEqual(runtime.device === "webgpu" ? "run-crash" : [3]);
      const other = await runtime.open(builder.toModel(), { threads });
      expect((await other.run({ n: runtime.tensor("int64", BigInt64Array.of(3n), [1]) }))["y"]?.shape).toEqual([3]);
      await other.dispose();
      await graph.dispose();
    });

    test("shape and data that do not agree → internal-error", () =>
      Promise.resolve(expect(() => floats([1, 2, 3], [2, 2])).toThrow(expect.objectContaining({ code: "internal-error" }))));

    test("R7 an abort before or while weights are made → run-aborted", async () => {
      const source = await file("w.safetensors", scaleBytes());
      await expect(runtime.open(scaleModel(source, "file").model, { threads, signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: "run-aborted",
      });
      const abort = new AbortController();
      const { model } = scaleModel(source, "made");
      const weights = model.weights.map((weight) => {
        const { make } = weight;
        if (make === undefined) return weight;
        return {
          ...weight,
          make: () => {
            abort.abort();
            return make();
          },
        };
      });
      const late = runtime.open({ ...model, weights }, { threads, signal: abort.signal });
      await expect(late).rejects.toMatchObject({ code: "run-aborted" });
    });

    test("R9 dispose twice does nothing; run after dispose → run-closed; dispose waits for the pass under way", async () => {
      const graph = await runtime.open(cacheModel(), { threads });
      const feeds = { past: floats([], [1, 2, 0, 4]), x: floats(noise(8, 1), [1, 2, 1, 4]) };
      const order: string[] = [];
      const running = graph.run(feeds).finally(() => order.push("ran"));
      await graph.dispose().then(() => order.push("disposed"));
      expect((await running)["present"]?.shape).toEqual([1, 2, 1, 4]);
      expect(order).toEqual(["ran", "disposed"]);
      await graph.dispose();
      expect((await failure(graph.run(feeds))).code).toBe("run-closed");
    });

    test("R2 opens, runs and disposes 20 times", async () => {
      const source = await file("w.safetensors", scaleBytes());
      for (let turn = 0; turn < 20; turn += 1) {
        const graph = await runtime.open(scaleModel(source, turn % 2 === 0 ? "file" : "made").model, { threads });
        const { y } = await graph.run({ x: floats([turn, 0, 0, 0], [1, 4]) });
        expect((await y?.read())?.[0]).toBe(turn + 10);
        y?.release();
        await graph.dispose();
      }
    });

    test("casts F16 weights", async () => {
      const builder = new OnnxGraphBuilder("half");
      // 1, −2, 0.5, 65504 as IEEE half precision
      const half = new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x3800, 0x7bff).buffer);
      builder.input("x", "float32", [4]);
      builder.weight({ name: "w", type: "float16", shape: [4], length: 8, file: { source: await file("half", half), offset: 0 } });
      builder.node("Add", ["x", builder.node("Cast", ["w"], { attributes: { to: 1 } })], { output: "y" });
      builder.output("y", "float32", [4]);
      const graph = await runtime.open(builder.toModel(), { threads });
      const { y } = await graph.run({ x: floats([0, 0, 0, 0], [4]) });
      expect([...((await y?.read()) ?? [])]).toEqual([1, -2, 0.5, 65504]);
      y?.release();
      await graph.dispose();
    });

    test("E26 multiplies with a transposed weight as plain arrays do", async () => {
      const [rows, inner, columns] = [5, 96, 40];
      const [x, w] = [noise(rows * inner, 11), noise(columns * inner, 12)];
      const builder = new OnnxGraphBuilder("linear");
      builder.input("x", "float32", ["r", inner]);
      const weight = { name: "w", type: "float32", shape: [columns, inner], length: w.length * 4 } as const;
      builder.weight({ ...weight, file: { source: await file("linear", bytesOf(w)), offset: 0 } });
      builder.node("FusedMatMul", ["x", "w"], {
        domain: "com.microsoft",
        attributes: { transB: 1, alpha: { float: 1 } },
        output: "y",
      });
      builder.output("y", "float32", ["r", columns]);
      const graph = await runtime.open(builder.toModel(), { threads });
      const { y } = await graph.run({ x: floats(x, [rows, inner]) });
      expect(furthest((await y?.read()) as Float32Array, naiveLinear(x, w, rows, inner, columns))).toBeLessThan(1e-4);
      y?.release();
      await graph.dispose();
    });

    test("E25 multiplies 4-bit blocks at accuracy level 4 within the error of 8-bit activations", async () => {
      const [rows, inner, columns] = [3, 64, 8];
      const x = noise(rows * inner, 21);
      // nibbles 0 … 15 stand for −8 … 7 times the scale of their block of 32
      const levels = noise(columns * inner, 22).map((value) => Math.round((value + 1) * 7.5));
      const scales = noise((columns * inner) / 32, 23).map((value) => Math.fround(0.05 + Math.abs(value) / 20));
      const w = levels.map((level, at) => (level - 8) * (scales[Math.floor(at / 32)] ?? 0));
      const packed = Uint8Array.from({ length: levels.length / 2 }, (_, at) => (levels[2 * at] ?? 0) | ((levels[2 * at + 1] ?? 0) << 4));
      const builder = new OnnxGraphBuilder("blocks");
      builder.input("x", "float32", ["r", inner]);
      builder.weight({ name: "q", type: "uint8", shape: [columns, inner / 32, 16], length: packed.length, make: async () => packed });
      builder.weight({ name: "s", type: "float32", shape: [scales.length], length: scales.length * 4, make: async () => bytesOf(scales) });
      builder.node("MatMulNBits", ["x", "q", "s"], {
        domain: "com.microsoft",
        attributes: { K: inner, N: columns, bits: 4, block_size: 32, accuracy_level: 4 },
        output: "y",
      });
      builder.output("y", "float32", ["r", columns]);
      const graph = await runtime.open(builder.toModel(), { threads });
      const { y } = await graph.run({ x: floats(x, [rows, inner]) });
      // half a step of 1/127 for each of 64 activations against weights of at most 0.8: 0.2 at the worst; noise adds up to far less
      expect(furthest((await y?.read()) as Float32Array, naiveLinear(x, w, rows, inner, columns))).toBeLessThan(0.05);
      y?.release();
      await graph.dispose();
    });
  });
}
