/** What zod says of an answer is known to the compiler. */
import { expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { plainSchema } from "../../../src/core/grammar/constraint.ts";
import type { LanguageModel } from "../../../src/core/spec/language-model.ts";

it("the JSON of an answer has the type of its schema", () => {
  const schema = z.object({ city: z.string(), people: z.int() });
  const ask = async (model: LanguageModel) => (await model.generate("x", { jsonSchema: schema })).json;
  expectTypeOf(ask).returns.resolves.toEqualTypeOf<{ city: string; people: number } | undefined>();
  const plain = async (model: LanguageModel) => (await model.generate("x", { jsonSchema: { type: "object" } })).json;
  expectTypeOf(plain).returns.resolves.toEqualTypeOf<unknown>();
  expect(plainSchema(schema, "jsonSchema")).toMatchObject({ type: "object", required: ["city", "people"] });
});
