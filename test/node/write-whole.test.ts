import { spawnSync } from "node:child_process";
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { writeNew, writeWhole } from "../../src/node/write-whole.ts";
import { fromSource } from "../support/from-source.mjs";
import { posix } from "../support/only-where.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "llmspell-write-"));
  path = join(folder, "mine.toml");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("writes a new file, and over an old one, and leaves nothing else", async () => {
  await writeWhole(path, "one");
  await writeWhole(path, "two");
  expect(readFileSync(path, "utf8")).toBe("two");
  expect(readdirSync(folder)).toEqual(["mine.toml"]);
});

posix.it("keeps the rights of a file, and the link that leads to it", async () => {
  const real = join(folder, "real.toml");
  writeFileSync(real, "old");
  chmodSync(real, 0o640);
  symlinkSync(real, path);
  await writeWhole(path, "new", 0o600);
  expect(lstatSync(path).isSymbolicLink()).toBe(true);
  expect(readFileSync(real, "utf8")).toBe("new");
  expect(statSync(real).mode & 0o777).toBe(0o640);
  await writeWhole(join(folder, "secret.json"), "x", 0o600);
  expect(statSync(join(folder, "secret.json")).mode & 0o777).toBe(0o600);
});

it("a file that must be new leaves one that is there", async () => {
  await writeNew(path, "one");
  await expect(writeNew(path, "two")).rejects.toMatchObject({ code: "EEXIST" });
  expect(readFileSync(path, "utf8")).toBe("one");
});

/** Writes where files have at most 4 blocks. @returns what was said */
async function writeWithoutRoom(name: "writeNew" | "writeWhole", to: string): Promise<string> {
  const module = await fromSource(["node/write-whole.ts"]);
  const write = `import(${JSON.stringify(module.href)}).then((all) => all.${name}(process.argv[1], "x".repeat(100_000))).catch(({ code }) => console.log(code))`;
  const { stdout } = spawnSync("sh", ["-c", 'ulimit -f 4; exec "$0" -e "$1" "$2"', process.execPath, write, to], { encoding: "utf8" });
  module.remove();
  return stdout;
}

posix.it("where there is no room the old file stays, whole, and no part of the new one", async () => {
  writeFileSync(path, "the old one");
  expect(await writeWithoutRoom("writeWhole", path)).toBe("EFBIG\n");
  expect(await writeWithoutRoom("writeNew", join(folder, "new"))).toBe("EFBIG\n");
  expect(readFileSync(path, "utf8")).toBe("the old one");
  expect(readdirSync(folder)).toEqual(["mine.toml"]);
});

posix.it("writes to a device as it is", async () => {
  await writeWhole("/dev/null", "gone");
  expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  await expect(writeWhole(join(folder, "none/mine.toml"), "x")).rejects.toMatchObject({ code: "ENOENT" });
});
