/** What is started before the program is read: one process too many costs memory, one too few only time. */
import { expect, it } from "vitest";
import { engineDevice, scriptEngine } from "../../../src/node/cli/early.ts";

const device = (line: string, env: NodeJS.ProcessEnv = {}): unknown => engineDevice(line.split(" "), env);

it.each([
  ["generate Hello", "auto"],
  ["chat -m tiny-stories", "auto"],
  ["generate -q -m ./model.gguf Hello", "auto"],
  // behind a flag every word may be its value
  ["-q generate Hello", undefined],
  ["generate --device cpu Hello", "cpu"],
  ["generate --device=cpu Hello", "cpu"],
  ["generate -m qwen2.5-0.5b@candle Hello", "auto"],
  ["generate --device wasm Hello", undefined],
  ["generate --device=webgpu Hello", undefined],
  ["generate -m llama3.2:1b@ollama Hello", undefined],
  ["generate -m openai/gpt-4o Hello", undefined],
  ["generate -m tiny-t5-en-fr Hello", undefined],
  ["generate -m google/flan-t5-small Hello", undefined],
  ["-p rag-dev generate Hello", undefined],
  ["generate --quantization q4 Hello", undefined],
  ["generate --help", undefined],
  ["model list", undefined],
  ["run generate", undefined],
])("%s: an engine for %s", (line, expected) => {
  expect(device(line)).toBe(expected);
});

it("no engine where a variable names another device, profile or configuration", () => {
  for (const name of ["LLMSPELL_DEVICE", "LLMSPELL_PROFILE", "LLMSPELL_CONFIG"])
    expect(device("generate Hello", { [name]: "x" })).toBeUndefined();
  expect(device("generate Hello", { LLMSPELL_DEVICE: "" })).toBe("auto");
});

it.each([
  ["run a.lua", "lua"],
  ["run a.js", "javascript"],
  ["run a.mjs", "javascript"],
  ["exec print(1)", "lua"],
  ["repl --engine javascript", "javascript"],
  ["run a.js --engine=lua", "lua"],
  ["run --help", undefined],
  ["generate run", undefined],
])("%s: %s", (line, expected) => {
  expect(scriptEngine(line.split(" "))).toBe(expected);
});
