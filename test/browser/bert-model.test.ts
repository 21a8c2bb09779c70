/** Encoders of the BERT family in Chromium, on WebAssembly and on WebGPU (a software adapter): the contract, and what transformers makes of the same weights. */
import { expect, it } from "vitest";
import { createSpell } from "../../src/browser/index.ts";
import { browserPlatform } from "../../src/browser/platform.ts";
import { distance, embeddingModelContract } from "../contract/embedding-model.ts";
import { bertGolden, rerankGolden, sentenceGolden, writeBert, writeSentence } from "../fixtures/bert-writer.ts";

const spell = createSpell({ platform: browserPlatform() });
const asFiles = (written: ReadonlyMap<string, Uint8Array>): File[] =>
  [...written].map(([file, bytes]) => new File([Uint8Array.from(bytes)], file));
const filesOf = (name: string): File[] => asFiles(writeBert(bertGolden, bertGolden.models.find((model) => model.name === name)!));

embeddingModelContract("BERT on WASM in Chromium", {
  open: () => spell.embeddings(filesOf("minilm"), { device: "wasm" }),
  word: "cat",
  around: 2,
});

// WebGPU on a processor takes half a minute, so it is looked at in the long run
const isLong = import.meta.env["LLMSPELL_LONG"] === "1";
it.each([
  ["wasm", isLong ? 64 : 24, isLong ? ["minilm", "bge", "e5-multilingual"] : ["e5-multilingual"]] as const,
  ...(isLong ? ([["webgpu", 6, ["bge"]]] as const) : []),
])(
  "on %s: as transformers has it",
  async (device, count, names) => {
    for (const name of names) {
      const { vectors } = bertGolden.models.find((model) => model.name === name)!;
      const model = await spell.embeddings(filesOf(name), { device });
      expect(model.device).toMatchObject({ chosen: device, runtime: "onnxruntime-web" });
      const got = await model.embed(bertGolden.texts.slice(0, count));
      expect(Math.max(...got.vectors.map((vector, index) => distance(vector, vectors[index]!)))).toBeLessThan(2e-5);
      await model.dispose();
    }
  },
  120_000,
);

it("scores pairs with a cross-encoder, as transformers has them", async () => {
  const pairs = rerankGolden.models[0]!;
  const { queries, texts } = rerankGolden;
  const files = asFiles(writeBert(bertGolden, pairs, { prefix: "bert." }));
  const { scores } = await spell.rerank(files, queries[0]!, texts, { device: "wasm" });
  expect(Math.max(...scores.map((score, index) => Math.abs(score - pairs.scores[0]![index]!)))).toBeLessThan(1e-5);
});

if (isLong) {
  const devices = ["wasm", "webgpu"] as const;
  const some = 12;
  const cosine = (a: Float32Array, b: readonly number[]): number => a.reduce((sum, value, at) => sum + value * b[at]!, 0);

  it.each(devices)(
    "on %s: makes vectors with encoders of T5, and with a dense layer, as transformers has them",
    async (device) => {
      for (const spec of sentenceGolden.models) {
        const model = await spell.embeddings(asFiles(writeSentence(spec)), { device });
        expect(model.device).toMatchObject({ chosen: device, runtime: "onnxruntime-web" });
        const { vectors } = await model.embed(sentenceGolden.texts.slice(0, some));
        expect(Math.max(...vectors.map((vector, index) => distance(vector, spec.vectors[index]!))), spec.name).toBeLessThan(2e-5);
        await model.dispose();
      }
    },
    240_000,
  );

  it.each(devices)(
    "on %s: q8 stays near",
    async (device) => {
      const spec = bertGolden.models.find(({ name }) => name === "e5-multilingual")!;
      const t5 = sentenceGolden.models.find(({ name }) => name === "sentence-t5")!;
      for (const [files, texts, wanted] of [
        [filesOf(spec.name), bertGolden.texts, spec.vectors],
        [asFiles(writeSentence(t5)), sentenceGolden.texts, t5.vectors],
      ] as const) {
        const { vectors } = await spell.embed(files, texts.slice(0, some), { device, quantization: "q8" });
        const far = vectors.map((vector, index) => distance(vector, wanted[index]!));
        expect(Math.max(...far)).toBeGreaterThan(1e-5); // it is another form
        expect(Math.min(...vectors.map((vector, index) => cosine(vector, wanted[index]!)))).toBeGreaterThan(0.98);
      }
    },
    240_000,
  );

  it("on webgpu: scores pairs with a cross-encoder, as transformers has them", async () => {
    const pairs = rerankGolden.models.find(({ name }) => name === "bge-reranker")!;
    const { queries, texts } = rerankGolden;
    const files = asFiles(writeBert(bertGolden, pairs, { prefix: "roberta." }));
    const { scores } = await spell.rerank(files, queries[0]!, texts.slice(0, some), { device: "webgpu" });
    expect(Math.max(...scores.map((score, index) => Math.abs(score - pairs.scores[0]![index]!)))).toBeLessThan(2e-5);
  }, 120_000);
}
