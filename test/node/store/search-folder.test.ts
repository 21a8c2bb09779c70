/** Files of an index on the disk: the contract, and what only folders do. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { nodeSearchFolder } from "../../../src/node/store/search-folder.ts";
import { describeSearchFolder } from "../../contract/search-folder.ts";
import { failure } from "../../support/failure.ts";

const made: string[] = [];
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "llmspell-search-"));
  made.push(folder);
  return join(folder, "not", "yet");
}
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describeSearchFolder("on the disk", async () => {
  const path = newFolder();
  return async () => nodeSearchFolder(path);
});

describe("a folder of an index", () => {
  it("belongs to its owner alone, with its files", async () => {
    if (process.platform === "win32") return;
    const path = newFolder();
    await nodeSearchFolder(path).write("a.seg", [Uint8Array.of(1)]);
    expect([statSync(path).mode & 0o777, statSync(join(path, "a.seg")).mode & 0o777]).toEqual([0o700, 0o600]);
  });

  it("does not list what others put there, nor what is being written; what a killed writer left goes an hour later", async () => {
    const path = newFolder();
    mkdirSync(path, { recursive: true });
    mkdirSync(join(path, "folder.seg"));
    for (const name of [".0a.tmp", ".0b.tmp", "Notes.TXT", "no-ending", "a b.seg"]) writeFileSync(join(path, name), "x");
    const old = new Date(Date.now() - 3_700_000);
    utimesSync(join(path, ".0a.tmp"), old, old);
    const folder = nodeSearchFolder(path);
    expect(await folder.list()).toEqual([]);
    expect(await folder.size("folder.seg")).toBeUndefined();
    await folder.write("a.seg", [Uint8Array.of(1)]);
    expect(await folder.list()).toEqual(["a.seg"]);
    expect(readdirSync(path)).toContain(".0b.tmp");
    expect(readdirSync(path)).not.toContain(".0a.tmp");
  });

  it("names what the system refuses, and leaves nothing behind", async () => {
    const path = newFolder();
    mkdirSync(join(path, "a.seg"), { recursive: true });
    writeFileSync(join(path, "a.seg", "inside"), "x");
    expect(await failure(nodeSearchFolder(path).write("a.seg", [Uint8Array.of(1)]))).toMatchObject({ code: "store-denied" });
    expect(readdirSync(path)).toEqual(["a.seg"]);
    writeFileSync(join(path, "file"), "x");
    expect(await failure(nodeSearchFolder(join(path, "file")).write("a.seg", [Uint8Array.of(1)]))).toMatchObject({ code: "store-denied" });
  });
});
