import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFileSource } from "../../src/node/file-source.ts";
import { linux, posix } from "../support/only-where.ts";
import { soonMs } from "../support/soon.ts";
import { unprivileged } from "./support/unprivileged.ts";

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "llmspell-file-source-")));
  // others may look into it: one test reads as nobody
  chmodSync(folder, 0o755);
});
afterAll(() => rmSync(folder, { recursive: true }));

const content = new TextEncoder().encode("0123456789");

function write(name: string, bytes: Uint8Array = content): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** The promise's error; fails when it neither resolves nor rejects soon, so that blocking shows. */
async function refusal(promise: Promise<unknown>): Promise<unknown> {
  const late = new Promise((resolve) => setTimeout(resolve, soonMs, new Error("still waiting")).unref());
  return Promise.race([
    promise.then(
      () => new Error("accepted"),
      (error: unknown) => error,
    ),
    late,
  ]);
}

describe("openFileSource", () => {
  it("reads ranges of a regular file and says its real path", async () => {
    const path = write("good.gguf");
    const link = join(folder, "link.gguf");
    symlinkSync(path, link);
    const source = await openFileSource(link);
    expect(source).toMatchObject({ name: "link.gguf", path, size: 10 });
    expect(new TextDecoder().decode(await source.read(3, 4))).toBe("3456");
  });

  it.each(["spaces and 漢字 😀.gguf", `${"n".repeat(240)}.gguf`, "-rf.gguf"])("takes a file called %s", async (name) => {
    expect((await openFileSource(write(name))).size).toBe(10);
  });

  it("a folder is model-not-regular", async () => {
    expect(await refusal(openFileSource(folder))).toMatchObject({ code: "model-not-regular", message: expect.stringContaining("folder") });
  });

  posix.it("a pipe is model-not-regular, at once", async () => {
    const path = join(folder, "pipe.gguf");
    execFileSync("/usr/bin/mkfifo", [path]);
    expect(await refusal(openFileSource(path))).toMatchObject({ code: "model-not-regular", message: expect.stringContaining("pipe") });
  });

  for (const path of ["/dev/zero", "/dev/null"])
    posix.it(`${path} is model-not-regular`, async () => {
      expect(await refusal(openFileSource(path))).toMatchObject({ code: "model-not-regular", message: expect.stringContaining("device") });
    });

  posix.it("a socket is model-not-regular", async () => {
    const path = join(folder, "socket.gguf");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    expect(await refusal(openFileSource(path))).toMatchObject({ code: "model-not-regular", message: expect.stringContaining("socket") });
    await new Promise((resolve) => server.close(resolve));
  });

  it("what is not there is model-unknown: no file, no folder, a dangling link, a loop, a name too long, a NUL", async () => {
    const dangling = join(folder, "dangling.gguf");
    symlinkSync(join(folder, "nowhere"), dangling);
    const loop = join(folder, "loop.gguf");
    symlinkSync(loop, loop);
    const inFile = join(write("file.gguf"), "inside.gguf");
    for (const path of [join(folder, "none.gguf"), inFile, dangling, loop, join(folder, "n".repeat(300)), join(folder, "a\0b"), ""]) {
      expect(await refusal(openFileSource(path)), path.slice(0, 80)).toMatchObject({ code: "model-unknown" });
    }
  });

  posix.it("a file one may not read is store-denied", async () => {
    const path = write("secret.gguf");
    chmodSync(path, 0);
    const refused = await unprivileged(() => refusal(openFileSource(path)));
    expect(refused).toMatchObject({ code: "store-denied", message: expect.stringContaining("EACCES") });
  });

  posix.it("a pipe that takes the file's place later does not block a read", async () => {
    const path = write("swapped.gguf");
    const source = await openFileSource(path);
    const pipe = join(folder, "other-pipe");
    execFileSync("/usr/bin/mkfifo", [pipe]);
    renameSync(pipe, path);
    expect(await refusal(source.read(0, 5))).toMatchObject({ code: "model-not-regular" });
  });

  it.each([
    ["truncated", (path: string) => truncateSync(path, 4)],
    ["appended to", (path: string) => appendFileSync(path, "more")],
    ["replaced", (path: string) => renameSync(write("replacement.gguf"), path)],
    ["removed", (path: string) => rmSync(path)],
  ])("a file that is %s while in use is refused at the next read", async (_, change) => {
    const path = write("changing.gguf");
    const source = await openFileSource(path);
    await source.read(0, 4);
    change(path);
    expect(await refusal(source.read(0, 4))).toMatchObject({ code: expect.stringMatching(/^(gguf-truncated|model-unknown)$/) });
  });

  it("a closed source refuses reads with run-closed; closing twice is nothing", async () => {
    const source = await openFileSource(write("closed.gguf"));
    await source.close();
    await source.close();
    expect(await refusal(source.read(0, 4))).toMatchObject({ code: "run-closed" });
  });

  linux.it("keeps no file open between reads, nor after a refusal", async () => {
    const open = (): number => readdirSync("/proc/self/fd").length;
    const path = write("handles.gguf");
    await (await openFileSource(path)).read(0, 1);
    const before = open();
    for (let i = 0; i < 50; i++) {
      await (await openFileSource(path)).read(0, 4);
      await refusal(openFileSource(folder));
    }
    expect(open()).toBeLessThanOrEqual(before + 5);
  });
});
