/** Files of an index on the disk: the contract, and what only folders do. */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import { openCollection } from "../../../src/core/search/collection.ts";
import { lexicalVector } from "../../../src/core/search/lexical.ts";
import { nodeSearchFolder } from "../../../src/node/store/search-folder.ts";
import { collectionSettings, describeCollection } from "../../contract/collection.ts";
import { describeSearchFolder } from "../../contract/search-folder.ts";
import { failure } from "../../support/failure.ts";
import { fromSource } from "../../support/from-source.mjs";
import { isLong, root } from "../../support.ts";

const made: string[] = [];
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "llmspell-search-"));
  made.push(folder);
  return join(folder, "not", "yet");
}
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const create = async () => {
  const path = newFolder();
  return async () => nodeSearchFolder(path);
};
describeSearchFolder("on the disk", create);
describeCollection("on the disk", create);

describe("an index on the disk", () => {
  it("has every document that was saved, after kill -9 of one writer beside another, merges included", async () => {
    const module = await fromSource(["core/search/collection.ts", "core/search/lexical.ts", "node/store/search-folder.ts"]);
    const path = newFolder();
    const saved: string[] = [];
    const start = (writer: string) => {
      const child = spawn(process.execPath, [join(root, "test/support/index-writer.mjs"), module.href, path, writer], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      createInterface({ input: child.stdout }).on("line", (line) => saved.push(line));
      return child;
    };
    try {
      for (let kill = 0; kill < (isLong ? 20 : 2); kill += 1) {
        const writers = [start(`a${kill}`), start(`b${kill}`)];
        // more than a merge's worth of segments
        await expect.poll(() => saved.filter((line) => line.startsWith(`a${kill}`)).length).toBeGreaterThan(12);
        for (const writer of writers) {
          writer.kill("SIGKILL");
          await once(writer, "close");
        }
        const collection = await openCollection(nodeSearchFolder(path), collectionSettings);
        const there = new Set(collection.documents());
        expect(saved.filter((each) => !there.has(each))).toEqual([]);
        const [hit] = await collection.search({
          text: `note 3 of a${kill}`,
          vector: lexicalVector(`note 3 of a${kill}`, 32),
          k: 1,
          hybridWeight: 0.3,
        });
        expect(hit?.document).toBe(`a${kill}-3`);
      }
    } finally {
      module.remove();
    }
  });
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

  it("takes away at once what a writer left that was killed on this machine, and nothing of one that lives or is elsewhere", async () => {
    const path = newFolder();
    mkdirSync(path, { recursive: true });
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    const machine = createHash("sha256").update(hostname()).digest("hex").slice(0, 12);
    const [left, own, elsewhere] = [
      `.${machine}-${dead}-00112233445566aa.tmp`,
      `.${machine}-${process.pid}-00112233445566aa.tmp`,
      `.${"0".repeat(12)}-${dead}-00112233445566aa.tmp`,
    ];
    for (const name of [left, own, elsewhere]) writeFileSync(join(path, name), "x");
    expect(await nodeSearchFolder(path).list()).toEqual([]);
    expect(readdirSync(path).sort()).toEqual([own, elsewhere].sort());
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
