/** An encoder in GGUF in Chromium, through llama.cpp in WebAssembly: the contract, and the vectors that torch gives for the same weights. */
import { expect, it } from "vitest";
import { createSpell } from "../../src/browser/index.ts";
import { browserPlatform } from "../../src/browser/platform.ts";
import { distance, embeddingModelContract } from "../contract/embedding-model.ts";
import { bertGguf } from "../fixtures/bert-gguf.ts";
import { bertGolden } from "../fixtures/bert-writer.ts";
import { writeGguf } from "../fixtures/gguf-writer.ts";

const spell = createSpell({ platform: browserPlatform() });
const spec = bertGolden.models.find(({ name }) => name === "minilm")!;
const file = new File([Uint8Array.from(writeGguf(bertGguf(spec)))], "minilm.gguf");
const open = () => spell.embeddings(file, { device: "wasm" });

// the suite runs on the same engine in Node
if (import.meta.env["LLMSPELL_LONG"] === "1")
  embeddingModelContract("BERT in GGUF on WASM in Chromium", { open, word: "cat", around: 2, counts: false, tolerance: 1e-4 });

it("gives the vectors of torch, but for a GELU of 16 bits; cuts a long text where it is told to", async () => {
  const model = await open();
  expect(model.device).toMatchObject({ chosen: "wasm", runtime: "wllama" });
  const { vectors } = await model.embed(bertGolden.texts.slice(0, 12));
  expect(Math.max(...vectors.map((vector, index) => distance(vector, spec.vectors[index]!)))).toBeLessThan(5e-4);
  const long = "cat ".repeat(model.contextLength! + 9);
  await expect(model.embed([long])).rejects.toMatchObject({ code: "run-context" });
  expect((await model.embed([long], { truncate: true })).warnings).toContainEqual(expect.objectContaining({ code: "text-cut" }));
  await model.dispose();
});
