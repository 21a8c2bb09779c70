/** Calls of tools in text that comes in pieces: whole calls alone, and text untouched. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CallPart, createCallParser, mostCalls, newCallId } from "../../../src/core/tools/call-parser.ts";
import { familyOf, type ToolFamily } from "../../../src/core/tools/families.ts";
import { isLong } from "../../support.ts";

const family = (template: string): ToolFamily => {
  const found = familyOf(template);
  if (found === undefined) throw new Error(`${template} shows no family`);
  return found;
};
const families = {
  hermes: family("tools <tool_call>"),
  mistral: family("tools [TOOL_CALLS] ["),
  "mistral nemo": family("tools [TOOL_CALLS]["),
  "mistral small": family("tools [TOOL_CALLS] [ARGS]"),
  llama: family("tools <|python_tag|>"),
  functionary: family("tools <function="),
  harmony: family("tools <|channel|> functions."),
  "deepseek v3": family("tools <｜tool▁call▁begin｜> ```json"),
  "deepseek v3.1": family("tools <｜tool▁call▁begin｜>"),
};

/** Text of calls as the family writes them. */
const written = ({ begin, head, tail, between = "", end }: ToolFamily, calls: readonly Called[]): string =>
  `${begin}${calls.map(({ name, input }) => `${head(name)}${JSON.stringify(input)}${tail}`).join(between)}${end}`;
interface Called {
  readonly name: string;
  readonly input: unknown;
}

/** In pieces of these lengths, the last one repeated. */
function read(form: ToolFamily, text: string, lengths: readonly number[] = [text.length || 1]): readonly CallPart[] {
  const parser = createCallParser(form);
  const parts: CallPart[] = [];
  let at = 0;
  for (let i = 0; at < text.length; i += 1) {
    const length = lengths[i % lengths.length] ?? 1;
    parts.push(...parser.push(text.slice(at, at + length)));
    at += length;
  }
  parts.push(...parser.end());
  return parts;
}
const textOf = (parts: readonly CallPart[]): string => parts.map((part) => (part.type === "text" ? part.text : "")).join("");
const callsOf = (parts: readonly CallPart[]): readonly Called[] =>
  parts.flatMap((part) => (part.type === "call" ? [{ name: part.name, input: part.input }] : []));

const hostile = fc.constantFrom("</tool_call>", "<tool_call>", "[TOOL_CALLS]", "]", "}", '"', "\\", "</function>", "{", "[ARGS]", "é😀");
const texts = fc.array(fc.oneof(fc.string({ maxLength: 5 }), hostile), { maxLength: 4 }).map((parts) => parts.join(""));
const inputs = fc.dictionary(
  fc.string({ maxLength: 6 }),
  fc.oneof(texts, fc.integer(), fc.boolean(), fc.array(texts, { maxLength: 3 }), fc.dictionary(texts, texts, { maxKeys: 2 })),
  { maxKeys: 4 },
);
const called = fc.record({ name: fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/), input: inputs });
const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });
const numRuns = isLong ? 5000 : 100;

describe.each(Object.entries(families))("calls of %s", (_, form) => {
  it("come out whole, however the text is cut", () => {
    const most = form.between === undefined ? 1 : 4;
    fc.assert(
      fc.property(fc.array(called, { minLength: 1, maxLength: most }), lengths, (calls, cuts) => {
        const parts = read(form, written(form, calls), cuts);
        expect(callsOf(parts)).toEqual(JSON.parse(JSON.stringify(calls)));
        expect(textOf(parts)).toBe("");
      }),
      { numRuns, seed: 21 },
    );
  });

  it("are never half: what is cut off is text", () => {
    fc.assert(
      fc.property(called, lengths, fc.nat({ max: 1000 }), (call, cuts, place) => {
        const whole = written(form, [call]);
        const length = place % whole.length;
        const parts = read(form, whole.slice(0, length), cuts);
        if (callsOf(parts).length > 0) expect(callsOf(parts)).toEqual([JSON.parse(JSON.stringify(call))]);
        else expect(textOf(parts)).toBe(whole.slice(0, length));
      }),
      { numRuns, seed: 22 },
    );
  });

  it("leave other text as it is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom("<b>", "<tool", "[TOOL", "{", "\n", " ")), { maxLength: 8 }),
        lengths,
        (pieces, cuts) => {
          const text = `I ${pieces.join("")}`;
          if (!form.triggers.some((trigger) => text.includes(trigger))) expect(textOf(read(form, text, cuts))).toBe(text);
        },
      ),
      { numRuns, seed: 23 },
    );
  });

  it("come after text, and text after them", () => {
    const text = `Let me look.\n${written(form, [{ name: "add", input: { a: 1 } }])}\n`;
    const parts = read(form, text, [3]);
    expect(textOf(parts)).toBe("Let me look.\n");
    expect(callsOf(parts)).toEqual([{ name: "add", input: { a: 1 } }]);
  });
});

it("text is held back only while it could begin a call", () => {
  const parser = createCallParser(families.hermes);
  expect(parser.push("I think <b> and <tool")).toEqual([{ type: "text", text: "I think <b> and " }]);
  expect(parser.push("s>")).toEqual([{ type: "text", text: "<tools>" }]);
});

it("what only looks like a call is text, all of it", () => {
  for (const text of [
    "<tool_call> is a mark",
    '<tool_call>{"name": 5, "arguments": {}}</tool_call>',
    "<tool_call>{nonsense}",
    '<tool_call>{"name": "a", "arguments": "{"}',
  ])
    expect(read(families.hermes, text, [4])).toEqual(expect.not.arrayContaining([expect.objectContaining({ type: "call" })]));
  expect(textOf(read(families.hermes, "<tool_call> is a mark", [4]))).toBe("<tool_call> is a mark");
});

it.each([
  ["parameters for arguments", families.hermes, '<tool_call>{"name": "a", "parameters": {"x": 1}}</tool_call>', { x: 1 }],
  ["arguments as text", families.hermes, '<tool_call>{"name": "a", "arguments": "{\\"x\\": 1}"}</tool_call>', { x: 1 }],
  ["no arguments", families.hermes, '<tool_call>{"name": "a"}', {}],
  ["one call without a list", families.mistral, '[TOOL_CALLS] {"name": "a", "arguments": {}}', {}],
  ["an id", families["mistral small"], "[TOOL_CALLS]a[CALL_ID]abcdefgh1[ARGS]{}", {}],
  ["a mark before", families.llama, '<|python_tag|>{"name": "a", "parameters": {}}', {}],
])("a call with %s is one", (_, form, text, input) => {
  expect(callsOf(read(form, text, [5]))).toEqual([{ name: "a", input }]);
});

it(`after ${mostCalls} calls the rest is text`, () => {
  const calls = Array.from({ length: mostCalls + 1 }, () => ({ name: "a", input: {} }));
  for (const form of [families.hermes, families.mistral]) {
    const parts = read(form, written(form, calls), [7]);
    expect(callsOf(parts)).toHaveLength(mostCalls);
    expect(textOf(parts)).toContain('"name": "a"');
  }
});

it("long answers with marks everywhere cost no more than their length", () => {
  for (const text of [
    "<tool_call>{".repeat(5000),
    '<tool_call>{"'.repeat(5000),
    "<tool_call>".repeat(5000),
    `<tool_call>${"[".repeat(20_000)}`,
  ]) {
    const started = performance.now();
    expect(textOf(read(families.hermes, text, [9]))).toBe(text);
    expect(performance.now() - started).toBeLessThan(3000);
  }
});

it("an id has nine letters and digits, and another each time", () => {
  const ids = Array.from({ length: 200 }, newCallId);
  expect(ids.every((id) => /^[A-Za-z0-9]{9}$/.test(id))).toBe(true);
  expect(new Set(ids).size).toBe(ids.length);
});
