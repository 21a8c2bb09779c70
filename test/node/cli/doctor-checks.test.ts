import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { checkHome } from "../../../src/node/cli/doctor-checks.ts";

it("a home that is not there yet can be made where its nearest folder takes files; nothing is left there", () => {
  const folder = mkdtempSync(join(tmpdir(), "llmspell-doctor-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  vi.stubEnv("LLMSPELL_HOME", join(folder, "a/b"));
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(checkHome()).toMatchObject({ result: "ok", reason: `${join(folder, "a/b")} (made when needed)` });
  expect(readdirSync(folder)).toEqual([]);
});

it.runIf(process.platform === "linux")("a home below a folder that takes no files, whoever asks, is a warning", () => {
  vi.stubEnv("LLMSPELL_HOME", "/proc/nope");
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(checkHome()).toMatchObject({ result: "warn", reason: expect.stringContaining("/proc/nope: cannot be written") });
});
