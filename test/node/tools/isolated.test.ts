/** What strangers can make endless ends in time: regular expressions, templates, programs of jq. */
import { afterAll, describe, expect, it } from "vitest";
import { createSpell } from "../../../src/node/main.ts";
import { failure } from "../../support/failure.ts";

const spell = createSpell({ env: {} });
afterAll(() => spell.dispose());
const run = (name: string, input: object) => spell.tools.execute(name, input);

describe("json-processor", () => {
  it.each([
    [
      { input: { items: [{ price: 2 }, { price: 3.5 }] }, query: ".items | map(.price) | add" },
      { result: 5.5, results: [5.5], count: 1 },
    ],
    [
      { input: '[1, {"a": "ñ€"}]', is_text: true, query: ".[]" },
      { result: 1, results: [1, { a: "ñ€" }], count: 2 },
    ],
    [
      { input: null, query: "empty" },
      { result: null, results: [], count: 0 },
    ],
    [
      { input: 5, query: "def double: . * 2; double # a remark" },
      { result: 10, results: [10], count: 1 },
    ],
    [{ input: "text" }, { result: "text", results: ["text"], count: 1 }],
  ])("%j", async (input, output) => expect(await run("json-processor", input)).toEqual(output));

  it("says what jq says", async () => {
    expect((await failure(run("json-processor", { input: {}, query: ".a.b[" }))).code).toBe("tool-failed");
    const error = await failure(run("json-processor", { input: [1], query: '1, error("mine")' }));
    expect([error.code, error.message]).toEqual(["tool-failed", expect.stringContaining("mine")]);
    const broken = await failure(run("json-processor", { input: "[1,\n 2 3]", is_text: true }));
    expect([broken.code, broken.where]).toEqual(["tool-failed", "input"]);
    expect(broken.message).toBe('json-processor: input: expected JSON, got "3" at line 2, column 4');
    // jq reads more than JSON: then the query is what is wrong
    expect((await failure(run("json-processor", { input: "[nan]", is_text: true, query: "$no" }))).message).toContain("$no");
  });

  it("keeps the digits of whole numbers, as text where a number would lose them", async () => {
    const input = '[9007199254740993, -12345678901234567890, 9007199254740992, 1e400, 1.5, "9007199254740993"]';
    expect((await run("json-processor", { input, is_text: true })).result).toEqual([
      "9007199254740993",
      "-12345678901234567890",
      9007199254740992,
      expect.anything(),
      1.5,
      "9007199254740993",
    ]);
  });

  it("says when a program takes more memory than it has", async () => {
    const error = await failure(run("json-processor", { input: 1, query: '("x" * 2000000000) | length' }));
    expect([error.code, error.message]).toEqual(["tool-limit", expect.stringContaining("memory")]);
  });

  it("names the line of a program", async () => {
    const error = await failure(run("json-processor", { input: 1, query: "1 |\n$nothing" }));
    expect(error.message).toContain("$nothing is not defined at line 2:\n$nothing");
    expect(error.message).not.toContain("compile error");
  });

  it("reads neither files nor variables of this machine", async () => {
    for (const query of ['$ENV.PATH // "none"', 'env.HOME // "none"'])
      expect(await run("json-processor", { input: 1, query })).toMatchObject({ result: expect.not.stringContaining("/root") });
    expect((await failure(run("json-processor", { input: 1, query: 'import "/etc/passwd" as p; 1' }))).code).toBe("tool-failed");
    expect((await failure(run("json-processor", { input: 1, query: "input" }))).code).toBe("tool-failed");
    for (const query of ["env", "$ENV"]) expect((await run("json-processor", { input: 1, query })).result).toEqual({});
    for (const query of ["input_filename", '"x" | modulemeta', "$__prog_args", "$__prog_name", "input", "get_search_list", "."]) {
      const told = await run("json-processor", { input: 1, query }).catch((error: Error) => ({ ...error, message: error.message }));
      expect(JSON.stringify(told)).not.toMatch(/isolate|node_modules|\/(?:root|home|tmp|work)/);
    }
    expect((await failure(run("json-processor", { input: "{", is_text: true }))).message).not.toContain("isolate");
  });
});

describe("what never ends", () => {
  it.each([
    ["regex", { pattern: "^(a+)+$", text: `${"a".repeat(40)}b`, operation: "test" }],
    ["template", { template: `${"{{#a}}".repeat(9)}x${"{{/a}}".repeat(9)}`, values: { a: Array.from({ length: 30 }, () => 1) } }],
    ["json-processor", { input: "x".repeat(400_000) }],
    ["json-processor", { input: 1, query: "def f: f; f" }],
  ])("%s ends, and the next call works", async (name, input) => {
    const error = await failure(run(name, input));
    expect([error.code, error.message]).toEqual(["tool-limit", expect.stringContaining(name)]);
    expect(await run("regex", { pattern: "a", text: "a", operation: "test" })).toEqual({ result: true });
  });
});
