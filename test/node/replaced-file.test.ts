/** A model whose file is replaced by renaming another one over it, as docs/t5.md asks for. */
import { copyFileSync, cpSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSpell, type Spell } from "../../src/node/index.ts";
import { failure } from "../support/failure.ts";
import { root } from "../support.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-replaced-"));
const file = join(folder, "model.safetensors");
const prompt = "translate English to French: Hello.";
let spell: Spell;

beforeAll(() => {
  cpSync(join(root, "builtins/models/tiny-t5-en-fr"), folder, { recursive: true });
  spell = createSpell();
});
afterAll(async () => {
  await spell.dispose();
  rmSync(folder, { recursive: true, force: true });
});

it("ends the answers of those who hold it, and is opened anew by every later load", async () => {
  const held = await spell.load(folder, { device: "wasm" });
  const { text } = await held.generate(prompt);
  copyFileSync(file, `${file}.new`);
  renameSync(`${file}.new`, file);
  expect(await failure(held.generate(prompt))).toMatchObject({ code: "safetensors-truncated", where: file });
  const anew = await spell.load(folder, { device: "wasm" });
  expect((await anew.generate(prompt)).text).toBe(text);
  expect((await spell.generate(folder, prompt, { device: "wasm" })).text).toBe(text);
});
