/** The built bin, as programs and people meet it. Children are real; models are the bundled one and small fixtures. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { version } from "../../../src/core/version.ts";
import { tinyLlama, tinyT5, withEntries } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { linux } from "../../support/only-where.ts";
import { soonMs } from "../../support/soon.ts";
import { root } from "../../support.ts";
import { bin, cleanEnv, cli, home, onTerminal, scriptProgram, withTerminal } from "./support.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "llmspell cli é 👩 "));
  writeFileSync(join(folder, "model.gguf"), writeGguf(tinyLlama()));
  writeFileSync(join(folder, "t5.gguf"), writeGguf(tinyT5()));
  const evil = withEntries(tinyLlama(), { "general.license": ["string", "mit\u001b]0;title\u0007\nid: forged"] });
  writeFileSync(join(folder, "evil.gguf"), writeGguf(evil));
});
afterAll(() => {
  for (const path of [folder, home]) rmSync(path, { recursive: true, force: true });
});

describe("help and version", () => {
  it("G76: no arguments give help, status 0", async () => {
    const none = await cli([]);
    expect(none).toMatchObject({ status: 0, stderr: "" });
    expect(none.stdout).toContain("Usage  llmspell [global flags] COMMAND [flags] [operands]");
    expect(await cli(["--help"])).toEqual(none);
    expect(await cli(["-h"])).toEqual(none);
    expect(await cli(["help"])).toEqual(none);
  });

  it.each([["--version"], ["-V"], ["version"], ["-q", "--version"]])("G76: %s prints the version, status 0", async (...args) => {
    expect(await cli(args)).toMatchObject({ status: 0, stdout: `llmspell ${version}\n`, stderr: "" });
  });

  it("the overview reads like this", async () => {
    expect((await cli(["--help"])).stdout.replace(version, "X.Y.Z")).toMatchSnapshot();
  });

  it("the help of generate reads like this", async () => {
    const asked = await cli(["help", "generate"]);
    expect(asked.stdout).toMatchSnapshot();
    expect(await cli(["generate", "--help"])).toEqual(asked);
  });

  it("is one document in the JSON formats", async () => {
    expect(JSON.parse((await cli(["--help", "--output", "json"])).stdout)).toEqual({
      status: "ok",
      help: expect.stringContaining("Usage"),
    });
    expect(JSON.parse((await cli(["--version", "--output", "json"])).stdout)).toEqual({ status: "ok", version });
    expect(JSON.parse((await cli(["version", "-v", "--output=pretty"])).stdout)).toMatchObject({
      status: "ok",
      node: process.versions.node,
    });
  });

  it("version -v lists engines and model families", async () => {
    const { stdout } = await cli(["version", "-v"]);
    for (const word of ["node ", "platform ", "wllama ", "node-llama-cpp ", "llama", "qwen3", "gemma3", "phi2", "gpt2"])
      expect(stdout).toContain(word);
  });
});

describe("generate", () => {
  it("tells a story from the bundled model; G80: with the same seed the same, in locale C and with NO_COLOR too", async () => {
    const args = ["generate", "Once upon a time", "--max-tokens", "12", "--seed", "1"];
    const first = await cli(args);
    const second = await cli([...args, "--quiet"], { env: { LC_ALL: "C", LANG: "C", NO_COLOR: "1", COLUMNS: "0", TERM: "dumb" } });
    expect(first.status).toBe(0);
    expect(first.stdout).toMatch(/^ ?\S.+\n$/s);
    expect(first.stdout + first.stderr).not.toContain("\u001b");
    expect(second).toEqual({ ...first, stderr: "" });
    expect(first.stderr).toContain("note: the answer was cut after 12 tokens; --max-tokens N allows more\n");
  });

  it("reads standard input before the operand, and is silent with -q", async () => {
    const joined = await cli(["generate", "-q", "There was a cat.", "--max-tokens", "5", "--temperature", "0"], {
      input: "Once upon a time\n",
    });
    const whole = await cli(["generate", "-q", "-", "--max-tokens", "5", "--temperature", "0"], {
      input: "Once upon a time\n\nThere was a cat.",
    });
    expect(joined).toEqual(whole);
    expect(joined).toMatchObject({ status: 0, stderr: "" });
  });

  it("runs a file under a path with spaces, accents and emoji", async () => {
    const { status, stdout } = await cli(["generate", "-m", "./model.gguf", "Hi", "--max-tokens", "3", "--output", "json"], {
      cwd: folder,
    });
    expect(JSON.parse(stdout)).toMatchObject({ status: "ok", model: "./model.gguf", usage: { completion_tokens: 3 } });
    expect(status).toBe(0);
  });

  it.each([
    ["a missing file", ["-m", "./modle.gguf"], 3, "model-unknown", "  llmspell generate -m ./model.gguf "],
    ["a path without ./", ["-m", "model.gguf"], 3, "model-unknown", "  llmspell generate -m ./model.gguf "],
    ["a name that only a server may know", ["-m", "nope"], 5, "ollama-unreachable", "  ollama serve"],
    ["a slip in a name", ["-m", "tinylama"], 5, "ollama-unreachable", "Did you mean tinyllama?"],
    ["a model that is not here", ["-m", "tinyllama"], 3, "model-not-installed", "  llmspell generate -m tinyllama --pull Hello"],
    ["an unknown name for candle", ["-m", "tinylama@candle"], 3, "model-unknown", "Did you mean tinyllama?"],
    ["a T5 file", ["-m", "./t5.gguf"], 3, "model-t5-gguf", "safetensors"],
    ["a repository", ["-m", "hf:a/b"], 3, "model-not-installed", "  llmspell model pull hf:a/b@candle"],
    ["a private address", ["-m", "http://10.0.0.1/m.gguf"], 2, "spec-host", "--allow-host 10.0.0.1"],
    ["an unknown backend", ["-m", "x@pluto"], 2, "backend-unknown", "candle (alias local)"],
    ["too large a context", ["--context-size", "5000"], 2, "usage-value", "128 … 512"],
    ["a device that is not there", ["--device", "vulkan"], 4, "device-unavailable", "  llmspell generate Hello --device cpu\n"],
  ])("%s ends with its code and what to type", async (_, args, status, code, text) => {
    const outcome = await cli(["generate", ...args, "Hello"], { cwd: folder });
    expect(outcome).toMatchObject({ status, stdout: "" });
    expect(outcome.stderr).toMatch(new RegExp(`^Error: .+\\n\\[${code}\\]\\n$`, "s"));
    expect(outcome.stderr).toContain(text);
    expect(outcome.stderr).not.toMatch(/\n\s+at /);
  });

  it("G100: control-token text in a prompt stays text, and one note says so", async () => {
    const { status, stderr } = await cli(["generate", "Hello </s> there", "-m", "./model.gguf", "--max-tokens", "2"], { cwd: folder });
    expect(status).toBe(0);
    expect(stderr.match(/control token/g)).toHaveLength(1);
  });
});

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
    expect(ids("devices").filter((id) => id !== "threads")).toEqual(["webgpu", "metal", "cuda", "vulkan", "cpu", "wasm"]);
    expect([ids("models"), ids("stores")]).toEqual([["tiny-stories", "tiny-t5-en-fr"], ["home"]]);
    expect([ids("config"), ids("servers"), ids("keys")]).toEqual([["defaults"], ["ollama"], ["huggingface"]]);
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

  it("O1: metadata with control characters and line breaks forges no line", async () => {
    const { stdout } = await cli(["model", "show", "./evil.gguf"], { cwd: folder });
    expect(stdout.match(/^id:/gm)).toHaveLength(1);
    expect(stdout).toContain("license: mit\u001b]0;title\u0007 id: forged\n");
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

describe("doctor", () => {
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
    expect(outcome.stderr).toContain("  llmspell doctor --device cpu");
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
    expect(stderr).toMatch(/\n\s+at .*Error: Model 'nope' is not known.*\[model-unknown\]\n$/s);
  });
});

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

/** Children of a process, by the system's own table. */
function childrenOf(pid: number): readonly number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  return table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("interrupts", () => {
  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "R24: %s stops an answer at once with status 130, and no child stays",
    async (signal) => {
      let started = 0;
      let children: readonly number[] = [];
      // Many turns, so that the signal never comes after the end.
      const outcome = await cli(["chat", "-q", "--max-tokens", "500"], {
        input: "Once upon a time\n".repeat(200),
        onFirstText: (child) => {
          children = childrenOf(child.pid ?? 0);
          started = performance.now();
          child.kill(signal);
        },
      });
      expect(performance.now() - started).toBeLessThan(soonMs);
      expect(outcome).toMatchObject({ status: 130, signal: null });
      expect(outcome.stdout).toMatch(/\S.*\n$/s);
      expect(outcome.stderr).toMatch(/\[run-aborted\]\n$/);
      expect(outcome.stderr).not.toContain("Error:");
      expect(children.length).toBeGreaterThan(0);
      expect(children.filter(isAlive)).toEqual([]);
    },
  );

  it("D26: a second Ctrl-C ends the run at once", async () => {
    const outcome = await new Promise<{ status: number | null; ms: number }>((resolve) => {
      const child = spawn(process.execPath, [bin, "chat", "-q"], { env: cleanEnv, stdio: ["pipe", "pipe", "ignore"] });
      child.stdin.write("Once upon a time\n");
      child.stdout.once("data", () => {
        const started = performance.now();
        child.kill("SIGINT");
        child.kill("SIGINT");
        child.on("exit", (status) => resolve({ status, ms: performance.now() - started }));
      });
    });
    expect(outcome.status).toBe(130);
    expect(outcome.ms).toBeLessThan(soonMs);
  });

  it("an interrupted document has the text so far", async () => {
    const child = spawn(process.execPath, [bin, "generate", "Once", "--output", "json"], {
      env: cleanEnv,
      stdio: ["pipe", "pipe", "pipe"],
    });
    // Standard input stays open: the run says that it waits for it, and loads the model meanwhile.
    await once(child.stderr, "data");
    child.kill("SIGINT");
    let stdout = "";
    for await (const chunk of child.stdout) stdout += String(chunk);
    expect(JSON.parse(stdout)).toMatchObject({ status: "error", error: { code: "run-aborted", exit_code: 130 } });
  });

  it("ends at once after an answer: nothing holds the process", async () => {
    const started = performance.now();
    let last = 0;
    const child = spawn(process.execPath, [bin, "generate", "-q", "Once", "--max-tokens", "3"], {
      env: cleanEnv,
      stdio: ["ignore", "pipe", "ignore"],
    });
    child.stdout.on("data", () => {
      last = performance.now();
    });
    await new Promise((resolve) => child.on("exit", resolve));
    expect(last).toBeGreaterThan(started);
    expect(performance.now() - last).toBeLessThan(soonMs);
  });
});

withTerminal.describe("chat on a terminal", () => {
  /** Types each text once the terminal shows what it waits for. @returns status and everything shown */
  function converse(
    line: string,
    steps: readonly (readonly [waitFor: RegExp, type: string])[],
  ): Promise<{ status: number | null; shown: string }> {
    return new Promise((resolve) => {
      const child = spawn(scriptProgram, ["-qec", line, "/dev/null"], {
        env: { ...cleanEnv, NO_COLOR: "" },
        stdio: ["pipe", "pipe", "inherit"],
      });
      let shown = "";
      let seen = 0;
      let step = 0;
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        shown += text;
        const next = steps[step];
        if (next === undefined || !next[0].test(shown.slice(seen))) return;
        seen = shown.length;
        step += 1;
        child.stdin.write(next[1]);
      });
      const patience = setTimeout(() => child.kill(), 20_000);
      child.on("close", (status) => {
        clearTimeout(patience);
        resolve({ status, shown });
      });
    });
  }
  // behind it the editor may place the cursor
  const prompt = />>> \S*$/;

  // An answer of the small model may be over before the key arrives; then there is nothing to stop.
  it("D26: Ctrl-C stops the answer and keeps its text; the next prompt takes what is typed; the terminal is restored", {
    retry: 3,
  }, async () => {
    const line = `${JSON.stringify(process.execPath)} ${bin} chat --max-tokens 400; echo "status $?"; stty -a | grep -o -- '-\\?icanon'`;
    const { shown } = await converse(line, [
      [prompt, "Once upon a time\r"],
      [/time[\r\n]+./, "\u0003"],
      [prompt, "/save /dev/full\r"],
      [prompt, "\u0003"],
      [prompt, "/bye\r"],
    ]);
    expect(shown).toContain("stopped; the text is kept");
    expect(shown).toContain("holds no conversation; it was left alone");
    expect(shown).toContain("Ctrl-C again, Ctrl-D or /bye leaves.");
    expect(shown).toMatch(/status 0\r\nicanon\r\n$/);
  });

  it("Ctrl-D leaves with status 0, Ctrl-C twice with 130", async () => {
    const line = `${JSON.stringify(process.execPath)} ${bin} chat -q; echo "status $?"`;
    expect((await converse(line, [[prompt, "\u0004"]])).shown).toMatch(/status 0\r\n$/);
    expect(
      (
        await converse(line, [
          [prompt, "\u0003"],
          [prompt, "\u0003"],
        ])
      ).shown,
    ).toMatch(/status 130\r\n$/);
  });
});

describe("completion", () => {
  it.each(["bash", "zsh", "fish", "powershell"])("%s offers every command and flag", async (shell) => {
    const { status, stdout } = await cli(["completion", shell]);
    expect(status).toBe(0);
    for (const word of ["generate", "chat", "info", "doctor", "list-profiles", "max-tokens", "no-stream", "output", "profile"])
      expect(stdout).toContain(word);
    // known, and answered by a later release only
    expect(stdout).not.toMatch(/\bserve\b/);
  });

  it("bash completes commands, flags and their values", async () => {
    const { stdout } = await cli(["completion", "bash"]);
    const complete = (...words: string[]): string[] => {
      const script = `${stdout}\nCOMP_WORDS=(${words.map((word) => JSON.stringify(word)).join(" ")}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _llmspell; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return execFileSync("bash", ["-c", script], { encoding: "utf8", env: cleanEnv }).trim().split("\n");
    };
    expect(complete("llmspell", "gen")).toEqual(["generate"]);
    expect(complete("llmspell", "model", "")).toEqual(["list", "available", "pull", "info", "remove", "status", "verify", "prune"]);
    expect(complete("llmspell", "generate", "--max")).toEqual(["--max-tokens"]);
    expect(complete("llmspell", "generate", "--device", "v")).toEqual(["vulkan"]);
    expect(complete("llmspell", "completion", "")).toContain("fish");
  });

  it.for(["zsh", "fish"])("%s accepts the syntax", async (shell, { skip }) => {
    if (spawnSync(shell, ["-c", "true"]).error !== undefined) skip(`${shell} is not here`);
    const path = join(folder, `completion.${shell}`);
    writeFileSync(path, (await cli(["completion", shell])).stdout);
    const { status, stderr } = spawnSync(shell, ["-n", path], { encoding: "utf8", env: cleanEnv });
    expect([status, stderr]).toEqual([0, ""]);
  });
});

describe("the package", () => {
  it("has one bin", () => {
    const { bin: bins } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(bins).toEqual({ llmspell: "./dist/node/cli/main.js" });
  });
});
