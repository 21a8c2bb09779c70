/** `file-operations` over a real folder: what it does, and where it does nothing. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import { createSpell } from "../../../src/node/main.ts";
import { failure } from "../../support/failure.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "llmspell-tools-")));
const [inside, beside] = [join(root, "in"), join(root, "out")];
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => {
  for (const folder of [inside, beside]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
  }
  writeFileSync(join(beside, "secret.txt"), "secret");
});

function toolsOf(rules: NonNullable<NonNullable<ConfigInput["tools"]>["file_operations"]> = {}) {
  const config = {
    runtime: { security: { allow_file_access: true, allowed_paths: [inside] } },
    tools: { file_operations: rules, rate_limit_per_minute: 100_000 },
  };
  const { tools } = createSpell({ config, env: {} });
  return async (input: object) =>
    (await tools.execute("file-operations", input)) as { readonly result: unknown; readonly is_cut?: boolean };
}
const at = (name: string) => join(inside, name);

describe("file-operations", () => {
  it("reads, writes, lists, searches, copies, moves and removes", async () => {
    const run = toolsOf();
    await run({ operation: "make_folder", path: at("a/b") });
    expect(await run({ operation: "write", path: at("a/one.txt"), content: "añ€" })).toEqual({ result: true, bytes: 6 });
    await run({ operation: "append", path: at("a/one.txt"), content: "!" });
    expect(await run({ operation: "read", path: at("a/one.txt") })).toEqual({ result: "añ€!", bytes: 7 });
    await run({ operation: "write", path: at("a/b/two.bin"), content: "/wA=", is_base64: true });
    expect((await failure(run({ operation: "read", path: at("a/b/two.bin") }))).message).toContain("is_base64 = true");
    expect((await run({ operation: "read", path: at("a/b/two.bin"), is_base64: true })).result).toBe("/wA=");
    expect((await run({ operation: "list", path: at("a") })).result).toEqual([
      expect.objectContaining({ name: "b", kind: "folder" }),
      expect.objectContaining({ name: "one.txt", kind: "file", size: 7, path: join(inside, "a/one.txt") }),
    ]);
    expect((await run({ operation: "search", path: inside, pattern: "*.t?t", contains: "ñ" })).result).toMatchObject([
      { path: at("a/one.txt") },
    ]);
    expect((await run({ operation: "info", path: at("a") })).result).toMatchObject({
      kind: "folder",
      modified_at: expect.stringMatching(/Z$/),
    });
    await run({ operation: "copy", path: at("a/one.txt"), to: at("c.txt") });
    await run({ operation: "move", path: at("c.txt"), to: at("d.txt") });
    expect([readFileSync(at("d.txt"), "utf8"), existsSync(at("c.txt"))]).toEqual(["añ€!", false]);
    await run({ operation: "move", path: at("a"), to: at("e") });
    await run({ operation: "remove", path: at("e/one.txt") });
    const full = await failure(run({ operation: "remove", path: at("e") }));
    expect([full.code, full.message]).toEqual(["tool-failed", `file-operations: ${at("e")}: expected an empty folder, got one with files`]);
    expect((await run({ operation: "exists", path: at("e/one.txt") })).result).toBe(false);
  });

  it.each([
    [{ operation: "list", path: at("a.txt") }, "expected a folder, got a file"],
    [{ operation: "read", path: inside }, "expected a file, got a folder"],
    [{ operation: "read", path: at("none.txt") }, "no such file or folder"],
    [{ operation: "write", path: at("none/x.txt"), content: "x" }, "no such folder; make_folder makes it"],
    [{ operation: "write", path: at("x.txt") }, "write and append take content; got none"],
    [{ operation: "write", path: "n".repeat(300), content: "x" }, `file-operations: ${"n".repeat(200)}: its name is too long`],
    [{ operation: "move", path: at("a.txt") }, "copy and move take to, the new path; got none"],
  ])("says of %j what is wrong", async (input, message) => {
    writeFileSync(at("a.txt"), "a");
    const error = await failure(toolsOf()(input));
    expect([error.code, error.message]).toEqual(["tool-failed", expect.stringContaining(message)]);
  });

  it("never writes over something by a copy or a move", async () => {
    const run = toolsOf();
    for (const name of ["a", "b"]) writeFileSync(at(name), name);
    for (const operation of ["copy", "move"]) await failure(run({ operation, path: at("a"), to: at("b") }));
    expect(readFileSync(at("b"), "utf8")).toBe("b");
  });

  const operations = ["read", "write", "append", "exists", "info", "list", "search", "make_folder", "remove"];
  it.each(operations)("%s leaves the folder in no way", async (operation) => {
    const run = toolsOf();
    symlinkSync(beside, at("link"));
    symlinkSync(join(beside, "new.txt"), at("dangling"));
    const paths = [
      join(beside, "secret.txt"),
      at("../out/secret.txt"),
      at("link/secret.txt"),
      at("link/new.txt"),
      "/etc/passwd",
      "/proc/self/environ",
      at("a\0b"),
      at("../in-not/x"),
      ...(operation === "remove" ? [] : [at("link")]),
      // nothing is there
      ...(["remove", "exists", "info"].includes(operation) ? [] : [at("dangling")]),
    ];
    for (const path of paths) {
      const error = await failure(run({ operation, path, content: "x" }));
      expect([path, ["script-denied", "tool-failed"].includes(error.code)]).toEqual([path, true]);
      expect(error.message).not.toContain("secret\n");
    }
    expect(readFileSync(join(beside, "secret.txt"), "utf8")).toBe("secret");
    expect(existsSync(join(beside, "new.txt"))).toBe(false);
  });

  it("says which path it means, and that an allowed folder stays", async () => {
    const run = toolsOf();
    const gone = await failure(run({ operation: "remove", path: join(beside, "secret.txt") }));
    expect(gone.message).toBe(
      `${join(beside, "secret.txt")}: expected a file in the folders of runtime.security.allowed_paths, got one elsewhere`,
    );
    expect(gone.hint).toMatch(/^Tools may/);
    expect((await failure(run({ operation: "remove", path: inside }))).message).toBe(
      `${inside}: expected a file within the folders of runtime.security.allowed_paths, got one of these folders`,
    );
  });

  it("copies and moves nothing out or in, and removes a link, never what it leads to", async () => {
    const run = toolsOf();
    writeFileSync(at("a"), "a");
    symlinkSync(join(beside, "secret.txt"), at("link"));
    for (const operation of ["copy", "move"]) {
      expect((await failure(run({ operation, path: at("a"), to: join(beside, "a") }))).code).toBe("script-denied");
      expect((await failure(run({ operation, path: join(beside, "secret.txt"), to: at("b") }))).code).toBe("script-denied");
    }
    expect((await failure(run({ operation: "copy", path: at("link"), to: at("b") }))).code).toBe("script-denied");
    await run({ operation: "remove", path: at("link") });
    expect([existsSync(at("link")), existsSync(join(beside, "secret.txt"))]).toEqual([false, true]);
  });

  it("does not follow links in a search", async () => {
    symlinkSync(beside, at("link"));
    symlinkSync(inside, at("self"));
    const found = (await toolsOf()({ operation: "search", path: inside })).result as { readonly path: string }[];
    expect(found.map(({ path }) => path)).toEqual([at("link"), at("self")]);
  });

  it("keeps to sizes, depth and endings", async () => {
    const run = toolsOf({ max_file_size: 5, max_depth: 2, blocked_extensions: ["exe", "sh"] });
    expect((await failure(run({ operation: "write", path: at("a.txt"), content: "123456" }))).code).toBe("tool-limit");
    await run({ operation: "write", path: at("a.txt"), content: "123" });
    expect((await failure(run({ operation: "append", path: at("a.txt"), content: "456" }))).code).toBe("tool-limit");
    writeFileSync(at("large.txt"), "123456");
    expect((await failure(run({ operation: "read", path: at("large.txt") }))).code).toBe("tool-limit");
    for (const name of ["a.exe", "A.EXE", "a.exe.", "a.exe ", "a.sh", "x/a.sh", "a.exe::$DATA"])
      expect((await failure(run({ operation: "write", path: at(name), content: "x" }))).code).toBe("tool-denied");
    expect((await failure(run({ operation: "copy", path: at("a.txt"), to: at("a.sh") }))).code).toBe("tool-denied");
    mkdirSync(at("1/2/3"), { recursive: true });
    const found = (await run({ operation: "search", path: inside, pattern: "?" })).result as { readonly name: string }[];
    expect(found.map(({ name }) => name)).toEqual(["1", "2"]);
  });

  it.skipIf(process.platform === "win32")("reads no pipe and no device", async () => {
    execFileSync("mkfifo", [at("pipe")]);
    expect((await failure(toolsOf()({ operation: "read", path: at("pipe") }))).message).toContain("expected a file");
  });

  it("finds names in time, whatever the pattern", async () => {
    writeFileSync(at("a".repeat(200)), "");
    const started = performance.now();
    expect((await toolsOf()({ operation: "search", path: inside, pattern: `${"*a".repeat(100)}*b` })).result).toEqual([]);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
