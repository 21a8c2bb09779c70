/** Files of a script: what it may reach, and every way out that a path knows. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ScriptFiles } from "../../../src/core/platform.ts";
import { scriptFiles } from "../../../src/node/scripts/files.ts";
import { failure } from "../../support/failure.ts";
import { fromSource } from "../../support/from-source.mjs";
import { posix } from "../../support/only-where.ts";

let root: string;
let own: string;
let files: ScriptFiles;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "llmspell-files-"));
  own = join(root, "own");
  mkdirSync(join(own, "lib"), { recursive: true });
  mkdirSync(join(root, "own-secret"));
  writeFileSync(join(root, "own-secret/key"), "secret");
  writeFileSync(join(own, "a.txt"), "ä\n");
  writeFileSync(join(own, "lib/mod.lua"), "return 1");
  writeFileSync(join(own, "bytes"), Buffer.from([0xff, 0xfe, 0x00]));
  symlinkSync(join(root, "own-secret"), join(own, "way"));
  symlinkSync(join(root, "own-secret/key"), join(own, "key"));
  symlinkSync(join(root, "own-secret/new"), join(own, "dangling"));
  files = scriptFiles(own, []);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("files of a script", () => {
  it("are read, written, looked for and listed in its own folder", async () => {
    expect(await files.read("a.txt")).toBe("ä\n");
    expect(await files.read(join(own, "a.txt"))).toBe("ä\n");
    expect(await files.read("none.txt")).toBeUndefined();
    await files.write("b.txt", "long text", false);
    await files.write("b.txt", "one", false);
    await files.write("b.txt", " two", true);
    expect(readFileSync(join(own, "b.txt"), "utf8")).toBe("one two");
    expect(await Promise.all(["a.txt", "lib", "none", "lib/../a.txt"].map((path) => files.exists(path)))).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect(await files.list(".")).toEqual(["a.txt", "b.txt", "bytes", "dangling", "key", "lib/", "way"]);
    expect(await files.module("lib/mod.lua")).toBe("return 1");
  });

  it.each([
    "../own-secret/key",
    "lib/../../own-secret/key",
    "way/key",
    "key",
    "/etc/passwd",
    "/",
    "..",
    "way",
    "a\0b",
    "/proc/self/environ",
  ])("outside of it are refused: %j", async (path) => {
    const calls = [
      files.read(path),
      files.write(path, "x", false),
      files.write(path, "x", true),
      files.exists(path),
      files.list(path),
      files.module(path),
    ];
    for (const { code } of await Promise.all(calls.map(failure))) expect(code).toBe("script-denied");
    expect(readFileSync(join(root, "own-secret/key"), "utf8")).toBe("secret");
  });

  it("are not made through a link that leads nowhere yet", async () => {
    expect((await failure(files.write("dangling", "x", false))).code).toBe("script-denied");
    expect((await failure(files.read("dangling"))).code).toBe("script-denied");
  });

  it("lie in the folders that are allowed, those only; a module always lies beside the script", async () => {
    const other = scriptFiles(own, [join(root, "own-secret"), join(root, "not-there")]);
    expect(await other.read("way/key")).toBe("secret");
    expect(await other.read("../own-secret/key")).toBe("secret");
    expect(await failure(other.read("a.txt"))).toMatchObject({ code: "script-denied", where: "runtime.security.allowed_paths" });
    expect(await other.module("lib/mod.lua")).toBe("return 1");
    expect((await failure(other.module("way/key"))).code).toBe("script-denied");
  });

  it("permit a model by its path where files lie, whatever leads there", () => {
    for (const path of ["nothing-here.gguf", "."]) expect(() => files.permit(join(own, path))).not.toThrow();
    for (const path of ["/etc/passwd", root, join(own, "way/x.gguf"), "~/x.gguf", "./x.gguf", `${own}-secret/x`])
      expect(() => files.permit(path), path).toThrow(expect.objectContaining({ code: "script-denied" }));
    expect(() => scriptFiles(own, [join(root, "own-secret")]).permit(join(own, "way/x.gguf"))).not.toThrow();
  });

  posix.it("stay as they were where a new text finds no room; tools write as scripts do", async () => {
    writeFileSync(join(own, "a.txt"), "the old one");
    const module = await fromSource(["node/scripts/files.ts", "node/tools/files.ts"]);
    const write = `import(${JSON.stringify(module.href)}).then(async ({ scriptFiles, toolFiles }) => {
      for (const files of [scriptFiles(process.argv[1], []), toolFiles(process.argv[1], [])])
        await files.write("a.txt", Buffer.alloc(100_000, "x"), false).catch(({ message }) => console.log(message));
    })`;
    // files of this shell's children have at most 4 blocks
    const run = ["-c", 'ulimit -f 4; exec "$0" -e "$1" "$2"', process.execPath, write, own];
    const { stdout } = spawnSync("sh", run, { encoding: "utf8" });
    module.remove();
    expect(stdout).toBe("a.txt: a file may not be so large here (ulimit -f, or the file system)\n".repeat(2));
    expect(readFileSync(join(own, "a.txt"), "utf8")).toBe("the old one");
    expect(readdirSync(own).sort()).toEqual(["a.txt", "bytes", "dangling", "key", "lib", "way"]);
  });

  posix.it("keep their rights, and what is no file is not replaced", async () => {
    chmodSync(join(own, "a.txt"), 0o640);
    await files.write("a.txt", "new", false);
    expect(statSync(join(own, "a.txt")).mode & 0o777).toBe(0o640);
    expect(await failure(files.write("lib", "x", false))).toMatchObject({ code: "script-error" });
    expect(spawnSync("mkfifo", [join(own, "pipe")]).status).toBe(0);
    expect(await failure(files.write("pipe", "x", false))).toMatchObject({ code: "script-error" });
    expect(statSync(join(own, "pipe")).isFIFO()).toBe(true);
  });

  it("that are no text, no files, or missing are named", async () => {
    expect(await failure(files.read("bytes"))).toMatchObject({
      code: "script-error",
      message: "bytes: expected text in UTF-8, got other bytes",
    });
    expect(await failure(files.read("lib"))).toMatchObject({ code: "script-error" });
    expect(await failure(files.list("a.txt"))).toMatchObject({ code: "script-error" });
    expect(await failure(files.module("none.lua"))).toMatchObject({ code: "script-error", message: "none.lua: no such file or folder" });
    expect(await failure(files.write("none/x", "x", false))).toMatchObject({ code: "script-error" });
  });
});
