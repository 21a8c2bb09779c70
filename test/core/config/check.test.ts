import { describe, expect, it } from "vitest";
import { resolveSource } from "../../../src/core/config/resolve.ts";
import { SpellError } from "../../../src/core/errors.ts";
import { soonMs } from "../../support/soon.ts";

/** The configuration of a file with this text. */
const load = (text: string) => resolveSource({ kind: "file", path: "my.toml", folder: "/somewhere", text, isPublic: false });

async function errorOf(text: string): Promise<SpellError> {
  try {
    await load(text);
  } catch (error) {
    if (error instanceof SpellError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text.slice(0, 200)}`);
}

describe("a configuration file", () => {
  it.each([
    ["garden node x", 'expected NAME = command or address, with a name of at most 32 small letters, digits and -; got "garden node x"'],
    ["a =", "expected a command or an address after a =, got none"],
    ["a = https://u:hunter22@x.example/", "expected an address without user and password"],
  ])("refuses the line of a server of tools %s with its place", async (line, message) => {
    const error = await errorOf(`[tools.mcp]\nservers = [${JSON.stringify(line)}]\n`);
    expect([error.code, error.message]).toEqual(["config-value", expect.stringContaining(`tools.mcp.servers: ${message}`)]);
    expect(error.message).toContain("my.toml:2");
    expect(error.message).not.toContain("hunter22");
    const second = await errorOf(`[tools.mcp]\nservers = ["b = node", ${JSON.stringify(line)}]\n`);
    expect(second.message).toContain("tools.mcp.servers: line 2: expected");
    const twice = await errorOf('[tools.mcp]\nservers = ["b = node", "b = x"]\n');
    expect(twice.message).toContain("expected a name of its own for each server, got b twice");
  });

  it("says of a bare word that a text needs quotes", async () => {
    expect((await errorOf("device = cpu\n")).message).toContain("invalid value; a text needs quotes");
    expect((await errorOf("device = 1x\n")).message).not.toContain("quotes");
  });

  it.each([
    ["an unfinished string", 'default_engine = "lua', 1],
    ["a value that is none", "\n[rag]\nenabled = maybe\n", 3],
    ["a table twice", "[rag]\n[rag]\n", 2],
    ["a header without its end", "[rag\n", 1],
  ])("G67: %s is config-syntax with line, column and the line", async (_, text, line) => {
    const error = await errorOf(text);
    expect(error).toMatchObject({ code: "config-syntax", exitCode: 2, actions: [{ kind: "check-config", file: "my.toml" }] });
    expect(error.message).toMatch(new RegExp(`^my\\.toml:${line}:\\d+: `));
    expect(error.message).toContain(`\n  ${line} | ${text.split("\n")[line - 1]}`);
    expect(error.details?.["problems"]).toEqual([expect.objectContaining({ line, column: expect.any(Number) })]);
  });

  it.each([
    "[__proto__]\nx = 1",
    "constructor.prototype.x = 1",
    '"__proto__" = 1',
    "[providers.__proto__]\nenabled = true",
    "[rag.constructor]\nx = 1",
  ])("G68: %j is an unknown key and reaches no prototype", async (text) => {
    expect((await errorOf(text)).code).toBe("config-unknown-key");
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
    expect(({} as Record<string, unknown>)["enabled"]).toBeUndefined();
  });

  it("G69: a slip of the finger names the nearest key, with a caret below it", async () => {
    const error = await errorOf('[providers.candle]\ndevice = "cpu"\ntemprature = 0.5\n');
    expect(error.code).toBe("config-unknown-key");
    expect(error.message).toBe(
      "my.toml:3:1: providers.candle.temprature: unknown key; did you mean temperature?\n  3 | temprature = 0.5\n    | ^^^^^^^^^^",
    );
  });

  it("G69: a key in the wrong table names the right one", async () => {
    expect((await errorOf("temprature = 1\n")).message).toContain("did you mean providers.candle.temperature?");
    // many tables have a key of this name, and it means something else in each
    expect((await errorOf('[engines.lua]\nenabled = "yes"\n')).message).not.toContain("did you mean");
    expect((await errorOf("[engines.lua]\nenable_debgu = true\n")).message).toContain("did you mean enable_debug?");
    expect((await errorOf('[runtime]\nhf_endpoint = "https://x"\n')).message).toContain("did you mean models.hf_endpoint?");
    const ofAnother = await errorOf('[providers.openai]\ndevice = "cpu"\n');
    expect(ofAnother).toMatchObject({ code: "config-unknown-key", where: "providers.openai.device" });
    expect(ofAnother.message).toContain("candle providers");
  });

  it.each([
    ["temperature = -1", "from 0 to 2"],
    ['temperature = "hot"', "from 0 to 2"],
    ["temperature = nan", "from 0 to 2"],
    ["temperature = inf", "from 0 to 2"],
    ["temperature = 1e400", "from 0 to 2"],
    ["top_p = 2", "above 0, at most 1"],
    ["top_p = 0", "above 0, at most 1"],
    ["context_size = 127", "0 or an integer from 128 to"],
    ["context_size = 1.5", "an integer"],
    ["context_size = 9223372036854775808", "an integer"],
    ["context_size = -1", "an integer"],
    ["batch_size = 0", "from 1 to 16384"],
    ["enabled = 1", "true or false"],
    ['device = "gpu"', 'auto, webgpu, metal, vulkan, cuda, cpu, wasm, got "gpu"; did you mean auto?'],
    ["stop = [1]", "a list of at most 16 texts"],
    ['default_model = "a b"', "names no model"],
  ])("G70: %s is config-value with what is expected", async (line, expected) => {
    const error = await errorOf(`[providers.candle]\n${line}\n`);
    expect(error.code).toBe("config-value");
    expect(error.message).toContain(`my.toml:2:${line.indexOf("=") + 3}: providers.candle.${line.split(" ")[0]}: `);
    expect(error.message).toContain(expected);
  });

  it("G70: default_model is a name of this program, or one of a server", async () => {
    for (const name of ["no such", "x:y z", "x@my prov"])
      expect(await errorOf(`default_model = "${name}"\n`)).toMatchObject({ code: "config-value", where: "default_model" });
    for (const name of ["tiny-stories", "some-user/thing:v1", "x@mine", "./a b.gguf", "hf:a/b:Q4_K_M", "http://10.0.0.1/m.gguf"])
      await expect(load(`default_model = "${name}"\n`)).resolves.toBeDefined();
  });

  it.each([
    ["default_engine = 1979-05-27", "the date 1979-05-27"],
    ["rag.vector_storage.dimensions = 9007199254740993", "9007199254740993"],
    ["rag = 5", "expected a table"],
    ["providers = 5", "expected a table"],
    ["[[rag]]\nenabled = true", "expected a table"],
    ["[providers.candle]\ntemperature = nan", "got nan"],
    ["[providers.candle]\ntemperature = -inf", "got -inf"],
    ["[[providers.candle]]\ndevice = 'cpu'", "[a table]"],
    ["[models]\nhf_endpoint = 'https://me:pw@mirror.example'", "without user and password"],
    ["[providers.openai]\napi_key = 'sk-1'\nbase_url = 'https://me:pw@llm.example/v1'", "no user and password beside api_key,"],
    [
      "[providers.mine]\nprovider_type = 'openai-compatible'\napi_key_env = 'KEY'\nbase_url = 'https://me@llm.example/v1'",
      "no user and password beside api_key_env,",
    ],
  ])("G71: %j is config-value", async (text, part) => {
    const error = await errorOf(text);
    expect(error.code).toBe("config-value");
    expect(error.message).toContain(part);
  });

  it("G72: there is no extends; it is a key like any other unknown one", async () => {
    expect((await errorOf('extends = "candle"')).code).toBe("config-unknown-key");
  });

  it.each([
    ["100,000 keys", Array.from({ length: 100_000 }, (_, i) => `k${i.toString(36)}=1`).join("\n")],
    ["10,001 keys of one's own", `[x-mine]\n${Array.from({ length: 10_001 }, (_, i) => `k${i}=1`).join("\n")}`],
    ["a string of 5 MiB", `x-text = "${"a".repeat(5 * 1024 * 1024)}"`],
    ["100,000 nested lists", `x = ${"[".repeat(100_000)}${"]".repeat(100_000)}`],
    ["a dotted key 100,000 deep", `${"x-a.".repeat(100_000)}b = 1`],
  ])("G73: %s are config-syntax at once", async (_, text) => {
    const started = performance.now();
    expect((await errorOf(text)).code).toBe("config-syntax");
    expect(performance.now() - started).toBeLessThan(soonMs);
  });

  it("G73: a file of something else ends after 100 problems, at once", async () => {
    const started = performance.now();
    const error = await errorOf(Array.from({ length: 9_900 }, (_, i) => `temprature${i} = ${i}`).join("\n"));
    expect(performance.now() - started).toBeLessThan(soonMs);
    expect(error.message.split("\n", 1)[0]).toBe("my.toml: 100 or more problems");
    expect(error.details?.["problems"]).toHaveLength(100);
  });

  it("tells every problem in one go, the first one's code on top", async () => {
    const error = await errorOf('[runtim]\n[providers.candle]\ndevice = "gpu"\nstdlib_level = 1\n[rag.chunking]\noverlap = 600\n');
    expect(error).toMatchObject({ code: "config-unknown-key", where: "runtim" });
    const problems = error.details?.["problems"] as { code: string; path: string; line: number }[];
    expect(problems.map(({ code, path, line }) => [code, path, line])).toEqual([
      ["config-unknown-key", "runtim", 1],
      ["config-value", "providers.candle.device", 3],
      ["config-unknown-key", "providers.candle.stdlib_level", 4],
      ["config-value", "rag.chunking.overlap", 6],
    ]);
    expect(error.message.split("\n", 1)[0]).toBe("my.toml: 4 problems");
  });

  it("masks a secret in the line it shows, whatever is wrong with it", async () => {
    const texts = [
      '[providers.openai]\nbase_url = "https://llm.example/v1?key=sk-very-secret"\n',
      '[providers.openai]\napi_key = "k"\nbase_url = "https://me:sk-very-secret@llm.example/v1"\n',
      "[providers.openai]\napi_key = sk-very-secret\n",
      '[providers.openai]\napi_key = "sk-very-secret"\nbase_url = 5\n[providers.openai.api_key]\n',
      'providers = { openai = { api_key = "sk-very-secret", tempature = 1 } }',
      '[providers.openai]\nbase_url = "ftp://me:sk-very-secret@host/"\n',
      '[providers.openai]\napi_key = ["sk-very-secret"]\n',
      '[providers.openai]\napi_key = ["one", "sk-very-secret"]\n',
      '[providers.openai]\napi_key = "one,sk-very-secret\n',
      '[providers.openai]\napi_key = "one,sk-very-secret" two\n',
      'providers.openai = { foo = 1, api_key = "one}sk-very-secret" }\n',
      '[providers.openai]\napi_key = """\nsk-very-secret \\q\n"""\n',
      "[providers.openai]\napi_key = '''\na = 1\nsk-very-secret \u0001\n'''\n",
      '[providers.openai]\napi_key = [\n  "one", # two\n  sk-very-secret,\n]\n',
      `[providers.openai]\napi_key = "${"k".repeat(300)}sk-very-secret\\q"\n`,
      "[providers.openai]\napi_key.sk-very-secret = 1\n",
      '[providers.openai]\napi_key: "sk-very-secret"\n',
      '{ "api_key": "sk-very-secret" }',
      '[providers.openai]\napi_key "sk-very-secret"\n',
      '[providers.openai]\napi_key_env = "sk-very-secret"\n',
      // names that are wrong, and hold one all the same
      '[providers.openai]\napi_kye = "sk-very-secret"\n',
      '[providers.openai]\napiKey = "sk-very-secret"\n',
      '[providers.openai]\n"api key" = "sk-very-secret"\n',
      "providers.openai = { foo = 1, auth = 'sk-very-secret', bar = 1 }\n",
      '[providers.openai]\nbase_url = "http://me:one@sk-very-secret@host/"\ntop_p = 7\n',
      '[providers.ollama]\nbase_url = "http://me:one#sk-very-secret@host/"\n',
      '[providers.ollama]\nbase_url = "http://me:one/sk-very-secret@host/"\n',
    ];
    for (const text of texts) {
      const error = await errorOf(text);
      expect(JSON.stringify(error), text).not.toContain("sk-very-secret");
      expect(error.message, text).not.toContain("sk-very-secret");
    }
  });

  it("shows of a line with a secret what is not secret, with the caret below the mistake", async () => {
    const frameOf = async (text: string) => (await errorOf(text)).message.split("\n").slice(-2).join("\n");
    expect(await frameOf('[providers.openai]\napi_kye = "sk-1" # mine\n')).toBe('  2 | api_kye = "…" # mine\n    | ^^^^^^^');
    expect(await frameOf('[providers.openai]\napi_key = ["sk-1", 2]\n')).toBe("  2 | api_key = ********\n    |           ^^^^^^^^");
    expect(await frameOf('providers.openai = { foo = 1, api_key = "sk-1" }\n')).toBe(
      "  1 | providers.openai = { foo = 1, api_key = ********\n    |                      ^^^",
    );
    expect(await frameOf(`default_engine = "${"a".repeat(200)}\\q"\n`)).toMatch(/^ {2}1 \| a{49}\\q"\n {4}\| {51}\^$/);
  });

  it.each([
    ["engines.lua.security_level", '"strict"', "always sandboxed"],
    ["engines.javascript.strict_mode", "true", "always sandboxed"],
    ["engines.lua.stdlib_level", '"All"', "stdlib"],
    ["runtime.security.allow_process_spawn", "true", "never start processes"],
    ["runtime.security.max_memory_bytes", "1", "engines.lua.max_memory_bytes"],
    ["runtime.security.max_execution_time_ms", "1", "engines.lua.timeout_ms"],
    ["runtime.hooks.enabled", "true", "[hooks]"],
    ["runtime.max_concurrent_scripts", "1", "remove"],
    ["runtime.enable_streaming", "true", "remove"],
    ["runtime.state_persistence.backend_type", '"sled"', '"file"'],
    ["runtime.state_persistence.backend_type", '"redis"', '"file"'],
    ["runtime.state_persistence.migration_enabled", "true", "last good copy"],
    ["runtime.state_persistence.backup_interval", "1", "last good copy"],
    ["providers.candle.use_flash_attention", "true", "remove"],
    ["providers.ollama.auto_start", "true", "remove"],
    ["providers.ollama.health_check_interval_seconds", "1", "remove"],
    ["providers.ollama.default_backend", '"x"', "remove"],
    ["providers.providers.openai.enabled", "true", "[providers.NAME]"],
    ["providers.openai.options.x", "1", "[providers.NAME] itself"],
    ["providers.openai.model", '"gpt-4"', "default_model"],
    ["rag.vector_storage.hnsw.enable_mmap", "true", "rag.vector_storage.on_disk"],
    ["rag.vector_storage.hnsw.mmap_sync_interval", "1", "save_interval_seconds"],
  ])("says what replaced %s = %s", async (path, value, part) => {
    const error = await errorOf(`${path} = ${value}\n`);
    expect(error.code).toBe("config-retired-key");
    expect(error.message).toContain(part);
  });

  it.each([
    ["[providers.Big]\nprovider_type = 'candle'", "small letter"],
    ["[providers.local]\nprovider_type = 'candle'", "reserved"],
    ["[providers.mine]", "provider_type: expected candle, ollama"],
    ["[providers.mine]\nprovider_type = 'olama'", "did you mean ollama?"],
    ["[providers.mine]\nprovider_type = 'openai-compatible'", "needs base_url"],
    ["[providers]\ndefault_provider = 'nobody'", "(candle, ollama)"],
    ["[providers]\ndefault_provider = 'candle'\n[providers.candle]\nenabled = false", "none is declared"],
  ])("refuses the provider in %j", async (text, part) => {
    const error = await errorOf(text);
    expect(error.code).toBe("config-value");
    expect(error.message).toContain(part);
  });

  it("tells of a wrong address once", async () => {
    const { message } = await errorOf("[providers.mine]\nprovider_type = 'openai-compatible'\nbase_url = 'localhost:8000'\n");
    expect(message).toContain("expected an address that begins with http:// or https://");
    expect(message).not.toContain("needs base_url");
  });

  it("checks the capacity of an index against its memory", async () => {
    expect((await errorOf("[rag.vector_storage.hnsw]\nmax_elements = 1000000\n")).message).toContain("need 1664 MB; max_memory_mb is 500");
    const { config } = await load("[rag.vector_storage]\non_disk = true\nhnsw.max_elements = 1000000\n");
    expect(config).toMatchObject({ rag: { vector_storage: { on_disk: true, hnsw: { max_elements: 1_000_000 } } } });
  });

  it.each(["constructor", "__proto__", "toString"])("takes %j for no spelling of a choice", async (word) => {
    expect(await errorOf(`default_engine = "${word}"`)).toMatchObject({ code: "config-value", where: "default_engine" });
  });

  it("reads choices without regard to case, and js as javascript", async () => {
    const { config } = await load('default_engine = "JS"\n[runtime]\nlog_level = "DEBUG"\n[engines.lua]\nstdlib = "ALL"\n');
    expect([config.default_engine, config.runtime.log_level, config.engines.lua.stdlib]).toEqual(["javascript", "debug", "All"]);
  });

  it("keeps keys of one's own, without effect and with one warning", async () => {
    const { config, warnings } = await load(
      'x-note = "mine"\n[x-table]\na = 1\n[providers.candle]\nx-owner = "me"\n[rag.x-deep.er]\nb = [1, 2]\n',
    );
    expect(warnings.filter(({ code }) => code === "config-own-keys")).toEqual([
      { code: "config-own-keys", message: expect.stringContaining("x-note and 3 more") },
    ]);
    const kept = JSON.parse(JSON.stringify(config));
    expect([kept["x-note"], kept["x-table"], kept.providers.candle["x-owner"], kept.rag["x-deep"]]).toEqual([
      "mine",
      { a: 1 },
      "me",
      { er: { b: [1, 2] } },
    ]);
  });

  it("warns where others can read a key in the file", async () => {
    const text = '[providers.openai]\napi_key = "sk-1"\n';
    const open = await resolveSource({ kind: "file", path: "my.toml", folder: "/", text, isPublic: true });
    expect(open.warnings).toEqual([{ code: "config-public-secret", message: expect.stringContaining("providers.openai.api_key") }]);
    expect((await load(text)).warnings).toEqual([]);
  });

  it("G74: takes CRLF, a BOM, tabs and quoted keys", async () => {
    const { origins, config } = await load(
      '\ufeff[providers]\r\n"candle"."device"\t= "cpu"\r\n[ rag . "chunking" ]\r\n\'overlap\' = 3 # c\r\n',
    );
    expect(config.rag.chunking.overlap).toBe(3);
    expect([origins.get("providers.candle.device"), origins.get("rag.chunking.overlap")]).toEqual(["file:my.toml:2", "file:my.toml:4"]);
  });
});
