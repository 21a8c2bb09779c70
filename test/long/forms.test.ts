/**
 * Answers of real runtimes to random schemas, at temperatures up to 1.5: what ends with `stop` parses and validates by ajv and zod, or the schema was refused
 * by its path. LLMSPELL_FORMS: how many schemas each runtime gets. `npm run test:long -- forms`
 */
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, it } from "vitest";
import { SpellError } from "../../src/core/errors.ts";
import { seededRandom } from "../../src/core/sampling.ts";
import { load } from "../../src/node/index.ts";
import { randomSchema, zodOf } from "../core/grammar/random-schemas.ts";

const count = Number(process.env["LLMSPELL_FORMS"] ?? 5000);
const ajv = new Ajv2020({ strict: false, validateFormats: false, ownProperties: true });

it.each([
  ["T5", "tiny-t5-en-fr", "cpu"],
  ["llama.cpp in WebAssembly", "tiny-stories", "wasm"],
  ["llama.cpp", "tiny-stories", "cpu"],
] as const)(`${count} random schemas: %s`, async (name, spec, device) => {
  await using model = await load(spec, { device });
  const ends = { stop: 0, length: 0, refused: 0 };
  let byZod = 0;
  for (let seed = 1; seed <= count; seed += 1) {
    const random = seededRandom(seed);
    const jsonSchema = randomSchema(random);
    const options = { jsonSchema, seed, temperature: 0.1 + 1.4 * random(), maxTokens: 100 };
    const answer = await model.generate("Once there was a girl.", options).catch((error: unknown) => error);
    const shown = JSON.stringify({ seed, jsonSchema });
    if (answer instanceof SpellError && answer.code === "run-option" && answer.where?.startsWith("jsonSchema") === true) ends.refused += 1;
    else if (answer instanceof Error) throw new Error(`${name}: ${shown}`, { cause: answer });
    else {
      const { text, json, finishReason } = answer as Awaited<ReturnType<typeof model.generate>>;
      if (finishReason === "stop") {
        ends.stop += 1;
        const value: unknown = JSON.parse(text);
        const zod = zodOf(jsonSchema);
        if (zod !== undefined) byZod += 1;
        const verdict = { json, ajv: ajv.compile(jsonSchema as object)(value), zod: zod?.safeParse(value).error?.message };
        expect([shown, text, verdict]).toEqual([shown, text, { json: value, ajv: true, zod: undefined }]);
        if (typeof jsonSchema === "object") ajv.removeSchema(jsonSchema);
      } else {
        ends.length += 1;
        expect([shown, finishReason, json]).toEqual([shown, "length", undefined]);
      }
    }
    if (seed % 500 === 0) console.log(name, seed, ends, `${byZod} judged by zod too`);
  }
  expect(ends.stop).toBeGreaterThan(count / 4);
});
