/** Encoders of the BERT family through the public entry of Node: the contract on both runtimes, what files beside the model say, what is refused. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createSpell } from "../../src/node/index.ts";
import { nodePlatform } from "../../src/node/platform.ts";
import { distance, embeddingModelContract } from "../contract/embedding-model.ts";
import { type BertWriterOptions, bertGolden as golden, sentenceGolden, writeBert, writeSentence } from "../fixtures/bert-writer.ts";
import { failure } from "../support/failure.ts";

const home = mkdtempSync(join(tmpdir(), "llmspell-bert-"));
const spell = createSpell({ platform: nodePlatform({ modelFolder: join(home, "models") }) });
afterAll(async () => {
  await spell.dispose();
  rmSync(home, { recursive: true, force: true });
});

const specOf = (name: string) => golden.models.find((model) => model.name === name)!;
let count = 0;

/** @returns the folder of a checkpoint */
function save(name: string, options?: BertWriterOptions): string {
  count += 1;
  const folder = join(home, `${name}-${count}`);
  for (const [file, bytes] of writeBert(golden, specOf(name), options)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), bytes);
  }
  return folder;
}

const folders = { minilm: save("minilm"), e5: save("e5-multilingual") };

for (const [runtime, device] of [
  ["onnxruntime-node", "cpu"],
  ["onnxruntime-web in Node", "wasm"],
] as const) {
  embeddingModelContract(`BERT on ${runtime}`, { open: () => spell.embeddings(folders.minilm, { device }), word: "cat", around: 2 });
}

/** @returns the folder of an encoder of T5 with its modules, or of one with a dense layer */
function saveSentence(name: string, change: (files: Map<string, Uint8Array>) => void = () => undefined): string {
  count += 1;
  const folder = join(home, `${name}-${count}`);
  const files = writeSentence(sentenceGolden.models.find((model) => model.name === name)!);
  change(files);
  for (const [file, bytes] of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), bytes);
  }
  return folder;
}

const sentenceT5 = saveSentence("sentence-t5");
embeddingModelContract("an encoder of T5 on onnxruntime-node", {
  open: () => spell.embeddings(sentenceT5, { device: "cpu" }),
  word: "cat",
  around: 1,
});

describe("encoders of T5, and dense layers", () => {
  it("tells what the model is, and that it writes no text", async () => {
    expect(await spell.models.info(sentenceT5)).toMatchObject({ architecture: "t5", capabilities: ["embedding"], embeddingLength: 24 });
    expect((await failure(spell.generate(sentenceT5, "Hello"))).message).toContain("makes embeddings, not text (t5)");
  });

  it.each([
    ["no weights of the dense layer", (files: Map<string, Uint8Array>) => void files.delete("2_Dense/model.safetensors"), "model-layout"],
    ["an activation that is not known", replace("2_Dense/config.json", "Identity", "GELU"), "model-config-field"],
    ["a dense layer of another width", replace("2_Dense/config.json", '"in_features": 32', '"in_features": 16'), "model-config-field"],
    ["another family", replace("config.json", '"model_type": "t5"', '"model_type":"mpnet"'), "model-architecture"],
    ["a module that is not known", replace("modules.json", "models.Dense", "models.CNN"), "model-architecture"],
  ])("refuses %s", async (_, change, code) => {
    expect((await failure(spell.embeddings(saveSentence("sentence-t5", change)))).code).toBe(code);
  });
});

function replace(file: string, from: string, to: string) {
  return (files: Map<string, Uint8Array>): void => {
    const text = new TextDecoder().decode(files.get(file));
    const changed = text.replace(new RegExp(from.replaceAll(" ", "\\s*")), to);
    expect(changed).not.toBe(text);
    files.set(file, new TextEncoder().encode(changed));
  };
}

describe("what the files beside it say", () => {
  it("puts the prefixes of the model's own files before questions and documents", async () => {
    const model = await spell.embeddings(save("minilm", { prompts: { query: "query: ", passage: "answer: " } }), { device: "cpu" });
    expect(model.prefixes).toEqual({ query: "query: ", document: "answer: " });
    const [query, document] = [await model.embed(["the cat"], { query: true }), await model.embed(["the cat"])];
    const plain = await spell.embeddings(folders.minilm, { device: "cpu" });
    const [asQuery, asDocument] = (await plain.embed(["query: the cat", "answer: the cat"])).vectors;
    expect(distance(query.vectors[0]!, asQuery!)).toBeLessThan(1e-6);
    expect(distance(document.vectors[0]!, asDocument!)).toBeLessThan(1e-6);
    await model.dispose();
    await plain.dispose();
  });

  it("pools as it is asked, in place of what they say", async () => {
    const other = save("minilm");
    const file = join(other, "1_Pooling/config.json");
    const modes = JSON.parse(readFileSync(file, "utf8")) as object;
    writeFileSync(file, JSON.stringify({ ...modes, pooling_mode_cls_token: true, pooling_mode_mean_tokens: false }));
    const [mean, cls, asked] = await Promise.all([
      spell.embed(folders.minilm, ["the cat"], { device: "cpu" }),
      spell.embed(other, ["the cat"], { device: "cpu" }),
      spell.embed(folders.minilm, ["the cat"], { device: "cpu", pooling: "cls" }),
    ]);
    expect(distance(asked.vectors[0]!, cls.vectors[0]!)).toBeLessThan(1e-6);
    expect(distance(asked.vectors[0]!, mean.vectors[0]!)).toBeGreaterThan(0.01);
    expect((await failure(spell.embed(folders.minilm, ["a"], { pooling: "last" }))).message).toContain(
      "pooling: expected mean or cls, got last; ",
    );
    expect((await failure(spell.embed(folders.minilm, ["a"], { pooling: "max" as never }))).message).toContain(
      'pooling: expected mean or cls for a checkpoint, or what a GGUF file says of itself (mean, cls, last), got "max"',
    );
    expect((await failure(spell.load("tiny-stories", { pooling: "cls" }))).code).toBe("run-option");
  });

  it("reads no more tokens than sentence_bert_config.json says", async () => {
    const model = await spell.embeddings(save("minilm", { maxLength: 16 }), { device: "cpu" });
    expect(model.contextLength).toBe(16);
    await model.dispose();
  });

  it("tells what the model is, without loading it", async () => {
    const info = await spell.models.info(folders.e5);
    expect(info).toMatchObject({
      architecture: "xlm-roberta",
      capabilities: ["embedding"],
      contextLength: 96,
      embeddingLength: 32,
      format: "safetensors",
    });
  });
});

describe("what is refused", () => {
  it("writes no text, and says which command makes vectors", async () => {
    const error = await failure(spell.generate(folders.minilm, "Hello"));
    expect(error.code).toBe("model-architecture");
    expect(error.message).toContain("makes embeddings, not text (bert)");
    expect(error.actions[0]).toEqual({ kind: "embed", model: folders.minilm });
  });

  it("makes no vectors of a model that writes text", async () => {
    const error = await failure(spell.embeddings("tiny-t5-en-fr"));
    expect(error.code).toBe("model-architecture");
    expect(error.message).toContain("tiny-t5-en-fr makes no embeddings");
  });

  it.each(["cpu", "wasm"] as const)("weights in 8 bits that hold what is no number, on %s: run-nan", async (device) => {
    const folder = save("e5-multilingual");
    const path = join(folder, "model.safetensors");
    const bytes = readFileSync(path);
    const name = "encoder.layer.0.attention.self.query.weight";
    const header = Number(bytes.readBigUInt64LE(0));
    const tensors = JSON.parse(bytes.toString("utf8", 8, 8 + header)) as Record<string, { readonly data_offsets: readonly number[] }>;
    bytes.writeFloatLE(Number.NaN, 8 + header + tensors[name]!.data_offsets[0]!);
    writeFileSync(path, bytes);
    const error = await failure(spell.embed(folder, ["the cat"], { device, quantization: "q8" }));
    expect(error).toMatchObject({
      code: "run-nan",
      where: name,
      message: `tensor ${name} holds what is no number; expected finite weights`,
    });
  });

  it.each([
    ["relative positions", { position_embedding_type: "relative_key" }, "model-config-field"],
    ["heads that do not divide", { num_attention_heads: 5 }, "model-config-field"],
    ["another activation", { hidden_act: "silu" }, "model-config-field"],
    ["tables of another size", { vocab_size: 400 }, "safetensors-shape"],
    ["layers that are missing", { num_hidden_layers: 9 }, "safetensors-missing"],
  ])("%s", async (_, config, code) => {
    expect((await failure(spell.embeddings(save("minilm", { config })))).code).toBe(code);
  });
});
