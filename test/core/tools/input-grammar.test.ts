import { describe, expect, it } from "vitest";
import { createMatcher } from "../../../src/core/grammar/matcher.ts";
import { inputGrammar } from "../../../src/core/tools/input-grammar.ts";
import { plainTool } from "../../../src/core/tools/messages.ts";

const matcherOf = (inputSchema: Readonly<Record<string, unknown>>) =>
  createMatcher(inputGrammar(plainTool({ name: "a", inputSchema }, 0), "tools[0].inputSchema"));
const item: Readonly<Record<string, unknown>> = { type: "object", properties: { n: { type: "integer", multipleOf: 5 } }, required: ["n"] };

describe("of a schema that no grammar can hold, the rest holds", () => {
  it.each<[string, Readonly<Record<string, unknown>>, string, string]>([
    [
      "a keyword within",
      { properties: { tags: { type: "array", items: { type: "string" }, uniqueItems: true } }, required: ["tags"] },
      '{"tags":["a","a"]}',
      '{"tags":1}',
    ],
    [
      "several",
      { properties: { a: item, b: { type: "boolean" } }, not: { required: ["z"] }, if: true, required: ["a", "b"] },
      '{"a":{"n":7},"b":true}',
      '{"a":{"n":"7"},"b":true}',
    ],
    [
      "behind a reference",
      { properties: { a: { $ref: "#/$defs/i" }, b: { type: "null" } }, required: ["a", "b"], $defs: { i: item } },
      '{"a":{"n":1},"b":null}',
      '{"a":1,"b":1}',
    ],
    [
      "in a list of forms",
      { properties: { a: { anyOf: [{ type: "null" }, { type: "string", format: "odd" }] } }, required: ["a"] },
      '{"a":"x"}',
      '{"b":"x"}',
    ],
    ["bounds beside an enum", { properties: { a: { enum: ["x", "y"], minLength: 9 } }, required: ["a"] }, '{"a":"y"}', '{"a":"z"}'],
    [
      "bounds that leave no number",
      { properties: { a: { type: "integer", minimum: 5, maximum: 4 } }, required: ["a"] },
      '{"a":7}',
      '{"a":"7"}',
    ],
    [
      "a count of its own members",
      { properties: { a: { type: "integer" }, b: { type: "boolean" } }, minProperties: 1 },
      '{"b":true}',
      '{"b":1}',
    ],
    [
      "bounds of what stands in a list",
      { properties: { a: { type: "array", items: { type: "string", minLength: 3, maxLength: 2 } } }, required: ["a"] },
      '{"a":["x"]}',
      '{"a":[1]}',
    ],
    ["bounds within not", { properties: { a: { type: "integer", not: { minimum: 5 } } }, required: ["a"] }, '{"a":7}', '{"a":"7"}'],
    ["another format", { properties: { a: { type: "string", format: "hostname" } }, required: ["a"] }, '{"a":"x"}', '{"a":1}'],
    ["a name with a slash", { properties: { "a/b~": { type: "array", contains: {} } }, required: ["a/b~"] }, '{"a/b~":[1]}', '{"a/b~":1}'],
  ])("%s", (_, schema, good, bad) => {
    const matcher = matcherOf(schema);
    expect([matcher.accepts(good), matcher.accepts(bad)]).toEqual([true, false]);
  });

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["nothing finite", { properties: { a: { $ref: "#" } }, required: ["a"] }],
    ["more than can be left out", { properties: Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`m${n}`, { contains: {} }])) }],
    ["no type that an object has", { type: ["thing"] }],
    [
      "a pattern that llama.cpp would follow for minutes",
      { properties: { a: { type: "string", pattern: "a?".repeat(500) } }, required: ["a"] },
    ],
  ])("%s: any object", (_, schema) => {
    const matcher = matcherOf(schema);
    expect([matcher.accepts('{"x":[1]}'), matcher.accepts("[]")]).toEqual([true, false]);
  });
});
