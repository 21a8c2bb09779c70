/** Encoders of the BERT family in Chromium, on WebAssembly and on WebGPU (a software adapter): the contract, and what transformers makes of the same weights. */
import { expect, it } from "vitest";
import { createSpell } from "../../src/browser/index.ts";
import { browserPlatform } from "../../src/browser/platform.ts";
import { distance, embeddingModelContract } from "../contract/embedding-model.ts";
import { bertGolden, writeBert } from "../fixtures/bert-writer.ts";

const spell = createSpell({ platform: browserPlatform() });
const filesOf = (name: string): File[] =>
  [...writeBert(bertGolden, bertGolden.models.find((model) => model.name === name)!)].map(
    ([file, bytes]) => new File([Uint8Array.from(bytes)], file),
  );

embeddingModelContract("BERT on WASM in Chromium", {
  open: () => spell.embeddings(filesOf("minilm"), { device: "wasm" }),
  word: "cat",
  around: 2,
});

// WebGPU on a processor takes half a minute, so it is looked at in the long run
const isLong = import.meta.env["LLMSPELL_LONG"] === "1";
it.each([["wasm", 64, ["minilm", "bge", "e5-multilingual"]] as const, ...(isLong ? ([["webgpu", 6, ["bge"]]] as const) : [])])(
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
