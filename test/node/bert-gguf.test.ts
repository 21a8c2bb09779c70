/** An encoder in GGUF on both runtimes of llama.cpp: the contract, and the vectors that torch and our own graph give for the same weights. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createSpell } from "../../src/node/index.ts";
import { nodePlatform } from "../../src/node/platform.ts";
import { distance, embeddingModelContract } from "../contract/embedding-model.ts";
import { bertGguf } from "../fixtures/bert-gguf.ts";
import { bertGolden } from "../fixtures/bert-writer.ts";
import { writeGguf } from "../fixtures/gguf-writer.ts";
import { failure } from "../support/failure.ts";
import { isLong } from "../support.ts";

const home = mkdtempSync(join(tmpdir(), "llmspell-bert-gguf-"));
const file = join(home, "minilm.gguf");
const spec = bertGolden.models.find(({ name }) => name === "minilm");
if (spec === undefined) throw new Error("the golden file has no minilm");
writeFileSync(file, writeGguf(bertGguf(spec)));
const spell = createSpell({ platform: nodePlatform({ modelFolder: join(home, "models") }) });
afterAll(async () => {
  await spell.dispose();
  rmSync(home, { recursive: true, force: true });
});

/** Places of texts: a third, and those of special tokens, white space and other alphabets; all with LLMSPELL_LONG=1. */
const places = bertGolden.texts.flatMap((text, i) => (isLong || i % 3 === 0 || !/^[a-z ]+$/.test(text.trim()) ? [i] : []));

for (const device of ["cpu", "wasm"] as const) {
  embeddingModelContract(`BERT in GGUF on ${device}`, {
    open: () => spell.embeddings(file, { device }),
    word: "cat",
    around: 2,
    counts: device !== "wasm",
    tolerance: 1e-4,
  });

  describe(`BERT in GGUF on ${device}`, () => {
    // llama.cpp reads that function from a table of 16-bit numbers: 1.5e-4 in the middle here, 3.5e-4 at most
    it("gives the vectors of torch, but for a GELU of 16 bits", async () => {
      const model = await spell.embeddings(file, { device });
      const { vectors } = await model.embed(places.map((i) => bertGolden.texts[i] ?? ""));
      const distances = vectors.map((vector, index) => distance(vector, spec.vectors[places[index] ?? 0] ?? []));
      expect(Math.max(...distances)).toBeLessThan(5e-4);
      await model.dispose();
    });
  });
}

it.each(["cpu", "wasm"] as const)("cuts a text that is too long for a model that writes, on %s too", async (device) => {
  await using model = await spell.embeddings("tiny-stories", { device, contextSize: 128 });
  const long = "a cat and a dog ".repeat(200);
  const { vectors, warnings } = await model.embed([long], { truncate: true });
  expect(vectors).toHaveLength(1);
  expect(warnings.map(({ message }) => message)).toEqual(expect.arrayContaining([expect.stringContaining("the model reads the first")]));
  expect(await failure(model.embed([long]))).toMatchObject({
    code: "run-context",
    message: expect.stringContaining("text 1 has") as string,
  });
});

it("generates no text, and says what makes vectors", async () => {
  expect(await failure(spell.generate(file, "Hello"))).toMatchObject({
    code: "model-architecture",
    actions: [{ kind: expect.any(String) }, {}],
  });
});
