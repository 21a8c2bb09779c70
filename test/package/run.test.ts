import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { root } from "../support.ts";
import { expectScripts, majors, nodeFolder, run } from "./support.ts";

const folder = inject("folder");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const golden = JSON.parse(readFileSync(join(root, "test/golden/tiny-stories.json"), "utf8")) as {
  data: { prompts: { prompt: string; text: string }[] };
};
const prompt = "Once upon a time";
const reference = golden.data.prompts.find((entry) => entry.prompt === prompt)?.text ?? "";
const bin = join(folder, "node_modules/.bin/llmspell");

/** What a user writes first; prints the text and the kinds of parts. */
const hello = `
import { load } from "llmspell";
const model = await load("tiny-stories");
const kinds = new Set();
for await (const part of model.stream(${JSON.stringify(prompt)}, { maxTokens: 8, temperature: 0, repeatPenalty: 1 })) {
  kinds.add(part.type);
  if (part.type === "text-delta") process.stdout.write(part.text);
}
await model.dispose();
console.log("\\n" + [...kinds].join(" "));
`;

/** Greedy text continues as PyTorch's does; the CLI adds the final newline, and the prompt is not repeated. */
function expectStory(text: string): void {
  expect(text.trim().length).toBeGreaterThan(15);
  expect(reference.trim().startsWith(text.trim())).toBe(true);
}

beforeAll(() => {
  mkdirSync(join(folder, "home"), { recursive: true });
  writeFileSync(join(folder, "hello.mjs"), hello);
});

describe.each(majors)("installed under Node %i", (major) => {
  const place = nodeFolder(major);
  const without = "npm has no Node binary for this system";
  const path = { PATH: `${place ?? ""}${delimiter}${process.env["PATH"] ?? ""}` };

  it("prints its version", async (context) => {
    if (place === undefined) return context.skip(without);
    expect(await run(bin, ["--version"], folder, path)).toEqual({ status: 0, stdout: `llmspell ${version}\n`, stderr: "" });
  });

  it("generates a story from the command line", async (context) => {
    if (place === undefined) return context.skip(without);
    const { status, stdout, stderr } = await run(
      bin,
      ["generate", prompt, "--max-tokens", "8", "--temperature", "0", "--repeat-penalty", "1", "--quiet"],
      folder,
      path,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expectStory(stdout);
    expect(stdout.endsWith("\n")).toBe(true);
  });

  it("streams from the first lines a user writes", async (context) => {
    if (place === undefined) return context.skip(without);
    const { status, stdout, stderr } = await run(join(place, "node"), ["hello.mjs"], folder, path);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const lines = stdout.trimEnd().split("\n");
    expect(lines.pop()).toMatch(/^stream-start .*text-delta.* stream-end$/);
    expectStory(lines.join("\n"));
  });

  it("runs scripts in both languages", async (context) => {
    if (place === undefined) return context.skip(without);
    await expectScripts(join(place, "node"), [], folder, path);
  });

  it("imports every entry", async (context) => {
    if (place === undefined) return context.skip(without);
    const code = `for (const entry of ["", "/core", "/node", "/browser", "/ai-sdk", "/testing"]) {
      const names = Object.keys(await import("llmspell" + entry));
      if (names.length === 0) throw new Error(entry + " exports nothing");
    }`;
    expect(await run(join(place, "node"), ["--input-type=module", "-e", code], folder, path)).toEqual({
      status: 0,
      stdout: "",
      stderr: "",
    });
  });
});

describe("through npx", () => {
  it("prints its version and a story", async () => {
    expect((await run("npx", ["llmspell", "--version"], folder)).stdout).toBe(`llmspell ${version}\n`);
    const { status, stdout } = await run("npx", ["llmspell", "generate", prompt, "--max-tokens", "8", "--temperature", "0"], folder);
    expect(status).toBe(0);
    expect(stdout.trim().length).toBeGreaterThan(15);
  });

  it("names the missing native runtime where it is asked for, with the command that installs it", async () => {
    const { stderr } = await run("npx", ["llmspell", "generate", prompt, "--max-tokens", "2", "--temperature", "0"], folder);
    expect(stderr).not.toContain("npm install");
    expect((await run("npx", ["llmspell", "doctor"], folder)).stdout).toMatch(/npm install --ignore-scripts node-llama-cpp@\d/);
  });
});
