/** The graph of the BERT family against transformers on the same weights: random checkpoints of the shapes of MiniLM, bge and multilingual e5, cross-encoders, and odd ones. */
import { beforeAll, describe, expect, it } from "vitest";
import { openBert } from "../../src/core/bert/engine.ts";
import { bytesSource } from "../../src/core/formats/byte-source.ts";
import type { OnnxRuntime } from "../../src/core/spec/onnx.ts";
import type { EmbeddedText, ScoredText, Seq2SeqHandle, Seq2SeqVariant } from "../../src/core/spec/runtime.ts";
import { openT5Encoder } from "../../src/core/t5/encoder.ts";
import { openNativeOnnx } from "../../src/node/engines/onnx-native.ts";
import { openWebOnnx } from "../../src/node/engines/onnx-web.ts";
import { distance } from "../contract/embedding-model.ts";
import {
  type BertSpec,
  type BertWriterOptions,
  bertGolden as golden,
  type RerankSpec,
  rerankGolden,
  sentenceGolden,
  writeBert,
  writeSentence,
} from "../fixtures/bert-writer.ts";

const specOf = (name: string): BertSpec => golden.models.find((model) => model.name === name)!;

function open(
  onnx: OnnxRuntime,
  spec: BertSpec | RerankSpec,
  options: BertWriterOptions = {},
  variant: Seq2SeqVariant = "f32",
  inputLength = 512,
): Promise<Seq2SeqHandle> {
  const files = [...writeBert(golden, spec, options)].map(([name, bytes]) => bytesSource(name, bytes));
  const report = () => ({ chosen: onnx.device, tried: [] });
  return openBert(files, { onnx, threads: 1, report, pause: async () => undefined }, { variant, inputLength });
}

async function embed(onnx: OnnxRuntime, spec: BertSpec, options?: BertWriterOptions, variant?: Seq2SeqVariant): Promise<EmbeddedText[]> {
  const model = await open(onnx, spec, options, variant);
  const pieces: EmbeddedText[] = [];
  for await (const piece of model.embed!(golden.texts.slice(0, spec.vectors.length), { truncate: false })) pieces[piece.index] = piece;
  await model.dispose();
  return pieces;
}

/** @returns how far scores of all pairs are from those of transformers, at most; and the tokens of the whole pairs */
async function rerank(onnx: OnnxRuntime, spec: RerankSpec, options?: BertWriterOptions, variant?: Seq2SeqVariant) {
  const { queries, texts, cut } = rerankGolden;
  const prefix = spec.config["model_type"] === "bert" ? "bert." : "roberta.";
  const pieces: (ScoredText & { readonly off: number })[][] = [];
  for (const [limit, wanted] of [
    [512, spec.scores],
    [cut, spec.cut],
  ] as const) {
    const model = await open(onnx, spec, { prefix, ...options }, variant, limit);
    for (const [row, query] of queries.entries()) {
      const found: (ScoredText & { readonly off: number })[] = [];
      for await (const piece of model.rerank!(query, texts, { truncate: true })) {
        found[piece.index] = { ...piece, off: Math.abs(piece.score - wanted[row]![piece.index]!) };
      }
      pieces.push(found);
    }
    await model.dispose();
  }
  const whole = pieces.slice(0, queries.length).map((row) => row.map(({ tokens }) => tokens));
  return { off: Math.max(...pieces.flat().map(({ off }) => off)), tokens: whole };
}

function furthest(pieces: readonly EmbeddedText[], { vectors }: BertSpec): number {
  return Math.max(...pieces.map(({ vector }, index) => distance(vector, vectors[index]!)));
}

describe.each([
  ["onnxruntime-node", () => openNativeOnnx("cpu")],
  ["onnxruntime-web", () => openWebOnnx()],
] as const)("on %s", (_, start) => {
  let onnx: OnnxRuntime;
  beforeAll(async () => {
    onnx = await start();
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

  it.each(sentenceGolden.models.map((model) => [model.name, model] as const))(
    "%s, an encoder of T5 or one with a dense layer: the tokens and vectors of sentence-transformers",
    async (_name, spec) => {
      const files = [...writeSentence(spec)].map(([name, bytes]) => bytesSource(name, bytes));
      const start = spec.config["model_type"] === "t5" ? openT5Encoder : openBert;
      const host = { onnx, threads: 1, report: () => ({ chosen: onnx.device, tried: [] }), pause: async () => undefined };
      const model = await start(files, host, { variant: "f32", inputLength: 512 });
      const pieces: EmbeddedText[] = [];
      for await (const piece of model.embed!(sentenceGolden.texts.slice(0, spec.vectors.length), { truncate: false }))
        pieces[piece.index] = piece;
      await model.dispose();
      expect(model.dimensions).toBe(spec.vectors[0]!.length);
      expect(pieces.map(({ tokens }) => tokens)).toEqual(spec.tokens);
      expect(Math.max(...pieces.map(({ vector }, index) => distance(vector, spec.vectors[index]!)))).toBeLessThan(2e-5);
    },
  );

  it("q8: near the same vectors", async () => {
    const spec = specOf("e5-multilingual");
    for (const { index, vector } of await embed(onnx, spec, {}, "q8")) {
      expect(vector.reduce((sum, value, at) => sum + value * spec.vectors[index]![at]!, 0)).toBeGreaterThan(0.98);
    }
  });

  it.each(rerankGolden.models.map((model) => [model.name, model] as const))("%s: the scores of transformers", async (_name, spec) => {
    const { off, tokens } = await rerank(onnx, spec);
    expect(off).toBeLessThan(1e-5);
    expect(tokens).toEqual(spec.tokens);
  });

  it.each([
    ["F16", { dtype: "F16" }, "f32", 1e-5],
    ["BF16 in two files", { dtype: "BF16", shards: 2 }, "f32", 1e-5],
    ["q8", {}, "q8", 0.05],
  ] as const)("%s: the same scores", async (_name, options, variant, tolerance) => {
    const spec = rerankGolden.models.find(({ name }) => name === "bge-reranker")!;
    expect((await rerank(onnx, spec, options, variant)).off).toBeLessThan(tolerance);
  });
});
