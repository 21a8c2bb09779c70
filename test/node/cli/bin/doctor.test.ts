/** The built bin looks at the machine it runs on, however odd that is. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { onlyWhere } from "../../../support/only-where.ts";
import { bin, cleanEnv, cli, onTerminal, withTerminal } from "../support.ts";
import { modelFolder } from "./support.ts";

const folder = modelFolder();
/** A user whom no list of users names, as containers have them; only root can start processes for one. */
const stranger = { uid: 54_321, gid: 54_321, cwd: "/", encoding: "utf8" } as const;
const canBeStranger = process.getuid?.() === 0 && spawnSync(process.execPath, [bin, "--version"], stranger).status === 0;

describe("doctor", () => {
  it("looks whether the default model is here", async () => {
    const env = { LLMSPELL_PROVIDERS_CANDLE_DEFAULT_MODEL: "nonsense-model" };
    const { stdout } = await cli(["doctor", "--device", "cpu", "--output", "json"], { env });
    const { checks } = JSON.parse(stdout) as { readonly checks: readonly object[] };
    expect(checks).toContainEqual(
      expect.objectContaining({
        area: "models",
        id: "nonsense-model",
        result: "warn",
        reason: expect.stringContaining("the default model:"),
      }),
    );
  });

  it("--device looks at one device, on one line with the times of its self-tests", async () => {
    const { status, stdout } = await cli(["doctor", "--device", "cpu"]);
    expect(status).toBe(0);
    for (const line of stdout.split("\n").filter((text) => /^\S/.test(text)))
      expect(line).toMatch(/^(ok|warn|fail|skip) +(runtime|config|devices|models|stores|servers|keys) +\S/);
    expect(stdout).toMatch(/^ok {4}devices {2}cpu .*GGUF .*self-test [\d.]+ m?s; T5 .*self-test [\d.]+ m?s$/m);
    expect(stdout).not.toMatch(/devices {2}(webgpu|cuda)/);
  });

  it("--device fails with status 4 for a device that cannot be used, with the reason and what to type", async () => {
    const outcome = await cli(["doctor", "--device", "vulkan"]);
    expect(outcome).toMatchObject({ status: 4, stderr: expect.stringContaining("[device-unavailable]") });
    expect(outcome.stderr).toContain("  npm install @node-llama-cpp/");
    // the line that installs it names the package; the runtime is another one, and is here
    expect(outcome.stdout).toMatch(/^skip +devices +vulkan +a package is missing \(npm install @node-llama-cpp\//m);
    expect(outcome.stderr).toContain("  llmspell doctor --device cpu");
  });

  it("says once what two versions of an engine have found", async () => {
    const own = join(folder, "threads");
    mkdirSync(own);
    const found = { form: 5, prompt: 1, decode: 1, isSettled: true, tries: 1 };
    const key = (version: string, size: number) => `node-llama-cpp@${version} | a processor x2 of 2 | 2^${size} bytes`;
    writeFileSync(
      join(own, "threads.json"),
      JSON.stringify({ [key("3.22.0", 22)]: found, [key("3.22.1", 22)]: found, [key("3.22.1", 27)]: found }),
    );
    const { stdout } = await cli(["doctor", "--device", "cpu"], { env: { LLMSPELL_HOME: own } });
    expect(stdout.match(/devices +threads .*4 MiB/g)).toHaveLength(1);
    expect(stdout.match(/devices +threads .*128 MiB/g)).toHaveLength(1);
  });

  it("says of keys only whether they are set, and of servers whether they answer", async () => {
    const server = createServer((request, response) => response.end(request.url === "/api/version" ? '{"version":"0.9.9"}' : "{}"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const env = { OLLAMA_HOST: `127.0.0.1:${port}`, HF_TOKEN: "hf_secret" };
    const { stdout } = await cli(["doctor", "--device", "cpu"], { env });
    server.close();
    expect(stdout).toMatch(new RegExp(`^ok +servers +ollama +Ollama 0\\.9\\.9 at http://127\\.0\\.0\\.1:${port}`, "m"));
    expect(stdout).toMatch(/^ok +keys +huggingface +set$/m);
    expect(stdout).not.toContain("hf_secret");
  });

  it("G79: a home that is a file, or cannot be written, is a warning with a way out; a server elsewhere is not asked", async () => {
    const file = join(folder, "a-file");
    writeFileSync(file, "");
    const outcome = await cli(["doctor", "--device", "cpu"], {
      env: { LLMSPELL_HOME: file, OLLAMA_HOST: "http://me:very-secret@ollama.example:11434" },
    });
    expect(outcome.stdout).toMatch(/^skip +servers +ollama +http:\/\/ollama\.example:11434 is not on this machine/m);
    expect(outcome.status).toBe(0);
    expect(outcome.stdout).not.toContain("very-secret");
    expect(outcome.stdout).toMatch(/^warn {2}stores +home/m);
    expect(outcome.stdout).toContain("LLMSPELL_HOME=");
  });
});

describe("odd surroundings", () => {
  it.each([
    ["no HOME", { HOME: undefined, LLMSPELL_HOME: undefined }],
    ["a home that is a file", { LLMSPELL_HOME: bin }],
    ["a home below a file", { LLMSPELL_HOME: join(bin, "x") }],
    ["a home of 300 characters", { LLMSPELL_HOME: join(tmpdir(), "x".repeat(300)) }],
  ])("G79: %s does not keep a model from running", async (_, env) => {
    expect(await cli(["generate", "-q", "Once", "--max-tokens", "2", "--threads", "1"], { env })).toMatchObject({ status: 0, stderr: "" });
  });

  it("G79: a working folder that was deleted does not keep a model from running, on either engine, and a path in it is not there", async () => {
    const gone = join(folder, "gone");
    const path = JSON.stringify(gone);
    const there = `mkdir ${path} && cd ${path} && rmdir ${path}`;
    const run = (args: string): { status: number | null; stderr: string } => {
      const line = `${there} && ${JSON.stringify(process.execPath)} ${bin} generate -q ${args}`;
      const { status, stderr } = spawnSync("sh", ["-c", line], { env: { ...cleanEnv }, encoding: "utf8" });
      return { status, stderr };
    };
    for (const device of ["cpu", "wasm"])
      expect(run(`--device ${device} --threads 1 --max-tokens 2 Once`)).toEqual({ status: 0, stderr: "" });
    expect(run("-m ./x.gguf Once")).toMatchObject({ status: 3, stderr: expect.stringContaining("[model-unknown]") });
  });

  onlyWhere(canBeStranger ? undefined : "no run as another user here").it(
    "G79: a user without a home, whom the system does not know, does not keep a model from running",
    () => {
      for (const env of [{}, { HOME: "" }, { HOME: "/" }, { HOME: "/nonexistent" }]) {
        const args = [bin, "generate", "-q", "Once", "--max-tokens", "2", "--threads", "1"];
        const { status, stderr } = spawnSync(process.execPath, args, { ...stranger, env });
        expect([status, stderr]).toEqual([0, ""]);
      }
    },
  );

  it("G79: a read-only home does not keep a model from running, and stays as it was", async () => {
    const readOnly = join(folder, "read only");
    mkdirSync(readOnly);
    chmodSync(readOnly, 0o500);
    expect(
      await cli(["generate", "-q", "Once", "--max-tokens", "2", "--threads", "1"], { env: { LLMSPELL_HOME: readOnly } }),
    ).toMatchObject({
      status: 0,
      stderr: "",
    });
    chmodSync(readOnly, 0o700);
  });

  withTerminal.it("G80: a terminal of width 0 gets colours without a crash, and none with NO_COLOR", () => {
    const line = `stty cols 0; ${JSON.stringify(process.execPath)} ${bin} nonsense`;
    expect(onTerminal(line)).toMatchObject({ status: 2, shown: expect.stringContaining("\u001b[1;31mError:") });
    expect(onTerminal(line, { NO_COLOR: "1" }).shown).not.toContain("\u001b");
    expect(onTerminal(line, { TERM: "dumb" }).shown).not.toContain("\u001b");
  });

  const narrow: readonly (readonly [number, string])[] = [
    [60, "doctor --device cpu -q"],
    [60, "model list -q"],
    [80, "model available"],
    [60, "model available"],
  ];
  for (const [columns, command] of narrow)
    withTerminal.it(`on ${columns} columns no line of ${command} breaks where it likes; commands stay whole`, () => {
      const line = `stty cols ${columns}; ${JSON.stringify(process.execPath)} ${bin} ${command}`;
      const { shown, status } = onTerminal(line, { NO_COLOR: "1" });
      expect(status).toBe(0);
      const wide = shown.split("\r\n").filter((text) => text.length > columns);
      expect(wide.filter((text) => !/^ +(npm|export|ollama|llmspell) |https:|^auto takes/.test(text))).toEqual([]);
      expect(shown).toContain("tiny-stories");
    });

  it("refuses a log level it does not know, unless a flag gives one", async () => {
    expect(await cli(["doctor"], { env: { LLMSPELL_TRACE: "loud" } })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("[env-value]"),
    });
    expect(await cli(["model", "info", "tiny-stories", "--trace", "warn"], { env: { LLMSPELL_TRACE: "loud" } })).toMatchObject({
      status: 0,
    });
  });

  it("refuses a profile and a file from variables, unless a flag of either kind puts both aside", async () => {
    expect(await cli(["doctor"], { env: { LLMSPELL_PROFILE: "a", LLMSPELL_CONFIG: "b" } })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("[config-conflict]"),
    });
    const flagged = await cli(["-p", "minimal", "config", "path"], { env: { LLMSPELL_PROFILE: "a", LLMSPELL_CONFIG: "b" } });
    expect(flagged).toMatchObject({ status: 0, stdout: expect.stringContaining("profile:minimal") });
  });

  it("shows a stack at --trace debug, before the error and its code", async () => {
    const { stderr } = await cli(["--trace", "debug", "generate", "-m", "nope@candle", "x"]);
    expect(stderr).toMatch(/\n\s+at .*Error: Model 'nope' is not in the catalogue.*\[model-unknown\]\n$/s);
  });
});
