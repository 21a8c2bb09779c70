/** The built bin: answers with a form, and command lines that ask for one wrongly. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { cli } from "../support.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-forms-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const mood = '{"type":"object","properties":{"mood":{"enum":["glad","sad"]}},"required":["mood"]}';

describe("generate with a form", () => {
  it("keeps a schema, from a file of any name, and gives its value as JSON", async () => {
    const file = join(folder, "the.schema");
    writeFileSync(file, mood);
    const { status, stdout } = await cli(["generate", "The girl cried.", "--schema", file, "--output", "json", "--seed", "1"]);
    expect(status).toBe(0);
    const { text, json, finish_reason: reason } = JSON.parse(stdout) as Record<string, unknown>;
    expect(reason).toBe("stop");
    expect([{ mood: "glad" }, { mood: "sad" }]).toContainEqual(json);
    expect(JSON.parse(String(text))).toEqual(json);
  });

  it("chooses on T5, and says how likely each choice is", async () => {
    const { stdout } = await cli(["generate", "-m", "tiny-t5-en-fr", "Yes", "--choices", "oui, non", "--output", "json"]);
    const { text, choice_logprobs: logprobs } = JSON.parse(stdout) as {
      readonly text: string;
      readonly choice_logprobs: readonly number[];
    };
    expect(["oui", "non"]).toContain(text);
    expect(logprobs.reduce((sum, value) => sum + Math.exp(value), 0)).toBeCloseTo(1, 5);
  });

  it("holds each answer of a conversation", async () => {
    const { stdout, stderr } = await cli(["chat", "-m", "tiny-stories", "--grammar", 'root ::= "yes" | "no"', "--seed", "1"], {
      input: "Is it so?\nAnd now?\n/show\n",
    });
    expect(stdout).toMatch(/^(yes|no)\n(yes|no)\n$/);
    expect(stderr).toMatch(/ form +grammar\n/);
    expect((await cli(["chat", "--regex", "("])).stderr).toContain("--regex: expected correct syntax");
  });

  it.each([
    [["--schema", '{"type":"object","properties":{"n":{"multipleOf":2}}}'], "--schema: properties/n/multipleOf"],
    [["--schema", "none.json"], "--schema: expected JSON or a file that can be read"],
    [["--schema", folder], "no regular file"],
    [["--schema", "{nope"], "--schema: expected JSON"],
    [["--choices", "a,a"], "--choices: expected 1–"],
    [["--regex", "(?=a)"], "--regex: look-around"],
    [["--regex", "a", "--choices", "a"], "exclude each other"],
  ])("%j is refused before a model is loaded", async (flags, message) => {
    const { status, stdout, stderr } = await cli(["generate", "x", ...flags]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toContain("[usage-value]");
    expect(stderr).not.toContain("note:");
  });
});
