/** What the kernels of llama.cpp in WebAssembly lose: perplexity beside the native engine's, format by format, on stories that the bundled model draws. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { beforeAll, describe, expect } from "vitest";
import { load } from "../../src/node/index.ts";
import { temporaryFile, tinyStories } from "../node/support/engine.ts";
import { onlyWhere } from "../support/only-where.ts";
import { root, sharedModel } from "../support.ts";

const stories = temporaryFile("stories.txt", new Uint8Array());
beforeAll(async () => {
  const texts: string[] = [];
  await using model = await load("tiny-stories", { device: "cpu", threads: 1 });
  for (let seed = 1; texts.join(" ").split(/\s+/).length < 2300; seed += 1)
    texts.push((await model.generate("Once upon a time", { temperature: 0.8, seed, maxTokens: 300 })).text);
  writeFileSync(stories, texts.join("\n"));
});

function logprobs(engine: "native" | "kernels", model: string): readonly (number | null)[] {
  // it ends by a signal
  const { stdout, stderr } = spawnSync(process.execPath, [`${root}test/long/perplexity.mjs`, engine, model, stories], { encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  return (JSON.parse(stdout) as { readonly logprobs: readonly (number | null)[] }).logprobs;
}

const perplexity = (values: readonly number[]): number => Math.exp(-values.reduce((sum, value) => sum + value, 0) / values.length);

describe("perplexity in WebAssembly is within 0.5 % of native", () => {
  for (const name of [
    "tiny-stories, Q8_0",
    "tiny-stories/tiny-stories-Q4_K.gguf",
    "tiny-stories/tiny-stories-F16.gguf",
    "smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf",
  ]) {
    const path = name === "tiny-stories, Q8_0" ? tinyStories : sharedModel(name);
    onlyWhere(path === undefined ? "no models beside the project" : undefined).it(name, () => {
      const [native, ours] = [logprobs("native", path ?? ""), logprobs("kernels", path ?? "")];
      const pairs = native.flatMap((theirs, at) => {
        const own = ours[at];
        return theirs === null || own === null || own === undefined ? [] : [[theirs, own] as const];
      });
      expect(pairs.length).toBeGreaterThanOrEqual(1950);
      const [a, b] = [perplexity(pairs.map(([theirs]) => theirs)), perplexity(pairs.map(([, own]) => own))];
      console.log(`${name}: ${a.toFixed(4)} native, ${b.toFixed(4)} in WebAssembly, ${pairs.length} tokens`);
      expect(Math.abs(b / a - 1)).toBeLessThan(0.005);
    });
  }
});
