/**
 * GGUF on WebGPU in Node, for real: the optional package `webgpu` (Dawn), and Mesa's llvmpipe for a card. Dawn has been seen to end its process on
 * software adapters, which the wall around the engine turns into run-crash: such a try does not count, three in a row do.
 */

import { describe, expect, inject, it } from "vitest";
import { load, SpellError } from "../../src/node/index.ts";
import { textOf } from "../support/text-of.ts";

const reason = inject("missingGpu");
const greedy = { temperature: 0, repeatPenalty: 1, maxTokens: 24 } as const;

async function answerOn(device: "cpu" | "webgpu", prompt: string): Promise<{ text: string; report: unknown; hint: string | undefined }> {
  await using model = await load("tiny-stories", { device });
  return { text: await textOf(model.stream(prompt, greedy)), report: model.device, hint: model.device!.tried.at(-1)?.hint };
}

async function withoutCrash<T>(work: () => Promise<T>, tries = 3): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SpellError && error.code === "run-crash") || tries === 1) throw error;
    console.log(`Dawn ended its process: ${error.message}`);
    return withoutCrash(work, tries - 1);
  }
}

describe.skipIf(reason !== "")(`GGUF on WebGPU in Node${reason === "" ? "" : ` (skipped: ${reason})`}`, () => {
  it("writes what the processor writes, with all layers on the card", async () => {
    const prompt = "Once upon a time";
    const expected = await answerOn("cpu", prompt);
    const { text, report, hint } = await withoutCrash(() => answerOn("webgpu", prompt));
    expect(report).toMatchObject({ chosen: "webgpu", runtime: "wllama" });
    expect(hint).toMatch(/(\d+) of \1 layers/);
    expect(text).toBe(expected.text);
    expect(text.length).toBeGreaterThan(60);
  }, 170_000);
});
