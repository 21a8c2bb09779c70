/** E27: graphs are made of primitive operators. Fused attention has been seen to compute wrongly on WebGPU, and answers plausibly where it does. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import { readProto } from "../../../src/core/protobuf.ts";
import { acceptT5, findT5Files } from "../../../src/core/t5/files.ts";
import { decoderGraph, encoderGraph, rowsGraph } from "../../../src/core/t5/graph.ts";
import { rowForms, sessionWeights } from "../../../src/core/t5/session-weights.ts";
import { collectT5Weights, type T5Weights } from "../../../src/core/t5/weights.ts";

const folder = new URL("../../../builtins/models/tiny-t5-en-fr/", import.meta.url);
const files = ["config.json", "model.safetensors", "tokenizer.json"].map((name) => bytesSource(name, readFileSync(new URL(name, folder))));

/** Operators known to compute rightly on processors and on WebGPU, with golden answers on both. */
const known = new Set([
  "Add",
  "ArgMax",
  "Cast",
  "Concat",
  "DynamicQuantizeMatMul",
  "Exp",
  "FastGelu",
  "FusedMatMul",
  "Gather",
  "Gemm",
  "Greater",
  "Log",
  "MatMul",
  "MatMulNBits",
  "Mul",
  "Range",
  "ReduceMax",
  "ReduceSum",
  "Reshape",
  "Slice",
  "Shape",
  "SimplifiedLayerNormalization",
  "Softmax",
  "Sub",
  "Transpose",
  "Unsqueeze",
  "Where",
  "Min",
  "Max",
]);

function* fieldsOf(bytes: Uint8Array, field: number): Generator<Uint8Array> {
  for (const entry of readProto(bytes, (what) => new Error(what))) if (entry.field === field && entry.wire === 2) yield entry.bytes;
}

/** ModelProto.graph = 7, GraphProto.node = 1, NodeProto.op_type = 4. */
function operatorsOf(model: Uint8Array): Set<string> {
  const text = new TextDecoder();
  const found = new Set<string>();
  for (const graph of fieldsOf(model, 7))
    for (const node of fieldsOf(graph, 1)) for (const type of fieldsOf(node, 4)) found.add(text.decode(type));
  return found;
}

describe("E27 graphs of T5", () => {
  it.each(["f32", "q8", "q4"] as const)("%s: no fused attention, no operator that was not held against the reference", async (variant) => {
    const facts = await acceptT5(findT5Files(files));
    for (const fastBlocks of ["always", "never"] as const) {
      const runtime = {
        reads16Bit: true,
        widens: false,
        fastBlocks,
        columnLimit: 127,
        fusedProducts: fastBlocks === "never",
        device: "cpu",
      } as const;
      const weights = collectT5Weights(facts.tensors, facts.config, { variant, rows: "few", runtime });
      const decoders = (["inside", "outside"] as const).map((joining) => decoderGraph(facts.config, weights, joining));
      for (const graph of [encoderGraph(facts.config, weights), ...decoders, rowsGraph(facts.config)]) {
        const bytes = graph.encode(({ name, length }) => ({ location: name, offset: 0, length }));
        const operators = operatorsOf(bytes);
        expect(operators.size).toBeGreaterThan(5);
        expect([...operators].filter((operator) => /Attention/.test(operator))).toEqual([]);
        expect([...operators].filter((operator) => !known.has(operator))).toEqual([]);
      }
    }
  });

  it("hold no Cast where weights are widened as they are handed over: V8 takes seconds to optimise it", async () => {
    const facts = await acceptT5(findT5Files(files));
    const runtime = { reads16Bit: true, widens: true, fastBlocks: "never", columnLimit: 127, fusedProducts: true, device: "wasm" } as const;
    const weights = collectT5Weights(facts.tensors, facts.config, { variant: "f32", rows: "few", runtime });
    expect(weights.has16Bit).toBe(false);
    for (const graph of [encoderGraph(facts.config, weights), decoderGraph(facts.config, weights, "outside")]) {
      expect(operatorsOf(graph.encode(({ name, length }) => ({ location: name, offset: 0, length })))).not.toContain("Cast");
      expect(graph.weights.some(({ file }) => file?.stored === "F16")).toBe(true);
    }
  });
});

describe("forms by the rows a graph multiplies", () => {
  const runtime = { reads16Bit: true, widens: false, fastBlocks: "few-rows", columnLimit: 63, fusedProducts: true, device: "cpu" } as const;
  const productsOf = (model: { encode: ReturnType<typeof decoderGraph>["encode"] }): string[] =>
    [...operatorsOf(model.encode(({ name, length }) => ({ location: name, offset: 0, length })))]
      // also scores of attention are FusedMatMul, in all forms
      .filter((operator) => ["MatMulNBits", "DynamicQuantizeMatMul"].includes(operator))
      .sort();

  it.each([
    ["f32", [], [], undefined],
    ["q8", ["MatMulNBits"], ["MatMulNBits"], undefined],
    ["q4", ["DynamicQuantizeMatMul"], ["MatMulNBits"], ["DynamicQuantizeMatMul"]],
  ] as const)("%s", async (variant, encoder, decoder, wide) => {
    const facts = await acceptT5(findT5Files(files));
    const weights = await sessionWeights(facts, [], { variant, runtime });
    expect(productsOf(encoderGraph(facts.config, weights.encoder))).toEqual(encoder);
    expect(productsOf(decoderGraph(facts.config, weights.decoder, "outside"))).toEqual(decoder);
    const products = async (from: () => Promise<T5Weights>): Promise<string[]> =>
      productsOf(decoderGraph(facts.config, await from(), "outside"));
    expect(weights.wide && (await products(weights.wide))).toEqual(wide);
    const operators = {
      f32: [],
      "8-bit blocks": ["MatMulNBits"],
      "4-bit blocks": ["MatMulNBits"],
      "8-bit columns": ["DynamicQuantizeMatMul"],
    };
    const { input, answer, many } = rowForms({ variant, runtime });
    expect([operators[input], operators[answer], many && operators[many.form]]).toEqual([encoder, decoder, wide]);
  });

  it("one decoder where memory is short", async () => {
    const facts = await acceptT5(findT5Files(files));
    expect((await sessionWeights(facts, [], { variant: "q4", runtime, lowMemory: true })).wide).toBeUndefined();
  });
});
