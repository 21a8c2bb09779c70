import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { filesOfPath } from "../../src/core/backends/candle/layout.ts";
import type { Platform } from "../../src/core/platform.ts";
import { memoryPlatform } from "../../src/core/testing/index.ts";
import { nodeFiles } from "../../src/node/files.ts";

const files = nodeFiles();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "llmspell files é "));
  writeFileSync(join(folder, "b.txt"), "bb");
  writeFileSync(join(folder, "a.bin"), "a");
  mkdirSync(join(folder, "sub"));
  symlinkSync(join(folder, "b.txt"), join(folder, "link.txt"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("files of Node", () => {
  it("G79 opens a file under a path with spaces and accents, and finds its neighbours", async () => {
    const found = await files.look(join(folder, "a.bin"));
    expect(found.kind).toBe("file");
    expect(found.sources.map(({ name, size }) => [name, size])).toEqual([["a.bin", 1]]);
    expect((await found.sibling("b.txt"))?.size).toBe(2);
    expect(await found.sibling("none.txt")).toBeUndefined();
    expect(await found.sibling("../a.bin")).toBeUndefined();
    expect(await found.sibling("sub")).toBeUndefined();
  });

  it("lists the regular files directly inside a folder, in name order, links followed", async () => {
    const found = await files.look(folder);
    expect(found.kind).toBe("folder");
    expect(found.sources.map(({ name }) => name)).toEqual(["a.bin", "b.txt", "link.txt"]);
  });

  it("names a path that is not there", async () => {
    await expect(files.look(join(folder, "missing.gguf"))).rejects.toMatchObject({
      code: "model-unknown",
      message: expect.stringContaining("missing.gguf"),
    });
  });

  it("says of a link that it leads nowhere, or back to itself", async () => {
    const links = join(folder, "sub");
    symlinkSync("nowhere.gguf", join(links, "dangling.gguf"));
    symlinkSync("loop.gguf", join(links, "loop.gguf"));
    symlinkSync("gone", join(links, "inner"));
    for (const [name, message] of [
      ["dangling.gguf", "dangling.gguf is a symbolic link to nowhere.gguf, where nothing lies"],
      ["loop.gguf", "loop.gguf is a symbolic link that leads back to itself, by loop.gguf"],
      ["inner/a.gguf", "inner is a symbolic link to gone, where nothing lies"],
      ["none.gguf", "none.gguf: no such file or folder"],
    ] as const)
      await expect(files.look(join(links, name))).rejects.toMatchObject({
        code: "model-unknown",
        message: expect.stringContaining(message),
      });
  });

  it("a folder without a model is model-layout, naming what was found", async () => {
    const platform: Platform = { ...memoryPlatform(), files: { available: true, value: files } };
    await expect(filesOfPath(platform, folder)).rejects.toMatchObject({
      code: "model-layout",
      message: expect.stringContaining("a.bin, b.txt"),
    });
  });

  it("a folder with two models is model-ambiguous, with a command for the first", async () => {
    const twice = mkdtempSync(join(tmpdir(), "llmspell-two-"));
    for (const name of ["x.gguf", "y.gguf"]) writeFileSync(join(twice, name), "GGUF");
    const platform: Platform = { ...memoryPlatform(), files: { available: true, value: files } };
    await expect(filesOfPath(platform, twice)).rejects.toMatchObject({
      code: "model-ambiguous",
      actions: [{ kind: "run", model: expect.stringContaining("x.gguf") }],
    });
    rmSync(twice, { recursive: true });
  });
});
