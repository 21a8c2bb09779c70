import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { builtinProfiles } from "../../../src/core/config/compiled.generated.ts";
import { posix } from "../../support/only-where.ts";
import { bin, cleanEnv, cli } from "./support.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "llmspell-cli-config-"));
});
const run = (args: readonly string[], env: Record<string, string> = {}, cwd = folder) => cli(args, { cwd, env });
const json = async (args: readonly string[], env: Record<string, string> = {}) => {
  const { stdout, status } = await run(args, env);
  return { value: JSON.parse(stdout), status };
};

describe("config show", () => {
  it("shows what takes effect today, and the rest with --all, in a section and where something sets it", async () => {
    const { stdout, stderr } = await run(["config", "show"]);
    expect(stdout).toMatch(/^default_engine = "lua"\n/);
    expect(stdout).toContain("[providers.candle]\n");
    expect(stdout).toMatch(/^\[rag\.vector_storage\.hnsw\]$/m);
    expect(stdout).toMatch(/^num_threads = 0$/m);
    expect(stdout).not.toMatch(/^gpu_memory_mb /m);
    expect(stderr).toContain("--all shows them");
    expect((await run(["config", "show", "--all"])).stdout).toMatch(/^pooling = "auto"$/m);
    expect((await run(["config", "show", "rag"])).stdout).toContain("[rag]");
    expect((await run(["config", "show"], { LLMSPELL_RAG_ENABLED: "true" })).stdout).toContain("[rag]\nenabled = true\n");
  });

  it("says that a variable switched retrieval off, in both forms", async () => {
    const env = { LLMSPELL_RAG_ENABLED: "false" };
    const { stdout, stderr, status } = await run(["-p", "rag-prod", "config", "show", "rag", "--origin"], env);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\[rag\]\nenabled = false # env:LLMSPELL_RAG_ENABLED\nmulti_tenant = true # profile:rag-production\n/);
    expect(stderr).toBe("");
    const { value } = await json(["-p", "rag-prod", "config", "show", "rag", "--origin", "--format", "json"], env);
    expect(value.config.enabled).toBe(false);
    expect(value.origins["rag.enabled"]).toBe("env:LLMSPELL_RAG_ENABLED");
    expect(Object.keys(value.origins)).toHaveLength(84);
  });

  it("prints the configuration as the root of the document; 84 keys of retrieval", async () => {
    expect((await json(["-p", "minimal", "config", "show", "--format", "json"])).value.default_engine).toBe("lua");
    const { value } = await json(["-p", "rag-prod", "config", "show", "rag", "--output", "json"]);
    const count = (node: unknown): number =>
      typeof node === "object" && node !== null ? Object.values(node).reduce((sum: number, inner) => sum + count(inner), 0) : 1;
    expect(count(value)).toBe(84);
  });

  it("prints TOML that loads again as the same", async () => {
    // minimal declares no provider, which a file says with an empty table
    for (const profile of ["development", "minimal"]) {
      const { stdout } = await run(["-p", profile, "config", "show", "--origin"]);
      writeFileSync(join(folder, "again.toml"), stdout);
      const first = await json(["-p", profile, "config", "show", "--output", "json"]);
      const again = await json(["-c", "again.toml", "config", "show", "--output", "json"]);
      expect(again.value).toEqual(first.value);
    }
  });

  it("masks secrets in every form, and never prints one", async () => {
    const secret = "sk-0123456789-very-secret";
    writeFileSync(
      join(folder, "keys.toml"),
      `[providers.openai]\napi_key = "${secret}"\n[providers.box]\nprovider_type = "ollama"\nbase_url = "http://me:${secret}@box/"\n[x-mine]\nhf_token = "${secret}"\nold_token = ["${secret}"]\npassword = 1234567890123\n[x-mine.secret]\na = "${secret}"\n`,
    );
    for (const args of [
      ["config", "show"],
      ["config", "show", "--origin"],
      ["config", "show", "--output", "pretty"],
      ["config", "show", "providers", "--format", "json"],
      ["config", "validate"],
      ["config", "path", "--output", "json"],
      ["model", "info", "./nope.gguf"],
      ["generate", "-m", `x@${secret}`, "hi"],
      ["generate", "-m", "gpt@openai", "hi", "--output", "json", "--trace", "trace"],
    ]) {
      const { stdout, stderr } = await run(["-c", "keys.toml", ...args], { ANTHROPIC_API_KEY: secret });
      expect(stdout + stderr, args.join(" ")).not.toContain(secret);
      expect(stdout + stderr, args.join(" ")).not.toContain("1234567890123");
    }
    const { value } = await json(["-c", "keys.toml", "config", "show", "--output", "json"]);
    expect([value.providers.openai.api_key, value.providers.box.base_url]).toEqual(["********", "http://********@box/"]);
    expect(value["x-mine"]).toEqual({ hf_token: "********", old_token: "********", password: "********", secret: "********" });
    // a form that was kept in a file loads again, but a mask is no key
    writeFileSync(join(folder, "masked.toml"), (await run(["-c", "keys.toml", "config", "show"])).stdout);
    const masked = await run(["-c", "masked.toml", "config", "show", "providers"]);
    expect(masked.status).toBe(0);
    expect(masked.stderr).toContain("note: providers.openai.api_key is a mask, not a key");
  });

  it("refuses a section nobody has, with the names there are", async () => {
    expect(await run(["config", "show", "ragg"])).toMatchObject({
      status: 2,
      stdout: "",
      stderr: expect.stringContaining("Did you mean rag?"),
    });
  });
});

describe("where a configuration comes from", () => {
  it("finds files in order: here, hidden here, home, and says so", async () => {
    const here = mkdtempSync(join(tmpdir(), "llmspell-here-"));
    const home = mkdtempSync(join(tmpdir(), "llmspell-home-"));
    const env = { LLMSPELL_HOME: home, HOME: home, XDG_CONFIG_HOME: join(home, "xdg") };
    const level = (text: string): string => `[runtime]\nlog_level = "${text}"\n`;
    const shown = async (): Promise<string> =>
      (await run(["config", "show", "runtime", "--origin"], env, here)).stdout.split("\n")[1] ?? "";
    expect(await shown()).toBe('log_level = "warn" # default');
    mkdirSync(join(home, "xdg", "llmspell"), { recursive: true });
    writeFileSync(join(home, "xdg", "llmspell", "config.toml"), level("off"));
    expect(await shown()).toContain('"off"');
    writeFileSync(join(home, "config.toml"), level("trace"));
    expect(await shown()).toContain('"trace"');
    writeFileSync(join(home, "llmspell.toml"), level("debug"));
    expect(await shown()).toContain('"debug"');
    writeFileSync(join(here, ".llmspell.toml"), level("info"));
    expect(await shown()).toContain('"info"');
    writeFileSync(join(here, "llmspell.toml"), level("error"));
    expect(await shown()).toBe('log_level = "error" # file:llmspell.toml:2');
    const { stdout } = await run(["config", "path", "--output", "json"], env, here);
    const path = JSON.parse(stdout);
    expect(path).toMatchObject({ status: "ok", source: "file:llmspell.toml", profile: null, file: "llmspell.toml", home });
    expect(path.searched.map(({ exists, used }: { exists: boolean; used: boolean }) => [exists, used])).toEqual([
      [true, true],
      [true, false],
      [true, false],
      [true, false],
      [true, false],
    ]);
    // a profile replaces files, a flag beats variables, an environment variable beats everything
    expect(JSON.parse((await run(["-p", "candle", "config", "path", "--output", "json"], env, here)).stdout)).toMatchObject({
      profile: "candle",
      file: null,
      searched: [],
    });
    const all = { ...env, LLMSPELL_PROFILE: "candle", LLMSPELL_RUNTIME_LOG_LEVEL: "off" };
    expect((await run(["config", "show", "runtime", "--origin"], all, here)).stdout).toContain(
      'log_level = "off" # env:LLMSPELL_RUNTIME_LOG_LEVEL',
    );
  });

  it("a file that was named and is missing is an error, a broken one names its line", async () => {
    expect(await run(["-c", "nope.toml", "doctor"])).toMatchObject({
      status: 2,
      stdout: "",
      stderr: expect.stringContaining("  llmspell config init --file nope.toml\n[config-not-found]\n"),
    });
    writeFileSync(join(folder, "broken.toml"), '[providers.candle]\ntemprature = 1\ndevice = "gpu"\n');
    const { status, stderr } = await run(["-c", "broken.toml", "generate", "x"]);
    expect(status).toBe(2);
    expect(stderr).toBe(`Error: broken.toml: 2 problems

broken.toml:2:1: providers.candle.temprature: unknown key; did you mean temperature?
  2 | temprature = 1
    | ^^^^^^^^^^

broken.toml:3:10: providers.candle.device: expected auto, webgpu, metal, vulkan, cuda, cpu, wasm, got "gpu"; did you mean auto?
  3 | device = "gpu"
    |          ^^^^^
Correct or remove the key; names of your own begin with x-
  llmspell config validate --file broken.toml
[config-unknown-key]
`);
    const failed = await run(["-c", "broken.toml", "doctor", "--output", "json"]);
    expect(JSON.parse(failed.stdout).error.details.problems).toMatchObject([{ line: 2, path: "providers.candle.temprature" }, { line: 3 }]);
    expect(failed.stderr).toBe("Error: broken.toml: 2 problems [config-unknown-key]\n");
  });

  it("help and version never read it", async () => {
    const env = { LLMSPELL_CONFIG: "/dev/zero", LLMSPELL_RAG_ENABLED: "maybe" };
    for (const args of [["--help"], ["--version"], ["help", "generate"], ["config", "list-profiles"], ["completion", "bash"]])
      expect(await run(args, env), args.join(" ")).toMatchObject({ status: 0, stderr: "" });
  });
});

describe("config validate", () => {
  it("checks what is in effect, or a file by itself", async () => {
    expect(await run(["config", "validate"])).toMatchObject({ status: 0, stdout: "✓ defaults\n" });
    writeFileSync(join(folder, "good.toml"), "[rag]\nenabled = true\n[x-a]\n");
    const good = await run(["config", "validate", "-f", "good.toml"], { LLMSPELL_RAG_ENABLED: "maybe" });
    expect(good).toMatchObject({ status: 0, stderr: "" });
    expect(good.stdout).toMatch(/^✓ good\.toml\n {2}warning x-a: .*\n$/);
    writeFileSync(join(folder, "bad.toml"), 'rag.enabled = "x"\nnope = 1\n');
    const bad = await run(["config", "validate", "--file", "bad.toml"]);
    expect(bad.status).toBe(2);
    expect(bad.stdout).toMatch(
      /^✗ bad\.toml\n {2}error bad\.toml:1:15: rag\.enabled: .* \[config-value\]\n.*\n.*\^\^\^\n {2}error bad\.toml:2:1: nope/,
    );
    const { value, status } = await json(["config", "validate", "--file", "bad.toml", "--output", "json"]);
    expect(status).toBe(2);
    expect(value).toMatchObject({
      status: "error",
      valid: false,
      source: "file:bad.toml",
      warnings: [],
      errors: [{ code: "config-value", line: 1, column: 15 }, { code: "config-unknown-key" }],
    });
    expect(await run(["config", "validate", "--file", "none.toml"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("[config-not-found]"),
    });
  });

  it("warns where nothing can answer, or the network is off", async () => {
    const { value } = await json(["-p", "minimal", "config", "validate", "--output", "json"]);
    expect(value.warnings.map(({ code }: { code: string }) => code)).toEqual(["no-provider", "no-network"]);
  });
});

describe("a second provider of the embedded engine", () => {
  it("lists its models under names that lead to it", async () => {
    writeFileSync(join(folder, "two.toml"), '[providers.candle]\n[providers.big]\nprovider_type = "candle"\n');
    const ids = async (backend: string): Promise<readonly string[]> =>
      (await json(["-c", "two.toml", "model", "list", "--backend", backend, "--output", "json"])).value.models.map(
        ({ id }: { id: string }) => id,
      );
    expect(await ids("big")).toContain("tiny-stories@big");
    expect(await ids("candle")).toContain("tiny-stories");
    expect(await run(["-c", "two.toml", "generate", "-m", "tiny-stories@big", "Once", "--max-tokens", "2"])).toMatchObject({ status: 0 });
  });
});

describe("config init", () => {
  it("writes a file that validates and runs, from nothing and from every profile", async () => {
    const made = await run(["config", "init", "--file", "first.toml"]);
    expect(made).toMatchObject({
      status: 0,
      stdout: "first.toml\n",
      stderr: expect.stringContaining("Next:\n  llmspell config validate --file first.toml\n"),
    });
    expect(readFileSync(join(folder, "first.toml"), "utf8")).toContain(
      '# device of the models: auto, webgpu, metal, vulkan, cuda, cpu, wasm\ndevice = "auto"\n',
    );
    expect(await run(["config", "validate", "--file", "first.toml"])).toMatchObject({ status: 0, stdout: "✓ first.toml\n" });
    for (const { name } of builtinProfiles) {
      await run(["config", "init", "--from", name, "--file", `${name}.toml`]);
      const { value, status } = await json(["-c", `${name}.toml`, "config", "show", "--output", "json"]);
      expect(status, name).toBe(0);
      const profile = (await json(["-p", name, "config", "show", "--output", "json"])).value;
      // a file adds to the built-in providers, where a profile has its own alone
      const own = Object.fromEntries(Object.entries(value.providers ?? {}).filter(([each]) => each in (profile.providers ?? {})));
      expect({ ...value, ...(value.providers && { providers: own }) }, name).toEqual(profile);
    }
  });

  it("leaves a file that is there alone, unless it is forced", async () => {
    writeFileSync(join(folder, "mine.toml"), "x-mine = 1\n");
    expect(await run(["config", "init", "--file", "mine.toml"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("  llmspell config init --file mine.toml --force\n[config-exists]\n"),
    });
    expect(readFileSync(join(folder, "mine.toml"), "utf8")).toBe("x-mine = 1\n");
    expect((await run(["config", "init", "--file", "mine.toml", "-f"])).status).toBe(0);
    expect(readFileSync(join(folder, "mine.toml"), "utf8")).toContain("default_model");
    expect(await run(["config", "init", "--file", "no/such/folder.toml"])).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("The folder no/such does not exist.\n  mkdir -p no/such\n[store-denied]"),
    });
    // a profile is begun with, however it is named
    await run(["-p", "rag-dev", "config", "init", "--file", "named.toml"]);
    expect(readFileSync(join(folder, "named.toml"), "utf8")).toContain("begun with the profile rag-development");
    expect(await run(["config", "init", "--output", "x.toml"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("  llmspell config init --file x.toml\n"),
    });
  });
});

posix.it("config init leaves nothing where there is no room, and says so", () => {
  const own = join(folder, "full");
  mkdirSync(own);
  // files of this shell's children have at most one block of 512 bytes
  const { status, stderr } = spawnSync("sh", ["-c", 'ulimit -f 1; exec "$0" "$@"', process.execPath, bin, "config", "init"], {
    cwd: own,
    env: cleanEnv,
    encoding: "utf8",
  });
  expect(stderr).toMatch(/^Error: llmspell\.toml cannot be written \(EFBIG\)[^\n]*\n[^\n]*ulimit -f[^\n]*\n(.*\n)*\[store-full\]\n$/);
  expect(status).toBe(3);
  expect(readdirSync(own)).toEqual([]);
});

describe("config set, get, unset", () => {
  const inHome = (name: string) => {
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    return { env: { LLMSPELL_HOME: own }, file: join(own, "llmspell.toml") };
  };

  it("writes the person's own file, and the default model is used from then on", async () => {
    const { env, file } = inHome("own");
    expect(await run(["config", "set", "default_model", "tiny-t5-en-fr"], env)).toEqual({
      status: 0,
      signal: null,
      stdout: 'default_model = "tiny-t5-en-fr"\n',
      stderr: `written to ${file}\n`,
    });
    expect(readFileSync(file, "utf8")).toBe('default_model = "tiny-t5-en-fr"\n');
    const asked = ["generate", "translate English to French: Hello", "--output", "json"];
    expect((await json(asked, env)).value.model).toBe("tiny-t5-en-fr");
    // precedence: flag, variable, file
    const variable = { ...env, LLMSPELL_DEFAULT_MODEL: "tiny-stories" };
    expect((await json([...asked, "--max-tokens", "2"], variable)).value.model).toBe("tiny-stories");
    expect((await json([...asked, "-m", "tiny-t5-en-fr"], variable)).value.model).toBe("tiny-t5-en-fr");
    expect((await json(["config", "get", "default_model", "--output", "json"], variable)).value).toEqual({
      status: "ok",
      key: "default_model",
      value: "tiny-stories",
      origin: "env:LLMSPELL_DEFAULT_MODEL",
    });
    expect((await run(["config", "set", "default_model", "tiny-stories"], variable)).stderr).toContain(
      "LLMSPELL_DEFAULT_MODEL is set, and overrides it",
    );
    expect((await run(["config", "unset", "default_model"], env)).status).toBe(0);
    expect(readFileSync(file, "utf8")).toBe("");
    expect(await run(["config", "get", "default_model"], env)).toMatchObject({
      status: 0,
      stdout: "",
      stderr: "note: default_model is not set\n",
    });
  });

  it("a value that the rest of the file contradicts is refused without a line that was not written", async () => {
    const { env, file } = inHome("contradicted");
    await run(["config", "set", "providers.candle.context_size", "2048"], env);
    const before = readFileSync(file, "utf8");
    const { status, stderr } = await run(["config", "set", "providers.default_provider", "nope"], env);
    expect({ status, text: readFileSync(file, "utf8") }).toEqual({ status: 2, text: before });
    expect(stderr).toBe(
      'Error: providers.default_provider: expected a declared provider (candle), got "nope"\nThe file is unchanged.\n[usage-value]\n',
    );
  });

  it("unset of a provider's only key leaves the file, and what runs, as before set", async () => {
    const { env, file } = inHome("unset");
    await run(["config", "set", "providers.openai.api_key", "sk-x"], env);
    const { status, stderr } = await run(["config", "unset", "providers.openai.api_key"], env);
    expect({ status, text: readFileSync(file, "utf8") }).toEqual({ status: 0, text: "" });
    expect(stderr).not.toContain("declares");
    expect((await run(["config", "get", "providers.candle.enabled"], env)).stdout).toBe("true\n");
  });

  it("keeps what the file had by default when its first provider is written, and says what is no longer declared", async () => {
    const { env, file } = inHome("providers");
    const { stderr } = await run(["config", "set", "providers.candle.device", "CPU"], env);
    expect(stderr).toContain("  llmspell config set providers.ollama.enabled true\n");
    expect(readFileSync(file, "utf8")).toBe('[providers.candle]\ndefault_model = "tiny-stories"\ndevice = "cpu"\n');
    await run(["config", "set", "providers.ollama.enabled", "true"], env);
    expect(Object.keys((await json(["config", "show", "--output", "json"], env)).value.providers)).toEqual(["candle", "ollama"]);
  });

  it("changes the file in use, keeps its comments and permissions, and masks secrets", async () => {
    const file = join(folder, "llmspell-set.toml");
    writeFileSync(file, "# mine\n[models] # about models\nmax_parallel = 4 # connections\n", { mode: 0o640 });
    expect((await run(["-c", file, "config", "set", "models.max_parallel", "8"])).status).toBe(0);
    expect(readFileSync(file, "utf8")).toBe("# mine\n[models] # about models\nmax_parallel = 8 # connections\n");
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect((await run(["config", "set", "models.allow_hosts", "a.b,c.d", "--file", file])).stdout).toBe(
      'models.allow_hosts = ["a.b", "c.d"]\n',
    );
    const secret = await run(["config", "set", "providers.openai.api_key", "sk-123", "--file", file]);
    expect(secret.stdout).toBe('providers.openai.api_key = "********"\n');
    expect(readFileSync(file, "utf8")).toContain('[providers.openai]\napi_key = "sk-123"\n');
  });

  it.each([
    [["models.max_parallel", "99"], 'models.max_parallel: expected an integer from 1 to 16, got "99"'],
    [["models.max_paralel", "9"], "did you mean models.max_parallel?"],
    [["contxt_size", "9"], "did you mean providers.candle.context_size?"],
    [["models", "9"], "is no key of the configuration"],
    [["__proto__.x", "9"], "is no key of the configuration"],
    [["providers.candle.device", "gpu"], "expected auto, webgpu"],
  ])("refuses %j and writes nothing", async (words, text) => {
    const { env, file } = inHome("refused");
    expect(await run(["config", "set", ...words], env)).toMatchObject({ status: 2, stderr: expect.stringContaining(text) });
    expect(existsSync(file)).toBe(false);
  });

  it("refuses to change a profile, and a file that cannot be read", async () => {
    expect(await run(["-p", "candle", "config", "set", "default_model", "x"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("  llmspell config init --from candle --file llmspell.toml\n"),
    });
    const broken = join(folder, "broken-set.toml");
    writeFileSync(broken, "a = \n");
    expect((await run(["config", "set", "default_model", "x", "--file", broken])).stderr).toContain("[config-syntax]");
    expect(readFileSync(broken, "utf8")).toBe("a = \n");
  });
});

describe("profiles", () => {
  it("are listed by category, in text and as an array", async () => {
    const { stdout } = await run(["config", "list-profiles"]);
    expect(stdout.split("\n").filter((line) => /^\S/.test(line))).toEqual(["Core", "Common Workflows", "Local LLM", "RAG"]);
    expect(stdout).toContain("  rag-production (rag-prod) - reliability, monitoring, tenants\n");
    expect((await run(["config", "list-profiles", "-d"])).stdout).toContain("      for   models on this machine, offline;");
    const { value } = await json(["config", "list-profiles", "--output", "json"]);
    expect(value).toHaveLength(10);
    expect(Object.keys(value[0])).toEqual(["name", "aliases", "category", "description", "use_cases", "features"]);
    const { stdout: help } = await run(["--help"]);
    for (const { name, description } of builtinProfiles) expect(help).toMatch(new RegExp(`${name}.* ${description.slice(0, 20)}`));
  });

  it("reach generate: default model, sampling, log level, and the command to paste where a backend is missing", async () => {
    writeFileSync(
      join(folder, "greedy.toml"),
      '[providers.candle]\ndefault_model = "tiny-stories"\npreset = "greedy"\nmax_tokens = 5\n[runtime]\nlog_level = "info"\n',
    );
    const { stdout, stderr, status } = await run(["-c", "greedy.toml", "generate", "Once upon a time", "--output", "json"]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ provider: "candle", usage: { completion_tokens: 5 }, finish_reason: "length" });
    expect(stderr).toContain("[info] tiny-stories computes on ");
    const flagged = await run([
      "-c",
      "greedy.toml",
      "--trace",
      "warn",
      "generate",
      "Once upon a time",
      "--max-tokens",
      "3",
      "--output",
      "json",
    ]);
    expect(JSON.parse(flagged.stdout).usage.completion_tokens).toBe(3);
    expect(flagged.stderr).not.toContain("[info]");
    const refused = await run(["-p", "ollama", "generate", "-m", "tiny-stories@candle", "Hi there", "--max-tokens", "3"]);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain("Backend 'candle' not configured. To use candle models:");
    expect(refused.stderr).toContain(
      '  llmspell -p candle generate -m tiny-stories@candle "Hi there" --max-tokens 3\n[backend-not-configured]\n',
    );
    const pasted = await run(["-p", "candle", "generate", "-m", "tiny-stories@candle", "Hi there", "--max-tokens", "3"]);
    expect(pasted).toMatchObject({ status: 0 });
    expect(await run(["-p", "providers", "generate", "Hi"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("export OPENAI_API_KEY=…\n[config-api-key-missing]"),
    });
  });
});

describe("a home that cannot be used", () => {
  it("G79: no HOME, and paths with spaces, emoji and 300 characters do not stop a run", async () => {
    const odd = join(folder, "with space 🦙", "d".repeat(100), "e".repeat(100), "f".repeat(90));
    mkdirSync(odd, { recursive: true });
    writeFileSync(join(odd, "llmspell.toml"), '[providers.candle]\ndefault_model = "tiny-stories"\nmax_tokens = 2\n');
    const args = ["generate", "Once", "--output", "json"];
    for (const env of [{ HOME: "" }, { LLMSPELL_HOME: join(odd, "home 🦙") }]) {
      const { status, stdout } = await cli(args, { cwd: odd, env });
      expect(status, JSON.stringify(env)).toBe(0);
      expect(JSON.parse(stdout).usage.completion_tokens).toBe(2);
    }
    const { HOME: _, ...without } = cleanEnv;
    expect((await cli(["config", "path"], { env: { ...without, HOME: undefined } })).status).toBe(0);
  });
});
