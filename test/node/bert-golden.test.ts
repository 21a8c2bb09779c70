/** The graph of the BERT family against transformers on the same weights: random checkpoints of the shapes of MiniLM, bge and multilingual e5, and odd ones. */
import { beforeAll, describe, expect, it } from "vitest";
import { openBert } from "../../src/core/bert/engine.ts";
import { bytesSource } from "../../src/core/formats/byte-source.ts";
import type { OnnxRuntime } from "../../src/core/spec/onnx.ts";
import type { EmbeddedText, Seq2SeqVariant } from "../../src/core/spec/runtime.ts";
import { openNativeOnnx } from "../../src/node/engines/onnx-native.ts";
import { openWebOnnx } from "../../src/node/engines/onnx-web.ts";
import { distance } from "../contract/embedding-model.ts";
import { type BertSpec, type BertWriterOptions, bertGolden as golden, writeBert } from "../fixtures/bert-writer.ts";

const specOf = (name: string): BertSpec => golden.models.find((model) => model.name === name)!;

async function embed(
  onnx: OnnxRuntime,
  spec: BertSpec,
  options: BertWriterOptions = {},
  variant: Seq2SeqVariant = "f32",
): Promise<EmbeddedText[]> {
  const files = [...writeBert(golden, spec, options)].map(([name, bytes]) => bytesSource(name, bytes));
  const report = () => ({ chosen: onnx.device, tried: [] });
  const model = await openBert(files, { onnx, threads: 1, report, pause: async () => undefined }, { variant, inputLength: 512 });
  const pieces: EmbeddedText[] = [];
  for await (const piece of model.embed!(golden.texts.slice(0, spec.vectors.length), { truncate: false })) pieces[piece.index] = piece;
  await model.dispose();
  return pieces;
}

function furthest(pieces: readonly EmbeddedText[], { vectors }: BertSpec): number {
  return Math.max(...pieces.map(({ vector }, index) => distance(vector, vectors[index]!)));
}

describe.each([
  ["onnxruntime-node", () => openNativeOnnx("cpu")],
  ["onnxruntime-web", () => openWebOnnx()],
] as const)("on %s", (_, open) => {
  let onnx: OnnxRuntime;
  beforeAll(async () => {
    onnx = await open();
  });

  it.each(golden.models.map((model) => [model.name, model] as const))("%s: the tokens and vectors of transformers", async (_name, spec) => {
    const pieces = await embed(onnx, spec);
    expect(pieces.map(({ tokens }) => tokens)).toEqual(spec.ids.map(({ length }) => length));
    expect(furthest(pieces, spec)).toBeLessThan(2e-5);
  });

  it.each([
    ["F16", { dtype: "F16" }],
    ["BF16", { dtype: "BF16" }],
    ["two files", { shards: 2 }],
    ["part of a larger model", { prefix: "bert." }],
    ["norms as TensorFlow names them", { older: true }],
  ] as const)("%s: the same vectors", async (_name, options) => {
    expect(furthest(await embed(onnx, specOf("bge"), options), specOf("bge"))).toBeLessThan(2e-5);
  });

  it("q8: near the same vectors", async () => {
    const spec = specOf("e5-multilingual");
    for (const { index, vector } of await embed(onnx, spec, {}, "q8")) {
      expect(vector.reduce((sum, value, at) => sum + value * spec.vectors[index]![at]!, 0)).toBeGreaterThan(0.98);
    }
  });
});
