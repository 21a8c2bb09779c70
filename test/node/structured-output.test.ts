/** Forms of answers on the real runtimes of Node, and our walk against llama.cpp's own. */
import { getLlama } from "node-llama-cpp";
import { expect, it } from "vitest";
import { toGbnf } from "../../src/core/grammar/gbnf.ts";
import { schemaGrammar } from "../../src/core/grammar/json-schema.ts";
import { createMatcher } from "../../src/core/grammar/matcher.ts";
import { seededRandom } from "../../src/core/sampling.ts";
import { load } from "../../src/node/index.ts";
import { heldAnswersContract } from "../contract/held-answers.ts";
import { heldSchemas, sampler } from "../core/grammar/schemas.ts";
import { f32Tensor, tinyLlama } from "../fixtures/gguf/models.ts";
import { writeGguf } from "../fixtures/gguf-writer.ts";
import { isLong } from "../support.ts";
import { temporaryFile } from "./support/engine.ts";

const seeds = isLong ? 40 : 2;
heldAnswersContract("node-llama-cpp", () => load("tiny-stories", { device: "cpu" }), seeds);
heldAnswersContract("wllama", () => load("tiny-stories", { device: "wasm" }), seeds);
heldAnswersContract("T5", () => load("tiny-t5-en-fr"), seeds);

it("both runtimes of llama.cpp find choices equally likely, and rate none where they are too many", async () => {
  const choices = ["happy", "sad", "happy and sad", "a {table}"];
  const all = [];
  for (const device of ["cpu", "wasm"] as const) {
    await using model = await load("tiny-stories", { device });
    const { text, choiceLogprobs } = await model.generate("The girl was very", { choices, raw: true, temperature: 0 });
    all.push({ text, best: choiceLogprobs?.map((value) => Number(value.toFixed(0))).slice(0, 3) });
    const next = await model.generate(`The girl was very${text}. She`, { raw: true, maxTokens: 1 });
    expect(next.usage.cachedTokens).toBeGreaterThan(4);
    if (device === "cpu") {
      const many = Array.from({ length: 300 }, (_, n) => `choice ${n}`);
      expect((await model.generate("Take", { choices: many, raw: true })).choiceLogprobs).toBeUndefined();
    }
  }
  // the formats of their numbers differ a little
  expect(all[1]).toEqual(all[0]);
  expect(all[0]?.best).toEqual([-2, -0, -7]);
});

it.each(["cpu", "wasm"] as const)(
  "bytes that the engine's grammar takes for a character, and that are none, cut the answer: %s",
  async (device) => {
    // U+2028 is E2 80 A8, and U+1F600 F0 9F 98 80: with both allowed the engine takes F0 82 80 A8 for the first.
    const spec = tinyLlama();
    const found = new Set<string>();
    for (const sign of [1, -1]) {
      const weights: Partial<Record<number, number>> = { [3 + 0xf0]: sign, [3 + 0xe2]: -sign, [3 + 0x82]: sign, [3 + 0x9f]: -sign };
      const rows = f32Tensor("output.weight", [64, 320], (i) => weights[Math.floor(i / 64)] ?? 0);
      const tensors = spec.tensors.map((tensor) => (tensor.name === "output.weight" ? rows : tensor));
      await using model = await load(temporaryFile(`no-text-${sign}.gguf`, writeGguf({ ...spec, tensors })), { device });
      for (const prompt of ["a b", "c", "a b c d"]) {
        const options = { regex: "[\u2028\u{1f600}]", raw: true, temperature: 0, maxTokens: 8 };
        const { text, finishReason, warnings } = await model.generate(prompt, options);
        found.add(
          JSON.stringify([text, finishReason, ...warnings.filter(({ code }) => code === "output-invalid").map(({ message }) => message)]),
        );
      }
    }
    const cut = ["", "length", "the model wrote bytes that are not text; the answer ends there"];
    expect([...found].map((each) => JSON.parse(each) as unknown)).toContainEqual(cut);
    for (const each of found) expect([JSON.stringify(cut), '["\u2028","stop"]', '["\u{1f600}","stop"]']).toContain(each);
  },
);

it("T5 tells how likely each choice is, a letter that it lacks as the one that stands for it", async () => {
  const model = await load("tiny-t5-en-fr");
  try {
    const { choiceLogprobs = [] } = await model.generate("The cat is black.", { choices: ["le chat est noir", "{a}", "(a)"] });
    const [best = 0, braces = 0, brackets = 0] = choiceLogprobs;
    expect(choiceLogprobs.reduce((sum, value) => sum + Math.exp(value), 0)).toBeCloseTo(1, 5);
    expect(best).toBeGreaterThan(braces);
    expect(braces).toBeCloseTo(brackets, 4);
    expect(await model.generate("The cat is black.", { regex: "[a-z]{3}" })).not.toHaveProperty("choiceLogprobs", expect.anything());
  } finally {
    await model.dispose();
  }
});

it("reads grammars as llama.cpp does, whole texts and damaged ones", async () => {
  const llama = await getLlama({ gpu: false, build: "never", skipDownload: true });
  for (const [name, schema] of Object.entries(heldSchemas)) {
    const grammar = schemaGrammar(schema);
    const matcher = createMatcher(grammar);
    const native = (await llama.createGrammar({ grammar: toGbnf(grammar) })) as unknown as { _testText(text: string): boolean };
    const write = sampler(grammar, seededRandom(5));
    for (let n = 0; n < (isLong ? 300 : 4); n += 1) {
      const text = write();
      const at = n % text.length;
      const damaged = Array.from(text)
        .toSpliced(at, n % 2, '"}],:x0'[n % 7] ?? "x")
        .join("");
      expect([name, text, native._testText(text)]).toEqual([name, text, matcher.accepts(text)]);
      expect([name, damaged, native._testText(damaged)]).toEqual([name, damaged, matcher.accepts(damaged)]);
    }
  }
  await llama.dispose();
});
