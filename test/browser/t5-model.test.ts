/** T5 in Chromium through the browser's entry, on WebAssembly: the contract and the bundled model's golden answers. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/browser/index.ts";
import { load } from "../../src/browser/index.ts";
import { languageModelContract } from "../contract/language-model.ts";
import { writeTinyT5 } from "../fixtures/t5-writer.ts";
import golden from "../golden/tiny-t5-en-fr.json";
import { textOf } from "../support/text-of.ts";

const prefix = "translate English to French: ";
/** All goldens are tried in the long run, and in Node. */
const isLong = import.meta.env["LLMSPELL_LONG"] === "1";
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

describe("the bundled translator on wasm in Chromium", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await load("tiny-t5-en-fr", { device: "wasm" });
  });
  afterAll(() => model.dispose());

  it("says where it computes", () => {
    expect(model.device).toMatchObject({ chosen: "wasm", runtime: "onnxruntime-web" });
    expect(model.device!.tried).toContainEqual(expect.objectContaining({ device: "wasm", ok: true }));
  });

  it("translates greedily and with beams as transformers does", async () => {
    for (const { en, greedy_text } of golden.cases.slice(0, isLong ? 40 : 12))
      expect(await textOf(model.stream(prefix + en)), en).toBe(greedy_text);
    for (const { en, beam4_text } of golden.cases.slice(0, isLong ? 15 : 4)) {
      expect(await textOf(model.stream(prefix + en, { numBeams: 4 })), en).toBe(beam4_text);
    }
  }, 120_000);
});

describe("T5 in a page", () => {
  if (isLong) {
    it("reads bytes where the checkpoint is ByT5", async () => {
      const config = { vocab_size: 384, tokenizer_class: "ByT5Tokenizer" };
      const all = writeTinyT5({ config });
      const files = [...all].filter(([name]) => name !== "tokenizer.json").map(([name, bytes]) => new File([Uint8Array.from(bytes)], name));
      const model = await load(files, { device: "wasm" });
      // five letters, two of them in two bytes, and the end
      expect(await model.generate("Grüße", { maxTokens: 12, stop: [] })).toMatchObject({
        usage: { promptTokens: 8 },
        finishReason: "length",
      });
      await model.dispose();
    });
  }

  it("asks no other origin for anything", () => {
    const origins = new Set(performance.getEntriesByType("resource").map(({ name }) => new URL(name).origin));
    expect([...origins].filter((origin) => origin !== location.origin && !origin.startsWith("blob:") && origin !== "null")).toEqual([]);
  });
});
