import { existsSync, mkdtempSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeFolder } from "../../src/node/make-folder.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-folder-"));

it("makes a folder and those above it, for its owner alone, once", () => {
  const path = join(folder, "a", "b", "c");
  makeFolder(path);
  makeFolder(path);
  for (const each of [path, join(folder, "a")]) expect(statSync(each).mode & 0o077).toBe(process.platform === "win32" ? 0o066 : 0);
});

it("says what stands in its way", () => {
  writeFileSync(join(folder, "file"), "");
  expect(() => makeFolder(join(folder, "file"))).toThrow("EEXIST");
  expect(() => makeFolder(join(folder, "file", "a"))).toThrow(/ENOTDIR|EEXIST/);
});

it.runIf(existsSync("/proc/1"))("comes to an end where a folder takes no new one", () => {
  expect(() => makeFolder("/proc/1/nope/models")).toThrow("ENOENT");
});
