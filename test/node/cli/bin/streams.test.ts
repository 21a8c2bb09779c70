/** The built bin between pipes: standard input that is closed, binary or huge; readers that leave; full disks. */
import { spawnSync } from "node:child_process";
import { openSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { linux } from "../../../support/only-where.ts";
import { bin, cleanEnv, cli } from "../support.ts";

describe("standard input", () => {
  it("G77: closed, empty and binary input are handled, and 100 MiB are refused", async () => {
    expect(
      spawnSync("/bin/sh", ["-c", `exec "$0" "$1" generate -q Once --max-tokens 2 <&-`, process.execPath, bin], { env: cleanEnv }).status,
    ).toBe(0);
    expect(await cli(["generate"])).toMatchObject({ status: 2, stderr: expect.stringContaining("[usage-no-prompt]") });
    expect(await cli(["generate", "x"], { input: Uint8Array.of(0, 0xff, 0xfe) })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("not UTF-8"),
    });
    const huge = new Uint8Array(100 * 1024 * 1024).fill(97);
    expect(await cli(["generate", "x"], { input: huge })).toMatchObject({
      status: 2,
      stdout: "",
      stderr: expect.stringContaining("at most 4000000 bytes"),
    });
  });

  it("chat takes each line as a turn and ends with the input", async () => {
    const { status, stdout, stderr } = await cli(["chat", "--max-tokens", "4"], { input: "Once upon a time\nThe cat\n" });
    expect([status, stdout.trimEnd().split("\n").length >= 2]).toEqual([0, true]);
    expect(stderr.match(/no chat template/g)).toHaveLength(1);
    expect(stderr).toContain("it is; for a conversation:\n  llmspell chat --max-tokens 4 -m smollm2-135m --pull\n");
  });
});

describe("standard output", () => {
  it.each([
    ["generate", "Once upon a time", "--max-tokens", "300"],
    ["--help"],
    ["version", "-v"],
    ["completion", "zsh"],
    ["model", "info", "tiny-stories", "--output", "pretty"],
  ])("G78: %s into a reader that leaves at once ends silently, status 0", (...args) => {
    const line = `{ "$0" "$@" < /dev/null; echo "status $?" >&2; } | head -c 1 > /dev/null`;
    const { stderr } = spawnSync("/bin/sh", ["-c", line, process.execPath, bin, "-q", ...args], { env: cleanEnv, encoding: "utf8" });
    expect(stderr).toBe("status 0\n");
  });

  linux.it("a full disk is an error, not a stack", () => {
    const { status, stderr } = spawnSync(process.execPath, [bin, "--help"], {
      env: cleanEnv,
      encoding: "utf8",
      stdio: ["ignore", openSync("/dev/full", "w"), "pipe"],
    });
    expect(status).toBe(3);
    expect(stderr).toMatch(/^Error: standard output cannot be written: ENOSPC.*\[store-denied\]\n$/s);
  });
});
