/** The built bin for programs: one JSON document a run, every field named. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bin, cli, onTerminal, withTerminal } from "../support.ts";
import { modelFolder } from "./support.ts";

const folder = modelFolder();

describe("documents", () => {
  it.each([
    ["generate", "--bogus"],
    ["generate", "--seed", "x", "y"],
    ["nonsense"],
    ["run", "x.lua"],
    ["-p", "a", "-c", "b", "doctor"],
    ["model", "info", "./none.gguf"],
    ["generate"],
    ["help", "nonsense"],
  ])("a failing %s %s gives exactly one document and one line", async (...args) => {
    for (const format of ["json", "pretty"]) {
      const { status, stdout, stderr } = await cli([...args, "--output", format]);
      const { error, ...rest } = JSON.parse(stdout);
      expect(rest).toEqual({ status: "error" });
      expect(Object.keys(error)).toEqual(["code", "message", "hint", "commands", "where", "retryable", "exit_code", "details"]);
      expect(error.exit_code).toBe(status);
      expect(stdout.endsWith("}\n")).toBe(true);
      expect(stdout.trimEnd().includes("\n")).toBe(format === "pretty");
      expect(stderr).toBe(`Error: ${error.message} [${error.code}]\n`);
    }
  });

  it("model info names every field, null where nothing is known", async () => {
    const document = JSON.parse((await cli(["model", "info", "tiny-stories", "--output", "json"])).stdout);
    expect(Object.keys(document)).toEqual(
      (
        "status id backend format architecture parameter_count quantization size_bytes modified_at source revision license verified bundled loaded path aliases " +
        "context_length embedding_length block_count vocab_size chat_template capabilities license_url files fits device"
      ).split(" "),
    );
    expect(document).toMatchObject({
      id: "tiny-stories",
      backend: "candle",
      format: "gguf",
      architecture: "llama",
      quantization: "Q8_0",
      bundled: true,
      source: "bundled",
      verified: "sha256",
      chat_template: null,
      capabilities: ["completion"],
      size_bytes: readFileSync(document.path).length,
      fits: { device: "cpu", ok: true },
    });
  });

  it("doctor has one entry for each check, the time of each self-test, and the device that would be used", async () => {
    const { status, stdout, stderr } = await cli(["doctor", "--output", "json"]);
    const document = JSON.parse(stdout);
    expect([status, stderr, document.status]).toEqual([0, "", "ok"]);
    for (const check of document.checks) expect(Object.keys(check)).toEqual(["area", "id", "result", "reason", "fix", "command"]);
    const ids = (area: string): string[] =>
      document.checks.filter((check: { area: string }) => check.area === area).map(({ id }: { id: string }) => id);
    expect(ids("runtime")).toContain("onnxruntime-node");
    expect(ids("devices").filter((id) => id !== "threads")).toEqual(["webgpu", "metal", "cuda", "vulkan", "cpu", "wasm", "weights"]);
    expect([ids("models"), ids("stores")]).toEqual([["tiny-stories", "tiny-t5-en-fr"], ["home"]]);
    expect([ids("config"), ids("servers"), ids("keys")]).toEqual([["defaults"], ["proxy", "ollama"], ["huggingface"]]);
    expect(["cpu", "wasm"]).toContain(document.device.chosen);
    for (const report of [document.device, document.devices.gguf, document.devices.t5]) {
      const wasm = report.tried.find(({ device }: { device: string }) => device === "wasm");
      expect(wasm).toMatchObject({ ok: true, reason: "ok", self_test_ms: expect.any(Number) });
      expect(report.tried.filter(({ ok }: { ok: boolean }) => !ok).every(({ hint }: { hint: unknown }) => typeof hint === "string")).toBe(
        true,
      );
    }
  }, 120_000);
});

describe("model info", () => {
  it("reads the header only, and prints key: value lines in their order", async () => {
    const { status, stdout, stderr } = await cli(["model", "info", "./model.gguf"], { cwd: folder });
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout.split("\n").map((line) => line.split(":")[0])).toEqual([
      "id",
      "backend",
      "format",
      "architecture",
      "parameter_count",
      "quantization",
      "size_bytes",
      "modified_at",
      "source",
      "verified",
      "bundled",
      "path",
      "chat_template",
      "context_length",
      "embedding_length",
      "block_count",
      "vocab_size",
      "fits",
      "",
    ]);
  });

  it("O1: metadata with control characters and line breaks forges no line, and is clean in a file", async () => {
    const { stdout } = await cli(["model", "show", "./evil.gguf"], { cwd: folder });
    expect(stdout.match(/^id:/gm)).toHaveLength(1);
    expect(stdout).toContain("license: mit]0;title id: forged\n");
  });

  withTerminal.it("O1: metadata on a terminal loses its control characters", () => {
    const { status, shown } = onTerminal(
      `${JSON.stringify(process.execPath)} ${bin} model info ${JSON.stringify(join(folder, "evil.gguf"))} --no-color`,
    );
    expect(status).toBe(0);
    expect(shown).toContain("license: mit]0;title id: forged\r\n");
    expect(shown).not.toContain("\u001b");
  });
});
