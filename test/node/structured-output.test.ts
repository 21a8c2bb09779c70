/** Forms of answers on the real runtimes of Node, and our walk against llama.cpp's own. */
import { getLlama } from "node-llama-cpp";
import { expect, it } from "vitest";
import { toGbnf } from "../../src/core/grammar/gbnf.ts";
import { schemaGrammar } from "../../src/core/grammar/json-schema.ts";
import { createMatcher } from "../../src/core/grammar/matcher.ts";
import { seededRandom } from "../../src/core/t5/sampling.ts";
import { load } from "../../src/node/index.ts";
import { heldAnswersContract } from "../contract/held-answers.ts";
import { heldSchemas, sampler } from "../core/grammar/schemas.ts";
import { isLong } from "../support.ts";

const seeds = isLong ? 40 : 2;
heldAnswersContract("node-llama-cpp", () => load("tiny-stories", { device: "cpu" }), seeds);
heldAnswersContract("wllama", () => load("tiny-stories", { device: "wasm" }), seeds);
heldAnswersContract("T5", () => load("tiny-t5-en-fr"), seeds);

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
