import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { readAnswerForm } from "../../../src/node/cli/answer-form.ts";
import { explain } from "../../../src/node/cli/session.ts";

it.each([
  ["[]", "--schema: expected a JSON Schema, got a list"],
  ['"x"', "--schema: expected a JSON Schema, got string"],
  ["5", "--schema: expected a JSON Schema, got number"],
  ["{", "--schema: expected JSON, got a mistake"],
  ["no-such-file", "--schema: expected JSON or a file that can be read"],
])("a schema %s is a wrong command line, and a file only where it is no JSON", (text, message) => {
  expect(() => readAnswerForm(new Map([["schema", [text]]]))).toThrow(message);
});

it("a schema may begin with a byte order mark, as editors write it", () => {
  expect(readAnswerForm(new Map([["schema", ['\ufeff{"type":"string"}']]]))).toEqual({ jsonSchema: { type: "string" } });
});

it.each(["schema", "grammar"])("a %s in a file that is not UTF-8 is a wrong command line", (flag) => {
  const folder = mkdtempSync(join(tmpdir(), "form-"));
  try {
    const file = join(folder, "form");
    writeFileSync(file, Buffer.from('{"const":"caf\xe9"}', "latin1"));
    expect(() => readAnswerForm(new Map([[flag, [file]]]))).toThrow("a file that can be read, got one that is not UTF-8");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("a grammar that an engine cannot read is a wrong command line", () => {
  const problem = new SpellError("run-option", "grammar: expected GBNF, got another text", { where: "grammar", hint: "See the notation." });
  expect(explain(problem, "m")).toMatchObject({
    code: "usage-value",
    exitCode: 2,
    message: "--grammar: expected GBNF, got another text",
    hint: "See the notation.",
  });
});

it.each([
  ["yes, no", ["yes", "no"]],
  ['["yes", "no, never"]', ["yes", "no, never"]],
  ["[a],[b]", ["[a]", "[b]"]],
])("choices %s are a list with commas, or one in JSON", (text, choices) => {
  expect(readAnswerForm(new Map([["choices", [text]]]))).toEqual({ choices });
});

it.each(["[1, 2]", "[yes,no]", "['yes', 'no']", '["yes"', '[ "yes", "no" ] or', "[]"])("choices %s are a wrong command line", (text) => {
  expect(() => readAnswerForm(new Map([["choices", [text]]]))).toThrow(
    expect.objectContaining({ code: "usage-value", where: "--choices", message: expect.stringMatching(/expected (a list|1–1000)/) }),
  );
});

it("a grammar is a text with rules, or a file", () => {
  const grammar = 'root ::= "a" | "b"';
  expect(readAnswerForm(new Map([["grammar", [grammar]]]))).toEqual({ grammar });
  for (const name of ["none.gbnf", "./a ::= b"])
    expect(() => readAnswerForm(new Map([["grammar", [name]]]))).toThrow(/expected GBNF, as in .*, or a file that can be read, got ENOENT/);
});
