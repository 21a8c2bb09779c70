/** Random schemas against independent judges: whatever our grammar writes, ajv and zod take, and so do our own judge and our matcher. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, it } from "vitest";
import { createGrammarBuilder } from "../../../src/core/grammar/builder.ts";
import { constraintOf } from "../../../src/core/grammar/constraint.ts";
import { createMatcher } from "../../../src/core/grammar/matcher.ts";
import { validator } from "../../../src/core/grammar/validate.ts";
import { seededRandom } from "../../../src/core/sampling.ts";
import { isLong } from "../../support.ts";
import { randomSchema, zodOf } from "./random-schemas.ts";
import { sampler } from "./schemas.ts";

const schemas = isLong ? 20_000 : 100;
const ajv = new Ajv2020({ strict: false, validateFormats: false, ownProperties: true });

it(`${schemas} random schemas: all texts parse and validate, or the schema is refused by its path`, () => {
  let refused = 0;
  let byZod = 0;
  for (let seed = 1; seed <= schemas; seed += 1) {
    const random = seededRandom(seed);
    const schema = randomSchema(random);
    const shown = JSON.stringify(schema);
    let held: ReturnType<typeof constraintOf>;
    try {
      held = constraintOf({ jsonSchema: schema });
    } catch (error) {
      expect([shown, error]).toEqual([shown, expect.objectContaining({ code: "run-option", where: expect.stringMatching(/^jsonSchema/) })]);
      refused += 1;
      continue;
    }
    if (held.kind !== "jsonSchema") throw new Error("another form");
    const matcher = createMatcher(held.grammar);
    const own = validator(held.schema, createGrammarBuilder("test"));
    const judge = ajv.compile(schema as object);
    const zod = zodOf(schema);
    if (zod !== undefined) byZod += 1;
    const write = sampler(held.grammar, random);
    for (let n = 0; n < 4; n += 1) {
      const text = write();
      const value: unknown = JSON.parse(text);
      const verdicts = { ajv: judge(value), zod: zod?.safeParse(value).error?.message, own: own(value), matcher: matcher.accepts(text) };
      expect([seed, shown, text, verdicts]).toEqual([seed, shown, text, { ajv: true, zod: undefined, own: true, matcher: true }]);
    }
    if (typeof schema === "object") ajv.removeSchema(schema);
  }
  console.log(`${schemas} schemas: ${refused} refused, ${byZod} judged by zod too`);
  expect(refused).toBeLessThan(schemas / 3);
  expect(byZod).toBeGreaterThan(schemas / 3);
});
