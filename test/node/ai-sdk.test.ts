/** The AI SDK (ai 6.0.326) over the bundled model on llama.cpp: what a scripted one cannot hold or make. */
import { embedMany, generateText, Output } from "ai";
import { afterAll, expect, it } from "vitest";
import { z } from "zod";
import { createLlmspell } from "../../src/core/ai-sdk/index.ts";
import { createSpell } from "../../src/node/main.ts";

const spell = createSpell({ config: {}, env: {} });
afterAll(() => spell.dispose());
const llmspell = createLlmspell(spell);

it("objects keep their schema", async () => {
  const schema = z.object({ name: z.string().max(8), age: z.int().min(1).max(9) });
  const { output } = await generateText({
    model: llmspell("tiny-stories"),
    output: Output.object({ schema }),
    prompt: "A cat",
    maxOutputTokens: 64,
    seed: 1,
  });
  expect(schema.safeParse(output)).toMatchObject({ success: true });
});

it("vectors are numbers, one list for each text", async () => {
  const { embeddings, usage } = await embedMany({ model: llmspell.embeddingModel("tiny-stories"), values: ["a cat", "a dog"] });
  expect(embeddings.map((vector) => Math.hypot(...vector))).toEqual([expect.closeTo(1, 4), expect.closeTo(1, 4)]);
  expect(usage.tokens).toBeGreaterThan(2);
});
