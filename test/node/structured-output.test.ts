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
