/** Scripts over a spell, as programs run them: real engines of scripts, real models. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ErrorCode, SpellError } from "../../../src/core/errors.ts";
import { openScript } from "../../../src/core/scripts/open.ts";
import { createSpell, type Spell } from "../../../src/node/main.ts";

let spell: Spell;
/** with every function of both languages */
let all: Spell;
let folder = "";
beforeAll(() => {
  spell = createSpell({ profile: "candle", env: {} });
  all = createSpell({ config: { engines: { lua: { stdlib: "All" }, javascript: { stdlib: "All" } } }, env: {} });
  folder = mkdtempSync(join(tmpdir(), "llmspell-scripts-"));
  mkdirSync(join(folder, "lib"));
  writeFileSync(join(folder, "util.lua"), "return {two = require('lib.two')}");
  writeFileSync(join(folder, "lib/two.lua"), "return 2");
  writeFileSync(join(folder, "util.js"), "export { two } from './lib/two.js'");
  writeFileSync(join(folder, "lib/two.js"), "export const two = 2");
});
afterAll(async () => {
  await spell.dispose();
  await all.dispose();
  rmSync(folder, { recursive: true });
});

const agent = {
  lua: `local agent = Agent.builder():provider("candle"):model("tiny-stories"):max_tokens(6):seed(3):build()
    local whole = agent:execute("Once upon a time")
    print(whole.metadata.seed, whole.metadata.device.chosen ~= nil)
    return whole.text`,
  javascript: `const agent = Agent.builder().provider("candle").model("tiny-stories").maxTokens(6).seed(3).build();
    const whole = await agent.execute("Once upon a time");
    print(whole.metadata.seed + "\\t" + (whole.metadata.device.chosen !== undefined));
    export default whole.text`,
} as const;

describe("spell.scripts.run", () => {
  it("gives the same answer in both languages and in the library, and says which device ran", async () => {
    const { text } = await spell.generate("tiny-stories", "Once upon a time", { maxTokens: 6, seed: 3 });
    for (const engine of ["lua", "javascript"] as const) {
      const { durationMs, devices, ...rest } = await spell.scripts.run(agent[engine], { engine });
      expect(rest).toEqual({ engine, output: "3\ttrue\n", result: text });
      expect(durationMs).toBeGreaterThan(0);
      expect(devices).toEqual([expect.objectContaining({ chosen: expect.any(String) })]);
    }
  });

  it("takes the engine from the name, else from the configuration, and refuses others", async () => {
    expect(await spell.scripts.run("export default 1", { name: "a.mjs" })).toMatchObject({ engine: "javascript", result: 1 });
    expect(await spell.scripts.run("return 1", { name: "a" })).toMatchObject({ engine: "lua", result: 1 });
    expect(await spell.scripts.run("export default 2", { engine: "js" })).toMatchObject({ engine: "javascript", result: 2 });
    await expect(spell.scripts.run("1", { engine: "python" as "lua" })).rejects.toMatchObject({
      code: "usage-value",
      message: expect.stringContaining("expected lua or javascript, got python"),
    });
    await expect(spell.scripts.run("1", { engin: "lua" } as object)).rejects.toMatchObject({ code: "run-option" });
    await expect(spell.scripts.run(3 as unknown as string)).rejects.toMatchObject({ code: "run-option" });
  });

  it("hands arguments in, and modules from the script's folder", async () => {
    const given = { args: { positional: ["a"], named: { n: "5" } }, folder };
    const lua = await spell.scripts.run("return {ARGS[0], ARGS[1], ARGS.n, require('util').two}", { ...given, name: "x.lua" });
    expect(lua.result).toEqual(["x.lua", "a", "5", 2]);
    const js = await spell.scripts.run("import { two } from './util.js'; export default [ARGS[0], ARGS[1], ARGS.n, two]", {
      ...given,
      name: "x.js",
    });
    expect(js.result).toEqual(["x.js", "a", "5", 2]);
    await expect(spell.scripts.run("import '../x.js'", { folder, engine: "javascript" })).rejects.toMatchObject({ code: "script-denied" });
    await expect(spell.scripts.run("return require('util')")).rejects.toMatchObject({ code: "script-denied" });
  });

  it.each([
    "new Date(0)",
    "new Map([[1, 2]])",
    "new Set([1])",
    "/a/",
    "new ArrayBuffer(2)",
    "new Uint8Array(2)",
    "new DataView(new ArrayBuffer(1))",
  ])("refuses %s where plain data is kept", async (value) => {
    await expect(spell.scripts.run(`State.save("custom", "v", { at: [${value}] })`, { engine: "javascript" })).rejects.toMatchObject({
      code: "script-argument",
      message: expect.stringContaining("expected plain data, got "),
    });
  });

  it("gives the value of an answer with its own names and nulls, in both languages", async () => {
    const value = { firstName: "A", first_name: "B", URL: null };
    const members = '"firstName": {"const": "A"}, "first_name": {"const": "B"}, "URL": {"type": "null"}';
    const schema = `{"type": "object", "properties": {${members}}, "required": ["firstName", "first_name", "URL"], "additionalProperties": false}`;
    const asked = `LocalLLM.generate("tiny-stories", "x", {json_schema: ${schema}, max_tokens: 60})`;
    const js = await spell.scripts.run(`export default JSON.stringify((await ${asked}).json)`, { engine: "javascript" });
    expect(JSON.parse(String(js.result))).toEqual(value);
    const lua = `LocalLLM.generate("tiny-stories", "x", {json_schema = JSON.parse('${schema}'), max_tokens = 60})`;
    expect(JSON.parse(String((await spell.scripts.run(`return JSON.stringify(${lua}.json)`)).result))).toEqual(value);
    const nothing = `LocalLLM.generate("tiny-stories", "x", {json_schema: {type: "null"}, max_tokens: 9})`;
    const { result } = await spell.scripts.run(`export default "json" in (await ${nothing})`, { engine: "javascript" });
    expect(result).toBe(true);
  });

  it("keeps bytes as bytes where an artifact is made of them", async () => {
    const own = createSpell({ config: { runtime: { sessions: { enabled: true, storage_backend: "memory" } } }, env: {} });
    const source = `const id = Session.create();
      const made = [new Uint8Array([0, 255, 1]), new Uint8Array([0, 255, 1, 7]).subarray(1, 3), new Uint8Array([9, 8]).buffer, new Uint16Array([258]), new Uint8Array(0)];
      export default made.map((content, i) => Artifact.get(id, Artifact.store(id, "r", "b" + i, content))).map(({ content, encoding }) => [content, encoding]);`;
    const { result } = await own.scripts.run(source, { engine: "javascript" });
    expect(result).toEqual(["AP8B", "/wE=", "CQg=", "AgE=", ""].map((content) => [content, "base64"]));
    await own.dispose();
  });

  it("shows output as it comes, and keeps it with an error otherwise", async () => {
    const pieces: string[] = [];
    const result = await spell.scripts.run("print('a') Utils.sleep(0.01) print('b')", { onOutput: (text) => pieces.push(text) });
    expect(pieces).toEqual(["a\n", "b\n"]);
    expect(result).not.toHaveProperty("output");
    await expect(spell.scripts.run("print('before') error('oh')")).rejects.toMatchObject({
      code: "script-error",
      message: "oh",
      where: "script.lua:1",
      details: { output: "before\n" },
    });
    await expect(spell.scripts.run("LocalLLM.generate('nothing-of-that-name', 'x')")).rejects.toMatchObject({
      code: "model-unknown",
      exitCode: 3,
      where: "script.lua:1",
    });
    expect(await spell.scripts.run("os.exit(4)")).toMatchObject({ exitCode: 4, result: null });
  });

  it("ends by signal, by the time of the run, and by the limits of the configuration", async () => {
    const stop = new AbortController();
    const run = spell.scripts.run("print(1) Utils.sleep(1000)", { onOutput: () => stop.abort(), signal: stop.signal });
    await expect(run).rejects.toMatchObject({ code: "run-aborted" });
    await expect(spell.scripts.run("Utils.sleep(1000)", { timeoutSeconds: 0.2 })).rejects.toMatchObject({
      code: "script-time",
      hint: expect.stringContaining("script_timeout_seconds"),
    });
    await expect(spell.scripts.run("while true do print(('x'):rep(1000)) end")).rejects.toMatchObject({
      code: "script-output",
    });
    const small = createSpell({
      config: {
        engines: {
          lua: { timeout_ms: 3000, max_memory_bytes: 20 * 1024 * 1024 },
          javascript: { timeout_ms: 3000, max_heap_size_bytes: 4 * 1024 * 1024, enable_console: false },
        },
      },
      env: {},
    });
    await expect(small.scripts.run("while true do end")).rejects.toMatchObject({
      code: "script-time",
      message: expect.stringContaining("3000 ms"),
    });
    await expect(small.scripts.run("return ('x'):rep(3e7)")).rejects.toMatchObject({ code: "script-memory" });
    // the limit of spell is the usual one, in which this has room once its memory has grown at one go
    expect((await spell.scripts.run("return #('x'):rep(2.5e7)")).result).toBe(25_000_000);
    await expect(small.scripts.run("new ArrayBuffer(4e6)", { engine: "js" })).rejects.toMatchObject({ code: "script-memory" });
    expect((await small.scripts.run("export default typeof console", { engine: "js" })).result).toBe("undefined");
    await small.dispose();
  });

  it("does not hold up its host: its event loop goes on while a script computes for ever", async () => {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    const busy = createSpell({ config: { engines: { lua: { timeout_ms: 1000 } } }, env: {} });
    const run = busy.scripts.run('string.find(("a"):rep(30000), ".-.-.-.-b")');
    run.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 500)); // the child has started
    delay.enable();
    await expect(run).rejects.toMatchObject({ code: "script-time" });
    delay.disable();
    // of what a busy machine adds, the median knows little
    expect(delay.percentile(50) / 1e6).toBeLessThan(50);
    await busy.dispose();
  });

  it("keeps one state for the inputs of a shell", async () => {
    const script = await openScript(spell, { engine: "lua" });
    await script.run("x = LocalLLM.list()", { isShell: true });
    expect(await script.run("return #x > 0")).toMatchObject({ value: true });
    expect(await script.run("function f()", { isShell: true })).toEqual({ isUnfinished: true });
    await expect(script.run("error('oh')", { isShell: true })).rejects.toMatchObject({ code: "script-error" });
    expect((await script.run("return x ~= nil")).value).toBe(true);
    await script.close();
    expect(script.isOver).toBe(true);
  });

  it("opens no model by its path, and tells nothing of it, where files are not allowed", async () => {
    for (const code of [
      `LocalLLM.info("${folder}")`,
      `LocalLLM.generate("${folder}/util.lua", "x")`,
      `Agent.builder():model("${folder}"):build()`,
      `LocalLLM.info("candle/${folder}")`,
      `LocalLLM.info("LOCAL/${folder}")`,
      `Agent.builder():provider("candle"):model("${folder}"):build()`,
      `Config.set_provider("candle", { default_model = "${folder}" })`,
    ])
      await expect(
        spell.scripts.run(`local ok, e = pcall(function() return ${code} end) return e.code .. " " .. e.message`),
      ).resolves.toMatchObject({
        result: expect.stringMatching(/^script-denied .*allow_file_access/),
      });
  });

  it("opens a model by its path only where the script's files may lie, also where files are allowed", async () => {
    const open = createSpell({ profile: "candle", env: { LLMSPELL_RUNTIME_SECURITY_ALLOW_FILE_ACCESS: "true" } });
    const ask = async (code: string, options: object): Promise<unknown> =>
      (await open.scripts.run(`local ok, e = pcall(function() return ${code} end) return e.code .. " " .. e.message`, options)).result;
    for (const code of [
      `LocalLLM.info("${tmpdir()}")`,
      `LocalLLM.generate("/etc/passwd", "x")`,
      `LocalLLM.pull("candle/${tmpdir()}", {as = "mine"})`,
      `Agent.builder():model("${folder}/../x.gguf"):build()`,
      `Config.set_provider("candle", { default_model = "/etc/passwd" })`,
    ]) {
      expect(await ask(code, { folder })).toMatch(/^script-denied .*allowed_paths/);
      expect(await ask(code, {})).toMatch(/^script-denied .*without a folder/);
    }
    expect(await ask(`LocalLLM.info("${folder}")`, { folder })).toMatch(/^model-/);
    await open.dispose();
  });

  it("tells where models lie only where files are allowed", async () => {
    const told = async (allow_file_access: boolean) => {
      const open = createSpell({ profile: "candle", env: { LLMSPELL_RUNTIME_SECURITY_ALLOW_FILE_ACCESS: String(allow_file_access) } });
      const source = "return {list = LocalLLM.list(), info = LocalLLM.info('tiny-stories'), status = LocalLLM.status()}";
      const { result } = await open.scripts.run(source);
      await open.dispose();
      return JSON.stringify(result);
    };
    const place = /"(path|store)":"(\/|[A-Z]:)/;
    const hidden = await told(false);
    expect(hidden).not.toMatch(place);
    expect(hidden).not.toContain(homedir());
    expect(hidden).toContain('"id":"tiny-stories"');
    expect(await told(true)).toMatch(place);
  });

  it("gives ARGS back as a result", async () => {
    const args = { positional: ["a", "b"], named: { n: "5" } };
    for (const [engine, source] of [
      ["lua", "print(JSON.stringify(ARGS)) return ARGS"],
      ["javascript", "print(JSON.stringify(ARGS)); export default ARGS"],
    ] as const) {
      const { result, output } = await spell.scripts.run(source, { engine, name: "x", args });
      expect(result).toEqual({ "0": "x", "1": "a", "2": "b", n: "5" });
      expect(JSON.parse(output ?? "")).toEqual(result);
    }
  });

  it("rejects with what onOutput throws, and ends the script", async () => {
    const planted = new Error("planted");
    const broken = spell.scripts.run("print(1) while true do end", {
      onOutput() {
        throw planted;
      },
    });
    await expect(broken).rejects.toBe(planted);
  });

  it("rejects with what a promise of onOutput is rejected with, also where the script is over by then", async () => {
    const planted = new TypeError("planted");
    const waits = async (ms: number): Promise<never> => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      throw planted;
    };
    await expect(spell.scripts.run("print(1) Utils.sleep(60)", { onOutput: () => waits(1) })).rejects.toBe(planted);
    await expect(spell.scripts.run("print(1)", { onOutput: () => waits(300) })).rejects.toBe(planted);
    const stop = new AbortController();
    const endless = spell.scripts.run("print(1)", {
      onOutput() {
        setTimeout(() => stop.abort(), 300);
        return new Promise(() => undefined);
      },
      signal: stop.signal,
    });
    await expect(endless).rejects.toMatchObject({ code: "run-aborted" });
  });

  it.each([{ x: "1" }, "a", 5, null, { positional: "a" }, { named: ["a"] }, { named: { n: 5 } }, [1]])(
    "refuses args that are %j",
    async (args) => {
      await expect(spell.scripts.run("return 1", { args: args as never })).rejects.toMatchObject({
        code: "run-option",
        message: expect.stringContaining("args: expected a list of texts, or { positional: a list of texts, named: an object of texts }"),
      });
    },
  );

  it.each([
    ['JSON.parse("{a")', 'JSON.parse("{a")', "script-json"],
    ['local t = {} t.t = t State.save("a", "c", t)', 'const t = {}; t.t = t; State.save("a", "c", t)', "script-argument"],
    ['State.save("a", "nan", 0/0)', 'State.save("a", "nan", 0/0)', "script-argument"],
    ['State.save("a", "big", ("x"):rep(5000000))', 'State.save("a", "big", "x".repeat(5000000))', "script-argument"],
    ['State.save("a", "b", "\\255")', 'State.save("a", "b", new Date(0))', "script-argument"],
    ['require("../fs")', 'await import("fs")', "script-denied"],
  ])("gives errors of the engine a hint, as those of the host have: %s", async (lua, javascript, code) => {
    const caught = [
      await all.scripts.run(`local ok, e = pcall(function() ${lua} end) return e and {e.code, e.hint, e.retryable}`, { engine: "lua" }),
      await all.scripts.run(`let e; try { ${javascript} } catch (error) { e = error } export default e && [e.code, e.hint, e.retryable]`, {
        engine: "javascript",
      }),
    ];
    const { hint } = new SpellError(code as ErrorCode, "");
    expect(caught.map(({ result }) => result)).toEqual([
      [code, hint, false],
      [code, hint, false],
    ]);
  });

  it("says of a function without an end in Lua that it takes all memory", async () => {
    const endless = spell.scripts.run("local function f() return 1 + f() end f()", { engine: "lua" });
    await expect(endless).rejects.toMatchObject({
      code: "script-memory",
      hint: expect.stringMatching(/calls itself without an end.*engines\.lua\.max_memory_bytes/),
    });
  });

  it("ends with its spell", async () => {
    const own = createSpell({ profile: "candle", env: {} });
    const running = own.scripts.run("while true do end");
    setTimeout(() => void own.dispose(), 500);
    await expect(running).rejects.toMatchObject({ code: "run-closed", message: "the spell was disposed" });
    await expect(own.scripts.run("return 1")).rejects.toMatchObject({ code: "run-closed" });
  });

  it("shows the line of an error as it is, but for texts given to a secret name", async () => {
    const frame = async (source: string) =>
      (await spell.scripts.run(source).catch((error: unknown) => error)) as { readonly details: { readonly frame: string } };
    expect((await frame("local token = nope.x")).details.frame).toContain("local token = nope.x");
    const secret = (await frame('local api_key = "sk-12345678" .. nope.x')).details.frame;
    expect(secret).not.toContain("12345678");
    expect(secret).toContain("nope.x");
  });

  it("shows an error that is a table by its message, else by its members", async () => {
    await expect(spell.scripts.run('error({ code = "x", message = "planted" })')).rejects.toMatchObject({ message: "planted" });
    await expect(spell.scripts.run("error({ n = 1 })")).rejects.toMatchObject({ message: '{"n":1}' });
  });
});
