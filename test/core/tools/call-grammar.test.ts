/** Calls by grammar: random texts of every family are read whole, with inputs that their schemas take, however they are cut. */
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { createMatcher } from "../../../src/core/grammar/matcher.ts";
import { seededRandom } from "../../../src/core/sampling.ts";
import { callGrammar } from "../../../src/core/tools/call-grammar.ts";
import { type CallPart, createCallParser } from "../../../src/core/tools/call-parser.ts";
import { familyOf, type ToolFamily } from "../../../src/core/tools/families.ts";
import { plainTool } from "../../../src/core/tools/messages.ts";
import { isLong } from "../../support.ts";
import { sampler } from "../grammar/schemas.ts";

const tools = [
  {
    name: "get_weather",
    inputSchema: {
      type: "object",
      properties: { city: { type: "string", maxLength: 30 }, unit: { enum: ["c", "f"] } },
      required: ["city"],
      additionalProperties: false,
    },
  },
  {
    name: "add",
    inputSchema: {
      type: "object",
      properties: { a: { type: "number" }, b: { type: "array", items: { type: "string" } } },
      required: ["a", "b"],
    },
  },
  { name: "now" },
  { name: "odd", inputSchema: { type: "object", properties: { x: { type: "string" } }, not: { required: ["y"] } } },
].map(plainTool);
const ajv = new Ajv({ strict: false });
const checks = new Map(tools.map(({ name, schema }) => [name, ajv.compile({ ...schema, not: undefined })]));

function read(form: ToolFamily, text: string, piece: (at: number) => number): readonly CallPart[] {
  const parser = createCallParser(form);
  const parts: CallPart[] = [];
  for (let at = 0; at < text.length; ) {
    const length = piece(at);
    parts.push(...parser.push(text.slice(at, at + length)));
    at += length;
  }
  return [...parts, ...parser.end()];
}

const templates = {
  hermes: "tools <tool_call>",
  mistral: "tools [TOOL_CALLS] [",
  "mistral small": "tools [TOOL_CALLS] [ARGS]",
  llama: "tools <|python_tag|>",
  functionary: "tools <function=",
  harmony: "tools <|channel|> functions.",
  "deepseek v3": "tools <｜tool▁call▁begin｜> ```json",
  "deepseek v3.1": "tools <｜tool▁call▁begin｜>",
};
const runs = isLong ? 4000 : 200;

describe.each(Object.entries(templates))("calls of %s", (_, template) => {
  const form = familyOf(template);
  if (form === undefined) throw new Error(template);
  it.each([
    ["one", false],
    ["several", true],
  ])("%s", (_name, isMany) => {
    for (const begun of new Set([form.lead, ...form.triggers])) {
      const grammar = callGrammar(tools, form, begun, isMany);
      const matcher = createMatcher(grammar);
      const write = sampler(grammar, seededRandom(7));
      let most = 0;
      for (let i = 0; i < runs; i += 1) {
        const rest = write();
        expect(matcher.accepts(rest)).toBe(true);
        const text = begun + rest;
        const parts = read(form, text, (at) => 1 + ((i * 7 + at) % 9));
        most = Math.max(most, parts.length);
        const calls = parts.map((part) => {
          if (part.type !== "call") throw new Error(`${text} gave text: ${part.text}`);
          if (checks.get(part.name)?.(part.input) !== true) throw new Error(`${text} gave a wrong input`);
          return part;
        });
        expect(calls.length).toBeGreaterThan(0);
        const cut = read(form, text.slice(0, Math.floor(text.length * 0.6)), (at) => 1 + ((i + at) % 9));
        for (const part of cut) if (part.type === "call") expect(checks.get(part.name)?.(part.input)).toBe(true);
      }
      expect(most > 1).toBe(isMany && form.between !== undefined);
      expect(most).toBeLessThanOrEqual(8);
    }
  });
});

it("a schema that no grammar can hold as a whole is held in part", () => {
  const form = familyOf("tools <tool_call>");
  if (form === undefined) throw new Error("no family");
  const matcher = createMatcher(callGrammar(tools.slice(3), form, "<tool_call>", false));
  expect(matcher.accepts('\n{"name": "odd", "arguments": {"x": "a"}}\n</tool_call>')).toBe(true);
  expect(matcher.accepts('\n{"name": "odd", "arguments": {"x": 1}}\n</tool_call>')).toBe(false);
  expect(matcher.accepts('\n{"name": "add", "arguments": {}}\n</tool_call>')).toBe(false);
});
