/** The model commands from outside: documents, lines, statuses, questions. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startFaultServer } from "../../support/fault-server.mjs";
import { root } from "../../support.ts";
import { type CliOptions, cleanEnv, cli, scriptProgram, withTerminal } from "./support.ts";

const gguf = readFileSync(join(root, "builtins/models/tiny-stories/tiny-stories.gguf"));
let server: Awaited<ReturnType<typeof startFaultServer>>;
let home: string;
let env: Record<string, string>;
beforeAll(async () => {
  server = await startFaultServer();
  server.addRepo("owner/gguf", { files: { "tiny.Q8_0.gguf": gguf } });
  server.addRepo("owner/other", { files: { "x.Q8_0.gguf": Buffer.concat([gguf, Buffer.alloc(32)]) } });
  server.addRepo("owner/evil", { license: "\u001b[2Jmit", files: { "tiny.Q8_0.gguf": gguf } });
});
afterAll(() => server.close());
beforeEach(() => {
  server.reset();
  home = mkdtempSync(join(tmpdir(), "llmspell-model-"));
  env = { HOME: home, LLMSPELL_HOME: join(home, "llmspell"), HF_ENDPOINT: server.url };
  return () => rmSync(home, { recursive: true, force: true });
});
const run = (args: readonly string[], options: CliOptions = {}) => cli(args, { ...options, env: { ...env, ...options.env } });
const json = async (...args: readonly string[]) => JSON.parse((await run([...args, "--output", "json"])).stdout);

describe("model commands", () => {
  it("list, pull, run, verify, remove: ids on standard output, everything else beside it", async () => {
    const pulled = await run(["model", "pull", "hf:owner/gguf", "--as", "mine"]);
    expect(pulled).toMatchObject({ status: 0, stdout: "hf:owner/gguf:Q8_0\n" });
    // nothing within five seconds, which a busy machine exceeds
    expect(pulled.stderr).toMatch(/^(pulling [^\n]+\n([^\n]+\n)?success {2}hf:owner\/gguf:Q8_0 [^\n]+\n)?$/);
    expect(await run(["model", "pull", "mine"])).toMatchObject({ status: 0, stderr: "hf:owner/gguf:Q8_0 is up to date\n" });
    const list = await json("model", "list", "--backend", "candle");
    expect(list).toMatchObject({ status: "ok", count: 3, backends: [{ backend: "candle", ok: true }] });
    expect(Object.keys(list.models[2])).toEqual(
      "id backend format architecture parameter_count quantization size_bytes modified_at source revision license verified bundled loaded path aliases".split(
        " ",
      ),
    );
    expect(list.models[2]).toMatchObject({ id: "hf:owner/gguf:Q8_0", aliases: ["mine"], verified: "sha256" });
    expect((await run(["generate", "-m", "mine", "--temperature", "0", "--max-tokens", "3", "Once"])).status).toBe(0);
    const { status, results } = await json("model", "verify");
    expect([status, results.at(-1)]).toMatchObject(["ok", { file: "tiny.Q8_0.gguf", ok: true }]);
    const again = await run(["model", "remove", "tinyllama", "--yes"]);
    expect(again.stderr).toMatch(/There is nothing to remove\. Installed models:\n {2}llmspell model list\n\[model-not-installed\]\n$/);
    expect(await run(["model", "remove", "mine"])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/llmspell model remove mine --yes\n\[usage-confirm\]\n$/),
    });
    expect(await json("model", "remove", "mine", "--yes")).toMatchObject({
      removed: [{ model_id: "hf:owner/gguf:Q8_0", freed_bytes: gguf.length, kept_files: [] }],
    });
    expect((await run(["model", "remove", "tiny-stories", "-y"])).stderr).toBe(
      "Error: tiny-stories cannot be removed\nIt is part of the package.\n[model-bundled]\n",
    );
  });

  it("of several, remove deletes none where one is not there; JSON has what was finished before an error", async () => {
    const { status, models, error } = await json("model", "pull", "hf:owner/gguf", "hf:owner/nothing", "hf:owner/other");
    expect([status, models, error]).toMatchObject(["error", [{ model_id: "hf:owner/gguf:Q8_0" }], { code: "net-auth" }]);
    for (const wrong of ["tinyllama", "tiny-stories", "./own.gguf", "hf:owner/nothing"]) {
      const run1 = await run(["model", "remove", "hf:owner/gguf", wrong, "--yes"]);
      expect([run1.stdout, run1.status], wrong).toEqual(["", 3]);
    }
    expect(await json("model", "remove", "hf:owner/gguf", "hf:owner/gguf:Q8_0", "--yes")).toMatchObject({
      status: "ok",
      removed: [{ model_id: "hf:owner/gguf:Q8_0" }],
    });
  });

  it("own files are told as not verified; one that changed or is gone with the command that names it anew", async () => {
    const path = join(home, "own.gguf");
    writeFileSync(path, gguf);
    await run(["model", "pull", path, "--as", "own"]);
    const good = await run(["model", "verify", "own"]);
    expect(good).toMatchObject({ status: 0, stderr: "" });
    expect(good.stdout).toMatch(/^\? {4}own {2}own\.gguf {2}not verified: no hash to compare with; its sha256 is [0-9a-f]{64}\n$/);
    writeFileSync(path, gguf.subarray(0, 1000));
    expect(await run(["model", "verify", "own"])).toEqual({
      status: 3,
      signal: null,
      stdout: "bad  own  own.gguf  expected 3,121,440 bytes, got 1,000 bytes\n",
      stderr: `note: your own file has changed; to keep it as it is now:\n  llmspell model pull ${path} --as own\n`,
    });
    rmSync(path);
    expect((await run(["model", "verify", "own"])).stderr).toContain(
      `put it back; or, where it lies elsewhere now, give that place the name:\n  llmspell model pull ${path} --as own\n`,
    );
    expect((await run(["model", "list", "--backend", "candle"])).stdout).toMatch(/^own \(gone\) /m);
  });

  it("a pull of more than five seconds says what comes, one line of progress, and how it ended", async () => {
    server.plan("/lfs/", [{ pieceMs: 280 }], "cdn");
    const { status, stderr } = await run(["model", "pull", "hf:owner/gguf"]);
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^pulling hf:owner\/gguf:Q8_0 {2}from owner\/gguf @ [0-9a-f]{12} {2}apache-2\.0\ntiny\.Q8_0\.gguf: \d+ % {2}[\d.]+ MB \/ 3\.12 MB {2}[\d.]+ [kM]B\/s {2}eta \d+s\nsuccess {2}hf:owner\/gguf:Q8_0 {2}3\.12 MB {3}try: llmspell generate .*\n$/,
    );
  });

  it("pull in JSON is one document and no progress; --dry-run says what would come", async () => {
    expect(await json("model", "pull", "hf:owner/gguf", "--dry-run")).toMatchObject({
      models: [{ model_id: "hf:owner/gguf:Q8_0", size_bytes: gguf.length, missing_bytes: gguf.length }],
    });
    const { stdout, stderr } = await run(["model", "pull", "hf:owner/gguf", "--output", "json"]);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({
      status: "ok",
      models: [{ model_id: "hf:owner/gguf:Q8_0", percent_complete: 100, already_present: false, files: 1 }],
    });
  });

  it("a missing model is named with its commands, and fetched with --pull without a word where that is quick", async () => {
    const missing = await run(["generate", "-m", "hf:owner/gguf", "Once"]);
    expect(missing).toMatchObject({ status: 3, stdout: "" });
    expect(missing.stderr).toMatch(/ {2}llmspell generate .*Once.* --pull\n\[model-not-installed\]\n$/);
    const fetched = await run(["generate", "-m", "hf:owner/gguf", "--pull", "--temperature", "0", "--max-tokens", "3", "Once"]);
    expect(fetched.status).toBe(0);
    expect(fetched.stderr).not.toContain("hf:owner/gguf:Q8_0:");
    expect(fetched.stdout).not.toBe("");
    expect((await run(["generate", "-m", "hf:owner/evil", "--offline", "x"])).status).toBe(3);
    for (const command of ["generate", "chat"]) {
      const both = await run([command, "-m", "hf:owner/evil", "--pull", "--offline"]);
      expect(both).toMatchObject({ status: 2, stderr: expect.stringContaining("--offline and --pull exclude each other") });
    }
    // by now this home knows how fast this hub is
    expect((await run(["model", "pull", "hf:owner/other", "--dry-run"])).stdout).toMatch(
      /^hf:owner\/other:Q8_0 {2}3.12 MB, 3.12 MB to download, about \d+m?s at the [\d.]+ [kMG]B\/s of earlier pulls from 127\.0\.0\.1:\d+\n/,
    );
  });

  it("models in Hugging Face's cache are listed before their first use, marked, and not deleted", async () => {
    const snapshot = join(home, "hf/hub/models--owner--cached/snapshots", "c".repeat(40));
    mkdirSync(snapshot, { recursive: true });
    writeFileSync(join(snapshot, "m.Q8_0.gguf"), gguf);
    const cached = { env: { HF_HOME: join(home, "hf") } };
    const id = `hf:owner/cached:Q8_0#${"c".repeat(40)}`;
    const { stdout } = await run(["model", "list", "--backend", "candle"], cached);
    expect(stdout).toContain(`\n${id} (hf-cache)  candle (built-in)  llama`);
    const forget = await run(["model", "remove", id], cached);
    expect(forget).toMatchObject({ status: 2, stderr: expect.stringContaining(`Forget ${id}? Its files stay where they are.`) });
    expect(await run(["model", "remove", "--yes", id], cached)).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("not deleted, because another tool or you own it"),
    });
    expect(readFileSync(join(snapshot, "m.Q8_0.gguf")).length).toBe(gguf.length);
  });

  it("available needs no network, and ends with the two pages", async () => {
    const { stdout } = await run(["model", "available", "--search", "t5"]);
    expect(stdout).toContain("flan-t5-small");
    expect(stdout).not.toContain("tinyllama");
    expect(stdout).toMatch(
      /Ollama: https:\/\/ollama\.com\/library\nCandle: https:\/\/huggingface\.co\/models\?pipeline_tag=text-generation\n$/,
    );
    expect((await json("model", "available", "QWEN", "--backend", "candle")).models.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(["qwen2.5-0.5b", "qwen3-0.6b"]),
    );
    expect(await run(["model", "available", "nothing", "like", "it"])).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('"nothing like it"'),
    });
    expect(await json("model", "available", "--recommended", "--backend", "candle")).toMatchObject({ count: 5 });
    expect(server.seen).toEqual([]);
  });

  it("a backend that fails is told; asked for by name it is the exit status", async () => {
    expect(await run(["model", "list"])).toMatchObject({ status: 0, stderr: expect.stringContaining("ollama is left out") });
    expect(await run(["model", "list", "--backend", "ollama"])).toMatchObject({
      status: 5,
      stderr: expect.stringMatching(/ollama serve\n\[ollama-unreachable\]\n$/),
    });
    expect(await json("model", "status")).toMatchObject({
      status: "ok",
      backends: {
        candle: { ready: true, models: 2, device: { chosen: expect.any(String), tried: expect.any(Array) } },
        ollama: { running: false, url: "http://127.0.0.1:9" },
      },
    });
    expect((await run(["model", "status", "--backend", "ollama"])).status).toBe(5);
    expect(await json("ps")).toEqual({ status: "ok", models: [] });
  });

  it("a backend that is not declared: both ways out, and the same command under its profile", async () => {
    const undeclared = await run(["-p", "minimal", "model", "pull", "hf:owner/gguf", "--as", "mine"]);
    expect(undeclared).toMatchObject({ status: 2, stdout: "" });
    expect(undeclared.stderr).toContain("Backend 'candle' not configured. To use candle models:");
    expect(undeclared.stderr).toContain('in llmspell.toml:\n       [providers.candle]\n       provider_type = "candle"');
    expect(undeclared.stderr).toMatch(/\n {2}llmspell -p candle model pull hf:owner\/gguf --as mine\n\[backend-not-configured\]\n$/);
  });

  it("reads a header over the network, and prunes nothing where nothing is", async () => {
    const bundled = await json("model", "info", "tiny-stories");
    expect(await json("model", "info", "hf:owner/gguf", "--remote")).toMatchObject({
      // where it would compute once it is here, not where bytes of a server could
      device: { chosen: bundled.device.chosen },
      id: "hf:owner/gguf:Q8_0",
      architecture: "llama",
      path: null,
      files: [{ size_bytes: gguf.length }],
    });
    expect((await run(["model", "info", "tiny-stories", "--remote"])).stderr).toContain(
      "tiny-stories is part of the package; no network is needed to read it",
    );
    expect(await json("model", "prune")).toEqual({ status: "ok", freed_bytes: 0, removed: [] });
  });

  it.each<[string, readonly string[], number, string]>([
    ["no name", ["model", "pull"], 2, "usage-value"],
    ["two names for --as", ["model", "pull", "a", "b", "--as", "c"], 2, "usage-value"],
    ["a path that leads nowhere", ["model", "pull", "../../no-such-folder/m.gguf/.."], 3, "model-unknown"],
    ["a private address", ["model", "pull", "http://169.254.169.254/m.gguf"], 2, "spec-host"],
    ["a repository that is not there", ["model", "pull", "hf:no/such"], 5, "net-auth"],
    ["a variant that is not there", ["model", "pull", "hf:owner/gguf:Q2_K"], 3, "model-variant-unknown"],
    ["a model that is not here", ["model", "remove", "-y", "tinyllama"], 3, "model-not-installed"],
    ["an unknown backend", ["model", "list", "--backend", "pluto"], 2, "backend-unknown"],
  ])("%s ends with its code", async (_, args, status, code) => {
    expect(await run(args)).toMatchObject({ status, stdout: "", stderr: expect.stringContaining(`[${code}]`) });
  });

  withTerminal.it("on a terminal a pull redraws one line, and texts of strangers act on nothing", async () => {
    // beside this process: the server answers in it
    const line = `stty cols 100; exec '${process.execPath}' dist/node/cli/main.js model pull hf:owner/evil`;
    const child = spawn(scriptProgram, ["-qec", line, "/dev/null"], {
      cwd: root,
      env: { ...cleanEnv, ...env },
      stdio: ["ignore", "pipe", "ignore"],
    });
    let shown = "";
    child.stdout.on("data", (chunk: Buffer) => {
      shown += String(chunk);
    });
    const status = await new Promise((resolve) => child.on("close", resolve));
    expect(status).toBe(0);
    expect(shown).toContain("success  hf:owner/evil:Q8_0");
    expect(shown).not.toContain("\u001b[2J");
  });
});
