/** Cross-encoders through the public entry of Node: the contract on both runtimes, what is refused. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createFetch, createSpell } from "../../src/node/index.ts";
import { nodePlatform } from "../../src/node/platform.ts";
import { rerankModelContract } from "../contract/rerank-model.ts";
import {
  type BertSpec,
  type BertWriterOptions,
  bertGolden,
  rerankGolden as golden,
  type RerankSpec,
  writeBert,
} from "../fixtures/bert-writer.ts";
import { failure } from "../support/failure.ts";

const home = mkdtempSync(join(tmpdir(), "llmspell-rerank-"));
const spell = createSpell({ platform: nodePlatform({ modelFolder: join(home, "models") }) });
afterAll(async () => {
  await spell.dispose();
  rmSync(home, { recursive: true, force: true });
});

const specOf = (name: string) => golden.models.find((model) => model.name === name)!;
let count = 0;

/** @returns the folder of a checkpoint */
function save(spec: BertSpec | RerankSpec, options?: BertWriterOptions): string {
  count += 1;
  const folder = join(home, `${spec.name}-${count}`);
  for (const [file, bytes] of writeBert(bertGolden, spec, options)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), bytes);
  }
  return folder;
}

const minilm = save(specOf("ms-marco-minilm"), { prefix: "bert." });

for (const [runtime, device] of [
  ["onnxruntime-node", "cpu"],
  ["onnxruntime-web in Node", "wasm"],
] as const) {
  rerankModelContract(`BERT on ${runtime}`, { open: () => spell.reranker(minilm, { device }), word: "cat", around: 3 });
}

it("says what it is for, without being loaded", async () => {
  expect(await spell.models.info(minilm)).toMatchObject({ architecture: "bert", capabilities: ["reranking"], contextLength: 96 });
});

it("ranks documents over HTTP, the best first; names no path where it cannot", async () => {
  const fetch = createFetch(spell, { models: { ranker: minilm } });
  const ask = async (path: string, body: object) => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`http://here${path}`, { method: "POST", headers, body: JSON.stringify({ model: "ranker", ...body }) });
    return { status: response.status, json: await response.json() };
  };
  const texts = ["the river", "old cat", "a good house"];
  const { scores, tokens } = await spell.rerank(minilm, "the river", texts);
  const best = [0, 1, 2].sort((a, b) => scores[b]! - scores[a]!);
  const body = { query: "the river", documents: ["the river", { text: "old cat" }, "a good house"], top_n: 2, return_documents: true };
  expect(await ask("/v1/rerank", body)).toEqual({
    status: 200,
    json: {
      id: expect.stringMatching(/^rerank-/),
      object: "list",
      model: "ranker",
      results: best.slice(0, 2).map((index) => ({ index, relevance_score: scores[index], document: { text: texts[index] } })),
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    },
  });
  for (const [param, wrong] of [
    ["documents", { documents: [] }],
    ["documents[1]", { documents: ["a", 5] }],
    ["query", { query: "" }],
    ["top_n", { top_n: 0 }],
  ] as const)
    expect(await ask("/v1/rerank", { ...body, ...wrong })).toMatchObject({ status: 400, json: { error: { param } } });
  const { status, json } = await ask("/v1/chat/completions", { messages: [{ role: "user", content: "Hi" }] });
  expect([status, JSON.stringify(json)]).toEqual([400, expect.not.stringContaining(home)]);
});

describe("what is refused", () => {
  it.each([
    ["text", () => spell.generate(minilm, "Hello"), "scores pairs of texts, not text (bert)", { kind: "rerank", model: minilm }],
    ["vectors", () => spell.embed(minilm, ["Hello"]), "makes no embeddings: it scores pairs of texts", { kind: "rerank", model: minilm }],
  ])("%s of a cross-encoder, with the command that scores", async (_, call, message, action) => {
    const error = await failure(call());
    expect(error.code).toBe("model-architecture");
    expect(error.message).toContain(message);
    expect(error.actions).toContainEqual(action);
  });

  it("scores of models that make vectors or text, with the command that does", async () => {
    const encoder = save(bertGolden.models.find(({ name }) => name === "bge")!);
    for (const [model, action] of [
      [encoder, { kind: "embed", model: encoder }],
      ["tiny-t5-en-fr", { kind: "run", model: "tiny-t5-en-fr" }],
      ["tiny-stories", { kind: "run", model: "tiny-stories" }],
    ] as const) {
      const error = await failure(spell.rerank(model, "a", ["b"]));
      expect(error.code).toBe("model-architecture");
      expect(error.message).toContain("does not re-rank");
      expect(error.actions).toContainEqual(action);
    }
  });

  it.each([
    ["several classes", { id2label: { 0: "a", 1: "b", 2: "c" } }, "model-architecture", "this model sorts into 3 classes"],
    ["classes that are not counted", { id2label: undefined }, "model-architecture", "this model sorts into 2 classes"],
    ["another activation", { sbert_ce_default_activation_function: "torch.nn.ReLU" }, "model-config-field", "expected Identity or Sigmoid"],
    ["a head that is missing", { model_type: "roberta" }, "safetensors-missing", "classifier.dense.weight"],
  ])("%s", async (_, config, code, message) => {
    const error = await failure(spell.reranker(save(specOf("ms-marco-minilm"), { prefix: "bert.", config })));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });
});
