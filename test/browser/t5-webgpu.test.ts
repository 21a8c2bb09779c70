/** T5 in Chromium on WebGPU, a software adapter: the bundled model's golden answers, and bytes as on WebAssembly. Minutes, so in the long run. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/browser/index.ts";
import { load } from "../../src/browser/index.ts";
import { writeTinyT5 } from "../fixtures/t5-writer.ts";
import golden from "../golden/tiny-t5-en-fr.json";
import { textOf } from "../support/text-of.ts";

const prefix = "translate English to French: ";

describe("the bundled translator on webgpu in Chromium", () => {
  let model: LanguageModel;
  // the self-test compiles every shader on a processor
  beforeAll(async () => {
    model = await load("tiny-t5-en-fr", { device: "webgpu" });
  }, 180_000);
  afterAll(() => model.dispose());

  it("says where it computes", () => {
    expect(model.device).toMatchObject({ chosen: "webgpu", runtime: "onnxruntime-web" });
    expect(model.device!.tried).toContainEqual(expect.objectContaining({ device: "webgpu", ok: true }));
  });

  it("translates greedily and with beams as transformers does", async () => {
    for (const { en, greedy_text } of golden.cases.slice(0, 4)) expect(await textOf(model.stream(prefix + en)), en).toBe(greedy_text);
    for (const { en, beam4_text } of golden.cases.slice(0, 3)) {
      expect(await textOf(model.stream(prefix + en, { numBeams: 4 })), en).toBe(beam4_text);
    }
  }, 120_000);

  it("reads bytes where the checkpoint is ByT5, the same on both devices", async () => {
    const config = { vocab_size: 384, tokenizer_class: "ByT5Tokenizer" };
    const all = writeTinyT5({ config });
    const files = [...all].filter(([name]) => name !== "tokenizer.json").map(([name, bytes]) => new File([Uint8Array.from(bytes)], name));
    const answers = [];
    for (const device of ["wasm", "webgpu"] as const) {
      const model = await load(files, { device });
      answers.push(await model.generate("Grüße", { maxTokens: 12, stop: [] }));
      await model.dispose();
    }
    // five letters, two of them in two bytes, and the end
    expect(answers.map(({ usage }) => usage?.promptTokens)).toEqual([8, 8]);
    expect(answers[0]).toMatchObject({ text: answers[1]?.text, finishReason: "length" });
  }, 180_000);
});
