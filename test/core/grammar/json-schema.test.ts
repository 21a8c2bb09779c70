import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { Ajv2020 } from "ajv/dist/2020.js";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createGrammarBuilder } from "../../../src/core/grammar/builder.ts";
import { constraintOf, plainSchema } from "../../../src/core/grammar/constraint.ts";
import { schemaGrammar } from "../../../src/core/grammar/json-schema.ts";
import { createMatcher } from "../../../src/core/grammar/matcher.ts";
import { createJudge, misfitText, validator } from "../../../src/core/grammar/validate.ts";
import { seededRandom } from "../../../src/core/sampling.ts";
import type { JsonSchema } from "../../../src/core/spec/schema.ts";
import { inputProblem } from "../../../src/core/tools/input-problem.ts";
import { failure } from "../../support/failure.ts";
import { isLong } from "../../support.ts";
import { heldSchemas, hostileSchemas, refusedSchemas, sampler } from "./schemas.ts";

const samples = isLong ? 400 : 15;
const ajv = new Ajv2020({ strict: false, validateFormats: false });

describe("texts of a schema's grammar", () => {
  it.each(Object.entries(heldSchemas))("%s: parse, validate by ajv and by our own judge, and pass the matcher", (name, schema) => {
    const grammar = schemaGrammar(schema);
    const matcher = createMatcher(grammar);
    // draft-07 in the one case that is written in it
    const judge = name === "older" ? (value: unknown) => Array.isArray(value) && value.length >= 3 : ajv.compile(schema as object);
    const own = validator(schema, createGrammarBuilder("test"));
    const write = sampler(grammar, seededRandom(7));
    for (let n = 0; n < samples; n += 1) {
      const text = write();
      const value: unknown = JSON.parse(text);
      expect([text, judge(value), own(value), matcher.accepts(text)]).toEqual([text, true, true, true]);
    }
  });

  it("refuses what is damaged, as ajv does", () => {
    const schema = heldSchemas["person"] ?? {};
    const matcher = createMatcher(schemaGrammar(schema));
    expect(matcher.accepts('{"name": "A", "age": 31}')).toBe(true);
    for (const text of [
      '{"name": "A"}',
      '{"name": "A", "age": 151}',
      '{"name": "A", "age": 3.5}',
      '{"age": 3, "name": "A"}',
      '{"name": "A", "age": 3',
      "{}",
    ])
      expect([text, matcher.accepts(text)]).toEqual([text, false]);
  });
});

describe("what does not keep a schema is told with its place", () => {
  const address = {
    type: "object",
    properties: { city: { type: "string", minLength: 2 }, zip: { pattern: "^[0-9]{4}$" } },
    required: ["city"],
  };
  const schema = {
    type: "object",
    properties: {
      name: { type: "string", maxLength: 3 },
      age: { type: "integer", minimum: 0, exclusiveMaximum: 150 },
      tags: { type: "array", items: { enum: ["a", "b"] }, minItems: 1 },
      home: { $ref: "#/$defs/address" },
      when: { format: "date" },
      shape: {
        anyOf: [
          { type: "object", properties: { kind: { const: "circle" }, r: { type: "number" } }, required: ["kind", "r"] },
          { type: "null" },
        ],
      },
    },
    additionalProperties: false,
    $defs: { address },
  };
  it.each([
    [{ name: "Anna" }, '.name: expected at most 3 characters, got "Anna"'],
    [{ age: "4" }, '.age: expected integer, got "4"'],
    [{ age: -1 }, ".age: expected at least 0, got -1"],
    [{ age: 150 }, ".age: expected less than 150, got 150"],
    [{ tags: [] }, ".tags: expected at least 1 items, got []"],
    [{ tags: ["a", "c"] }, '.tags[1]: expected one of "a", "b", got "c"'],
    [{ home: {} }, ".home.city: expected a value, got none"],
    [{ home: { city: "x" } }, '.home.city: expected at least 2 characters, got "x"'],
    [{ home: { city: "xy", zip: "12" } }, '.home.zip: expected text of the pattern ^[0-9]{4}$, got "12"'],
    [{ when: "today" }, '.when: expected text of the format date, got "today"'],
    [{ shape: { kind: "circle", r: "1" } }, '.shape.r: expected number, got "1"'],
    [{ shape: 5 }, ".shape: expected a value of one of 2 forms, got 5"],
    [{ nam: 1 }, ": expected no members but name, age, tags, home, when, shape, got nam"],
    [[], ": expected object, got []"],
  ])("%j", (value, expected) => {
    for (const judge of [createJudge(schema), createJudge(schema, createGrammarBuilder("test"))]) {
      const misfit = judge(value);
      expect(misfit && misfitText("", misfit)).toBe(expected);
    }
    expect(ajv.compile(schema)(value)).toBe(typeof (value as { when?: unknown }).when === "string");
  });

  it("where a stranger's schema cannot be judged, that part is passed over and the rest is not", () => {
    const odd = {
      type: "object",
      properties: {
        a: { pattern: "(?=x)" },
        b: { $ref: "http://elsewhere" },
        c: { type: "integer" },
        d: { minimum: "3", required: 7 },
        e: { $ref: "#/properties/e" },
      },
      patternProperties: { "^x-": {} },
      additionalProperties: false,
      required: "c",
    };
    const judge = createJudge(odd as never);
    expect(judge({ a: "y", b: 1, c: 1, d: 2, e: 3, "x-1": 4 })).toBeUndefined();
    expect(judge({ a: "y", b: 1, c: "1" })).toEqual({ path: ".c", expected: "integer", got: '"1"' });
  });
});

const zodKinds: Readonly<Record<string, z.ZodType>> = {
  strings: z.object({
    a: z.string().min(1).max(5),
    b: z.enum(["x", "y"]),
    c: z.literal([1, "two", null]),
    d: z.string().regex(/^[a-f]+$/),
  }),
  formats: z.object({ e: z.email(), u: z.uuid(), d: z.iso.date(), dt: z.iso.datetime(), t: z.iso.time(), url: z.url(), ip: z.ipv4() }),
  numbers: z.object({ i: z.int().min(-3).max(12), n: z.number().gt(0).lte(1), p: z.number().positive(), f: z.int() }),
  union: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("a"), x: z.number() }),
    z.object({ kind: z.literal("b"), y: z.string().optional() }),
  ]),
  lists: z
    .array(z.tuple([z.string(), z.boolean()]))
    .min(1)
    .max(3),
  records: z.record(z.enum(["a", "b"]), z.number().nullable()),
  open: z.record(z.string(), z.array(z.unknown())),
};

describe("schemas of zod", () => {
  it("made into JSON Schema count as they stand, not as what they were made of", () => {
    const made = z.toJSONSchema(z.object({ a: z.string(), at: z.date() }), { unrepresentable: "any", io: "input" });
    const changed = made as unknown as { properties: { a: object } };
    changed.properties.a = { enum: ["only this"] };
    expect(plainSchema(made, "jsonSchema")).toMatchObject({ properties: { a: { enum: ["only this"] }, at: {} } });
    expect(inputProblem(made as never, { a: "x", at: 1 })).toBe('input.a: expected "only this", got "x"');
    expect(inputProblem(made as never, { a: "only this", at: 1 })).toBeUndefined();
  });

  it.each(Object.entries(zodKinds))("%s: every text passes zod's own check", (_, schema) => {
    const write = sampler(schemaGrammar(plainSchema(schema, "jsonSchema")), seededRandom(3));
    for (let n = 0; n < samples; n += 1) {
      const text = write();
      expect([text, schema.safeParse(JSON.parse(text)).error?.message]).toEqual([text, undefined]);
    }
  });

  it.each([
    ["ArkType", type({ name: "0 < string <= 5", age: "0 <= number.integer <= 120", "tag?": "'a' | 'b'", list: "(boolean | null)[] <= 3" })],
    [
      "Valibot",
      toStandardJsonSchema(
        v.object({
          name: v.pipe(v.string(), v.minLength(1), v.maxLength(5)),
          age: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(120)),
          tag: v.optional(v.picklist(["a", "b"])),
          list: v.pipe(v.array(v.nullable(v.boolean())), v.maxLength(3)),
        }),
      ),
    ],
  ])("of %s too", (_, schema) => {
    const write = sampler(schemaGrammar(plainSchema(schema, "jsonSchema")), seededRandom(3));
    for (let n = 0; n < samples; n += 1) {
      const text = write();
      expect([text, schema["~standard"].validate(JSON.parse(text))]).toMatchObject([text, { value: JSON.parse(text) }]);
    }
  });

  it("are refused where they give no JSON Schema of themselves", () => {
    expect(() => plainSchema(z.date(), "jsonSchema")).toThrow(/jsonSchema: the schema gives no JSON Schema of itself/);
    expect(() => plainSchema({ "~standard": { version: 1, vendor: "x" } }, "jsonSchema")).toThrow(/gives its JSON Schema/);
  });
});

describe("what a grammar cannot hold", () => {
  it.each(Object.entries(refusedSchemas))("%s is refused by its path", (_, [schema, path]) => {
    let said: unknown;
    try {
      schemaGrammar(schema);
    } catch (error) {
      said = error;
    }
    expect(said).toMatchObject({ code: "run-option", where: `jsonSchema${path}` });
  });

  it.each(Object.entries(hostileSchemas))("%s ends soon", (_, schema) => {
    const started = performance.now();
    let result = "compiled";
    try {
      createMatcher(schemaGrammar(schema));
    } catch (error) {
      result = (error as { readonly code: string }).code;
    }
    expect(["compiled", "run-option"]).toContain(result);
    // 100 ms on a quiet machine
    expect(performance.now() - started).toBeLessThan(isLong ? 2000 : 1000);
  });
});

describe("constraintOf", () => {
  it("takes an empty table of Lua as a list of required members, and null as no form", () => {
    const schema = { type: "object", properties: { required: { type: "object", required: {} } }, required: {} };
    expect(constraintOf({ jsonSchema: schema })).toMatchObject({ schema: { properties: { required: { required: [] } }, required: [] } });
    for (const form of ["jsonSchema", "choices", "regex", "grammar"])
      expect(() => constraintOf({ [form]: null })).toThrow(new RegExp(`^${form}: expected`));
  });

  it.each([65, 2000, 8000, 100_000])("refuses a schema of %d levels", async (levels) => {
    let deep: JsonSchema = { type: "integer" };
    for (let level = 0; level < levels; level += 1) deep = { type: "array", items: deep };
    const error = await failure((async () => constraintOf({ jsonSchema: deep }))());
    expect(error).toMatchObject({
      code: "run-option",
      message: expect.stringMatching(/expected at most 64 nested levels, got more$/) as string,
    });
  });

  it("refuses soon what one object holds in so many places that its JSON would have no end", async () => {
    let shared: JsonSchema = { type: "integer" };
    for (let level = 0; level < 60; level += 1) shared = { type: "object", properties: { a: shared, b: shared } };
    const error = await failure((async () => constraintOf({ jsonSchema: shared }))());
    expect(error).toMatchObject({
      code: "run-option",
      message: "jsonSchema: expected a schema of at most 1,000,000 characters, got more",
    });
  });

  const accepts = (options: Parameters<typeof constraintOf>[0], text: string): boolean => {
    const held = constraintOf(options);
    return held.kind !== "grammar" && createMatcher(held.grammar).accepts(text);
  };

  it("takes choices and patterns as a whole", () => {
    expect(accepts({ choices: ["yes", "yes, sir", "no"] }, "yes")).toBe(true);
    expect(accepts({ choices: ["yes", "yes, sir", "no"] }, "yes, sir")).toBe(true);
    expect(accepts({ choices: ["yes", "yes, sir", "no"] }, "yes,")).toBe(false);
    expect(accepts({ regex: /[A-Z]{2}-\d+|none/ }, "AB-12")).toBe(true);
    expect(accepts({ regex: "^(?:ab)+$" }, "abab")).toBe(true);
    expect(accepts({ regex: /h[aeiou]+/i }, "HAe")).toBe(true);
    expect(accepts({ regex: "a" }, "xa")).toBe(false);
  });

  it.each([
    [{ choices: ["a"], regex: "a" }, "regex"],
    [{ choices: ["a", "a"] }, "choices"],
    [{ choices: [] }, "choices"],
    [{ choices: ["\ud800"] }, "choices"],
    [{ choices: ["yes", "\0"] }, "choices"],
    [{ choices: ["a"], numBeams: 4 }, "numBeams"],
    [{ choices: ["a"], noRepeatNgramSize: 2 }, "noRepeatNgramSize"],
    [{ regex: "a(" }, "regex"],
    [{ regex: /é/i }, "regex"],
    [{ regex: "(?<!a)b" }, "regex"],
    [{ grammar: " " }, "grammar"],
  ])("refuses %j", (options, where) => {
    expect(() => constraintOf(options)).toThrow(expect.objectContaining({ code: "run-option", where }) as Error);
  });
});

it.each(["^(a*)+$", "^(a?){999}$", "^(a|b*){2}$"])("a repetition of what may be empty is refused by its path: %s", (pattern) => {
  expect(() => schemaGrammar({ properties: { a: { type: "string", pattern } } })).toThrow(
    expect.objectContaining({ code: "run-option", where: "jsonSchema/properties/a/pattern" }),
  );
});

describe("half of a surrogate pair", () => {
  it.each(["^\\uD83D$", "^[\\uD800-\\uDBFF][\\uDC00-\\uDFFF]$", "^\ud83d$"])("is refused by its path: %s", (pattern) => {
    expect(() => schemaGrammar({ properties: { a: { type: "string", pattern } } })).toThrow(
      expect.objectContaining({ code: "run-option", where: "jsonSchema/properties/a/pattern" }),
    );
  });

  it("makes a letter with the other half, and is in no range", () => {
    for (const pattern of ["^[\\uD83D\\uDE00]$", "^\\ud83d\\ude00$"])
      expect(JSON.stringify(schemaGrammar({ type: "string", pattern }))).toContain("[[128512,128512]]");
    expect(JSON.stringify(schemaGrammar({ type: "string", pattern: "^[\\u0100-\\uFFFD]$" }))).toContain("[[256,55295],[57344,65533]]");
  });

  it("in an expression without the flag u is refused", () => {
    const source = ["[", "ud83d", "ude00]"].join("\\");
    expect(() => constraintOf({ regex: new RegExp(source) })).toThrow("expected the flag u");
  });
});

describe("hundreds of optional members", () => {
  const accepts = (schema: JsonSchema, text: string): boolean => createMatcher(schemaGrammar(schema)).accepts(text);
  const named = (count: number, required: readonly string[] = []) => ({
    type: "object",
    properties: Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, { type: "boolean" }])),
    required,
    additionalProperties: false,
  });
  const { rules, root } = schemaGrammar(named(800));
  it("are no deeper within each other than llama.cpp's stack in WebAssembly holds", () => {
    const known = new Map<string, number>();
    const depthOf = (name: string): number => {
      const found = known.get(name);
      if (found !== undefined) return found;
      known.set(name, 0);
      const depths = (rules[name] ?? []).map((items) => {
        let most = 0;
        for (const item of items) {
          if (!("rule" in item)) break;
          most = Math.max(most, depthOf(item.rule));
          if (!(rules[item.rule] ?? []).some((each) => each.length === 0)) break;
        }
        return most;
      });
      known.set(name, 1 + Math.max(0, ...depths));
      return known.get(name) ?? 0;
    };
    expect(depthOf(root)).toBeGreaterThan(0);
    expect(Math.max(...Object.keys(rules).map(depthOf))).toBeLessThan(20);
  });

  it("are the same texts as before: any of them, in their order, with those that are required", () => {
    const schema = named(40, ["k20"]);
    const textOf = (names: readonly number[]): string => `{${names.map((i) => `"k${i}":true`).join(",")}}`;
    for (const names of [[20], [0, 20], [0, 1, 19, 20, 21, 39], [7, 20, 22, 30, 31, 38], Array.from({ length: 40 }, (_, i) => i)])
      expect([names, accepts(schema, textOf(names))]).toEqual([names, true]);
    for (const names of [[], [0], [21], [20, 19], [20, 20], [0, 0, 20], [39, 20]])
      expect([names, accepts(schema, textOf(names))]).toEqual([names, false]);
    expect(accepts(named(40), "{}")).toBe(true);
    expect(accepts(named(40), '{,"k1":true}')).toBe(false);
  });
});
