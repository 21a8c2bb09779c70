/** For a file of tests: a folder of small model files. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { tinyLlama, tinyT5, withEntries } from "../../../fixtures/gguf/models.ts";
import { writeGguf } from "../../../fixtures/gguf-writer.ts";

/** @returns a path with spaces, accents and emoji that holds model.gguf, t5.gguf and evil.gguf */
export function modelFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "llmspell cli é 👩 "));
  const evil = withEntries(tinyLlama(), { "general.license": ["string", "mit\u001b]0;title\u0007\nid: forged"] });
  for (const [name, file] of [
    ["model.gguf", tinyLlama()],
    ["t5.gguf", tinyT5()],
    ["evil.gguf", evil],
  ] as const)
    writeFileSync(join(folder, name), writeGguf(file));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
