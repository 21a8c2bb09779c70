/** What zod, ArkType and Valibot say of an answer is known to the compiler. */
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { type } from "arktype";
import * as v from "valibot";
import { expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { plainSchema } from "../../../src/core/grammar/constraint.ts";
import type { LanguageModel } from "../../../src/core/spec/language-model.ts";

it("the JSON of an answer has the type of its schema", () => {
  const schema = z.object({ city: z.string(), people: z.int() });
  const ask = async (model: LanguageModel) => (await model.generate("x", { jsonSchema: schema })).json;
  expectTypeOf(ask).returns.resolves.toEqualTypeOf<{ city: string; people: number } | undefined>();
  const arkSchema = type({ city: "string", people: "number.integer" });
  const ark = async (model: LanguageModel) => (await model.generate("x", { jsonSchema: arkSchema })).json;
  expectTypeOf(ark).returns.resolves.toEqualTypeOf<{ city: string; people: number } | undefined>();
  const valibotSchema = toStandardJsonSchema(v.object({ city: v.string(), people: v.number() }));
  const valibot = async (model: LanguageModel) => (await model.generate("x", { jsonSchema: valibotSchema })).json;
  expectTypeOf(valibot).returns.resolves.toEqualTypeOf<{ city: string; people: number } | undefined>();
  const plain = async (model: LanguageModel) => (await model.generate("x", { jsonSchema: { type: "object" } })).json;
  expectTypeOf(plain).returns.resolves.toEqualTypeOf<unknown>();
  expect(plainSchema(schema, "jsonSchema")).toMatchObject({ type: "object", required: ["city", "people"] });
});
