/** T5 in Chromium through the browser's entry, on WebAssembly and on WebGPU (a software adapter): the contract and the bundled model's golden answers. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/browser/index.ts";
import { load } from "../../src/browser/index.ts";
import { languageModelContract } from "../contract/language-model.ts";
import { writeTinyT5 } from "../fixtures/t5-writer.ts";
import golden from "../golden/tiny-t5-en-fr.json";
import { textOf } from "../support/text-of.ts";

const prefix = "translate English to French: ";
const folder = "/builtins/models/tiny-t5-en-fr";

/** The bundled translator, made to go on: the contract wants long answers. */
async function endless(): Promise<File[]> {
  const names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
  const files = await Promise.all(names.map(async (name) => new File([await (await fetch(`${folder}/${name}`)).blob()], name)));
  const settings = { decoder_start_token_id: 0, eos_token_id: 1, pad_token_id: 0, min_new_tokens: 400 };
  return [...files, new File([JSON.stringify(settings)], "generation_config.json")];
}

languageModelContract("T5 on WASM in Chromium", {
  prompt: `${prefix}Where is the train station?`,
  knowsAllOptions: true,
  open: async () => load(await endless(), { device: "wasm" }),
});

describe.each([
  ["wasm", 40, 15],
  ["webgpu", 4, 3],
] as const)("the bundled translator on %s in Chromium", (device, greedy, beams) => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await load("tiny-t5-en-fr", { device });
  });
  afterAll(() => model.dispose());

  it("says where it computes", () => {
    expect(model.device).toMatchObject({ chosen: device, runtime: "onnxruntime-web" });
    expect(model.device!.tried).toContainEqual(expect.objectContaining({ device, ok: true }));
  });

  it("translates greedily and with beams as transformers does", async () => {
    for (const { en, greedy_text } of golden.cases.slice(0, greedy)) expect(await textOf(model.stream(prefix + en)), en).toBe(greedy_text);
    for (const { en, beam4_text } of golden.cases.slice(0, beams)) {
      expect(await textOf(model.stream(prefix + en, { numBeams: 4 })), en).toBe(beam4_text);
    }
  }, 120_000);
});

describe("T5 in a page", () => {
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
  });

  it("asks no other origin for anything", () => {
    const origins = new Set(performance.getEntriesByType("resource").map(({ name }) => new URL(name).origin));
    expect([...origins].filter((origin) => origin !== location.origin && !origin.startsWith("blob:") && origin !== "null")).toEqual([]);
  });
});
