/** Both engines of scripts on any host: what a script sees, the same in both languages where the languages are. */
import { describe, expect, it } from "vitest";
import { SpellError } from "../../src/core/errors.ts";
import type { ScriptFiles } from "../../src/core/platform.ts";
import type { Open } from "./script-host.ts";

export function scriptEngines(open: Open): void {
  describe("Lua", () => {
    it("prints tables as JSON, gets its arguments, and ends with what it returns", async () => {
      const script = await open("lua");
      const args = { script: "demo.lua", positional: ["a", "-5"], named: { model: "tiny" } };
      const source =
        'print(1, {b = {}, a = {1, "x"}}, nil)\nprint(ARGS[0], ARGS[1], ARGS["2"], #ARGS, ARGS.model, arg == ARGS)\nreturn {list = JSON.array(), n = 2.5}';
      expect(await script.run(source, { args })).toEqual({ value: { list: [], n: 2.5 }, exitCode: undefined });
      expect(script.output()).toBe('1\t{\n  "a": [\n    1,\n    "x"\n  ],\n  "b": {}\n}\tnil\ndemo.lua\ta\t-5\t2\ttiny\ttrue\n');
    });

    it("calls the host inside sort, gsub, pcall, metamethods, coroutines and callbacks", async () => {
      const script = await open("lua");
      const source = `
        local t = {3, 1, 2}
        table.sort(t, function(a, b) return T.add_one(a) < T.add_one(b) end)
        local s = string.gsub("abc", ".", function(c) return T.echo(c) .. T.slow(1) end)
        local m = setmetatable({}, {__index = function(_, k) return T.echo(k) end, __tostring = function() return T.echo("me") end})
        local c = coroutine.wrap(function() for i = 1, 2 do coroutine.yield(T.addOne(i)) end end)
        local pieces = {}
        local it = coroutine.wrap(function() T.each(3, function(i, piece) coroutine.yield(piece) end) end)
        for piece in it do pieces[#pieces + 1] = piece end
        local inner = T.each(2, function(i) return T.each(1, function() T.nop() end) end)
        return {t, s, m.key, tostring(m), c(), c(), pieces, inner, select(2, pcall(T.add_one, "x"))}`;
      const { value } = await script.run(source.replace('select(2, pcall(T.add_one, "x"))', "select(2, pcall(T.add_one, 'x')).code"));
      expect(value).toEqual([[1, 2, 3], "a1b1c1", "key", "me", 2, 3, ["piece 1", "piece 2", "piece 3"], 2, "script-argument"]);
    });

    it("keeps os to time, with the calendar of C", async () => {
      const script = await open("lua");
      const names = "for k in pairs(os) do n[#n + 1] = k end table.sort(n)";
      const { value } = await script.run(`local n = {} ${names}
        return {n, os.date("!%Y-%m-%d %H:%M:%S %a %A %b %j %U %W %V %G %p %I %y %%", 951782400),
          os.date("!*t", 86399).hour, os.time{year = 2021, month = 14, day = 1, hour = 12} - os.time{year = 2022, month = 2, day = 1, hour = 12}, type(os.clock()),
          os.date("%z", 0) == os.date("*t", 0).isdst and 1 or 0}`);
      // date -u -d @951782400 '+%Y-%m-%d %H:%M:%S %a %A %b %j %U %W %V %G %p %I %y %%' (GNU coreutils 9.1, LC_ALL=C)
      expect(value).toEqual([
        ["clock", "date", "difftime", "exit", "time"],
        "2000-02-29 00:00:00 Tue Tuesday Feb 060 09 09 09 2000 AM 12 00 %",
        23,
        0,
        "number",
        0,
      ]);
    });

    it("catches a call whose arguments are too much for a message", async () => {
      const source = "local ok, e = pcall(T.echo, string.rep('x', 5000000)) return {ok, e.code, T.echo('on')}";
      expect((await (await open("lua")).run(source)).value).toEqual([false, "script-argument", "on"]);
    });

    it.each([
      ["{[1] = 1, [5] = 3}", "a list with holes (2 is nil, 5 is not)"],
      ["{1, 2, x = 3}", "a table with both list items and named fields"],
      ["{1, 2, [0] = 3}", "a list with an item 0"],
    ])("says why %s is neither a list nor a table", async (given, message) => {
      const source = `local ok, e = pcall(T.echo, ${given}) return {e.code, e.message}`;
      expect((await (await open("lua")).run(source)).value).toEqual(["script-argument", `${message} cannot be passed on`]);
    });

    it("reads standard input by line, number, count and whole, and writes without a line end", async () => {
      const lines = ["first line\n", "42 rest\n", "tail\n", "end"];
      const script = await open("lua", { readLine: async () => lines.shift() });
      const source =
        'io.write("a", 1):write("b\\n") return {io.read(), io.read("n"), io.read(5), io.read("L"), io.read("a"), io.read("l") == nil}';
      expect((await script.run(source)).value).toEqual(["first line", 42, " rest", "\n", "tail\nend", true]);
      expect(script.output()).toBe("a1b\n");
      const none = await open("lua");
      expect((await none.run('return {io.read() == nil, io.read("a")}')).value).toEqual([true, ""]);
    });

    it("has Streaming over coroutines", async () => {
      const script = await open("lua");
      const source = `local s = Streaming.create(function() for i = 1, 3 do Streaming.yield(T.add_one(i)) end end)
        local seen = {} while not s:isDone() do seen[#seen + 1] = s:next() end
        local bad = Streaming.create(function() Streaming.yield(1) error("late") end) bad:next()
        return {seen, s:next() == nil, Streaming.create(function() end):collect(), select(2, pcall(bad.next, bad))}`;
      expect((await script.run(source)).value).toEqual([[2, 3, 4], true, [], "main.lua:3: late"]);
    });

    it("round-trips JSON, and names the position of a fault", async () => {
      const script = await open("lua");
      const text = '{"a":[],"b":{},"c":[1,2.5,-3e2,null,true],"d":"\\u00e9\\ud83d\\ude00\\n\\"","$id":7}';
      const { value } = await script.run(`local t = JSON.parse([[${text}]]) return {JSON.stringify(t), t.c[4] == JSON.null, t}`);
      expect(value).toEqual([
        '{"$id":7,"a":[],"b":{},"c":[1,2,-300.0,null,true],"d":"é😀\\n\\""}'.replace("1,2,", "1,2.5,").replace("-300.0", "-300"),
        true,
        JSON.parse(text),
      ]);
      for (const [bad, position] of [
        ["[1,", 4],
        ['{"a" 1}', 6],
        ["[01]", 2],
        ["[1] x", 5],
        ['"\u0001"', 1],
        ["[1.e3]", 2],
      ] as const)
        expect(await script.fails(`JSON.parse(${JSON.stringify(bad).replace("\\u0001", "\\1")})`)).toMatchObject({
          code: "script-json",
          message: expect.stringContaining(`position ${position}`),
        });
    });
  });

  describe("JavaScript", () => {
    it("prints objects as JSON, gets its arguments, and ends with its default export", async () => {
      const script = await open("javascript");
      const args = { script: "demo.js", positional: ["a", "-5"], named: { model: "tiny" } };
      const source =
        "print(1, {b: {}, a: [1, 'x']}, null)\nprint(ARGS[0], ARGS[1], ARGS['2'], ARGS.length, ARGS.model)\nexport default {list: [], n: 2.5}";
      expect(await script.run(source, { args })).toEqual({ value: { list: [], n: 2.5 }, exitCode: undefined });
      expect(script.output()).toBe('1 {\n  "b": {},\n  "a": [\n    1,\n    "x"\n  ]\n} null\ndemo.js a -5 2 tiny\n');
    });

    it("has promises that overlap, functions that do not wait, and callbacks of both kinds", async () => {
      const script = await open("javascript");
      const source = `
        const from = Date.now();
        const both = await Promise.all([T.slow(300), T.slow(301)]);
        const took = Date.now() - from;
        const pieces = [];
        const stopped = await T.each(5, async (i, piece) => { pieces.push(piece, T.addOne(i)); await T.slow(1); return i < 2; });
        export default { both, overlapped: took < 580, stopped, pieces, now: T.echo([{ $id: 3 }, null]) };`;
      expect((await script.run(source)).value).toEqual({
        both: [300, 301],
        overlapped: true,
        stopped: 2,
        pieces: ["piece 1", 2, "piece 2", 3],
        now: [{ $id: 3 }, null],
      });
    });

    it("catches a call whose arguments are too much for a message", async () => {
      const source =
        "let code; try { await T.echo('x'.repeat(5e6)); } catch (e) { code = e.code; } export default [code, await T.echo('on')];";
      expect((await (await open("javascript")).run(source)).value).toEqual(["script-argument", "on"]);
    });

    it("waits for timers and open calls after its last line", async () => {
      const script = await open("javascript");
      await script.run(`
        setTimeout((x) => print("timer", x), 20, 7);
        const never = setTimeout(() => print("never"), 1e9); clearTimeout(never);
        let n = 0; const i = setInterval(() => { print("tick"); if (++n === 2) clearInterval(i); }, 1);
        T.slow(40).then(() => print("call"));`);
      expect(script.output().split("\n").sort()).toEqual(["", "call", "tick", "tick", "timer 7"]);
    });

    it("fails for a promise that nobody waits for, and for one that never settles", async () => {
      const script = await open("javascript");
      expect(await script.fails('Promise.reject(new Error("nobody"))')).toMatchObject({ code: "script-error", message: "Error: nobody" });
      expect(await script.fails("setTimeout(() => { throw new RangeError('late') }, 1)")).toMatchObject({ message: "RangeError: late" });
      expect(await script.fails("await new Promise(() => {})")).toMatchObject({
        code: "script-error",
        message: expect.stringContaining("never happens"),
      });
      await script.run("const p = Promise.reject(1); await null; await p.catch(() => 1)");
    });

    it.each(["await T.each(1, () => new Promise(() => {}))", "T.each(1, async () => { await new Promise(() => {}); })"])(
      "fails for a callback that never ends: %s",
      async (source) => {
        const script = await open("javascript");
        expect(await script.fails(source)).toMatchObject({ code: "script-error", message: expect.stringContaining("never happens") });
      },
    );

    it("has Streaming over generators", async () => {
      const script = await open("javascript");
      const source = `
        const s = Streaming.create(function* () { for (let i = 1; i <= 3; i++) yield T.addOne(i); });
        const seen = []; while (!s.isDone()) seen.push(s.next());
        const a = Streaming.create(async function* () { yield await T.slow(1); yield 5; });
        export default [seen, s.next() === undefined, s.is_done(), await a.next(), await a.isDone(), await a.collect()];`;
      expect((await script.run(source)).value).toEqual([[2, 3, 4], true, true, 1, false, [5]]);
      expect(await script.fails("Streaming.create(() => 1)")).toMatchObject({ code: "script-argument" });
    });

    it("sends console.log to the output and the rest to the log", async () => {
      const script = await open("javascript");
      await script.run('console.log("a", {x: 1}); console.info("i"); console.warn("w", [1]); console.error(new Error("e"));');
      expect(script.output()).toBe('a {\n  "x": 1\n}\n');
      expect(script.logged).toEqual(["info: i", "warn: w [\n  1\n]", "error: Error: e"]);
      const bare = await open("javascript", { hasConsole: false });
      expect((await bare.run("export default typeof console")).value).toBe("undefined");
    });
  });

  describe.each(["lua", "javascript"] as const)("%s", (engine) => {
    const isLua = engine === "lua";
    const result = (expression: string): string => (isLua ? `return ${expression}` : `export default ${expression}`);

    it("has objects of the host with identity, whose methods need the object", async () => {
      const script = await open(engine);
      const made = isLua
        ? "local c = T.counter() local d = T.counter() return {c:add(2) == c, c:count_of(), c:countOf(), d:count_of(), c == d, T.echo(c) == c}"
        : "const c = T.counter(), d = T.counter(); export default [c.add(2) === c, await c.count_of(), await c.countOf(), await d.count_of(), c === d, T.echo(c) === c]";
      expect((await script.run(made)).value).toEqual([true, 2, 2, 0, false, true]);
      const bare = isLua ? "local c = T.counter() c.add(2)" : "const { add } = T.counter(); add(2)";
      expect(await script.fails(bare)).toMatchObject({ code: "script-argument" });
    });

    it("catches errors of the host with their fields, and without paths of this machine", async () => {
      const script = await open(engine, { commandsOf: () => ["llmspell config show"] });
      const source = isLua
        ? "local ok, e = pcall(T.deny) return {e.code, e.message, e.hint, e.commands, e.retryable, e.details, tostring(e), e.ref, e.actions}"
        : "let e; try { T.deny() } catch (x) { e = x } export default [e.code, e.message, e.hint, e.commands, e.retryable, e.details, String(e), e.ref, e.actions]";
      const { value } = await script.run(source);
      const message = "cannot read …/secret.txt; not allowed";
      expect((value as unknown[]).slice(0, 7)).toEqual([
        "script-denied",
        message,
        expect.any(String),
        ["llmspell config show"],
        false,
        { key: "runtime.security.allow_file_access" },
        message,
      ]);
      const unforeseen = isLua
        ? "local ok, e = pcall(T.boom) return e.code .. e.message"
        : "let e; try { T.boom() } catch (x) { e = x } export default e.code + e.message";
      expect((await script.run(unforeseen)).value).toBe("internal-errorsomething unforeseen happened in the host");
      expect(script.logged).toEqual(["error: secret at /private/place/key.txt"]);
    });

    it("ends with the host's own error where the script does not catch it, and says the line", async () => {
      const script = await open(engine);
      const source = isLua ? "local function f()\n  T.deny()\nend\nf()" : "function f() {\n  T.deny();\n}\nf();";
      const error = await script.fails(source);
      expect(error).toMatchObject({
        code: "script-denied",
        actions: [{ kind: "show-config", section: "runtime" }],
        where: expect.stringMatching(isLua ? /^main\.lua:2$/ : /^main\.js:2:\d+$/),
        details: { key: "runtime.security.allow_file_access", frame: expect.stringContaining("2 |   T.deny()") },
      });
      expect(error.details?.["trace"]).toBeUndefined();
      const debugged = await open(engine, { isDebug: true });
      expect((await debugged.fails(source)).details?.["trace"]).toMatch(/main\.(lua|js):4/);
    });

    it("says the line of a call that fails later, too", async () => {
      const script = await open(engine);
      const error = await script.fails(
        isLua ? "local a = 1\nT.slow('x')" : "const a = 1;\nasync function f() {\n  await T.slow('x');\n}\nawait f();",
      );
      expect(error.where).toMatch(isLua ? /^main\.lua:2$/ : /^main\.js:3:\d+$/);
    });

    it("raises what a callback raised, unchanged", async () => {
      const script = await open(engine);
      const source = isLua
        ? "local mine = {} local ok, e = pcall(T.each, 2, function() error(mine) end) return e == mine"
        : "const mine = {}; let e; try { await T.each(2, () => { throw mine }) } catch (x) { e = x } export default e === mine";
      expect((await script.run(source)).value).toBe(true);
    });

    it("goes on after a function that computes for longer than it may, and counts no waiting for it", async () => {
      const { run } = await open(engine, { timeoutMs: 8000 });
      const source = isLua
        ? `T.keep(function() while true do end end) local late = T.within(100)
           T.keep(function(s) T.slow(500) local from = os.clock() while os.clock() - from < 0.5 do end return s .. 2 end)
           return {late, T.within(900), T.within_now(900)}`
        : `T.keep(() => { try { for (;;); } finally { for (;;); } }); const late = await T.within(100);
           T.keep(async (s) => { await T.slow(200); return s + T.addOne(1); }); export default [late, await T.within(100), "data2"];`;
      const { value } = await run(source);
      expect(value).toEqual(["passed over: the function computed for longer than it may", "data2", "data2"]);
    });

    it("ends with the name of such a function where the language cannot go on", async () => {
      const { fails } = await open(engine, { timeoutMs: 8000 });
      const source = isLua
        ? "T.keep(function() while true do pcall(function() while true do end end) end end) T.within(150)"
        : "T.keep(() => { for (;;); }); T.withinNow(150);";
      const began = performance.now();
      expect(await fails(source)).toMatchObject({
        code: "script-time",
        message: "hook 1 of BeforeTest: expected a function that computes for at most 150 ms, got more",
        hint: "Let it do less, or raise hooks.timeout_ms.",
      });
      expect(performance.now() - began).toBeLessThan(4000);
    });

    it("keeps the lines of a file with byte order mark and #! line", async () => {
      const script = await open(engine);
      const error = await script.fails(`\uFEFF#!/usr/bin/env llmspell\n\n${isLua ? "error('here')" : "throw new Error('here')"}`);
      expect(error.where).toMatch(/^main\.\w+:3/);
      expect(error.message).toContain("here");
    });

    it("exits with a status of its choice, from anywhere", async () => {
      const script = await open(engine);
      const source = isLua
        ? 'print("x") pcall(function() T.each(1, function() os.exit(7) end) end) print("y")'
        : 'print("x"); try { await T.each(1, () => exit(7)) } finally { print("y") }';
      expect(await script.run(source)).toMatchObject({ exitCode: 7 });
      expect(script.output()).toBe("x\n");
      expect(script.session.isOver).toBe(true);
      const bad = await open(engine);
      expect(await bad.fails(isLua ? "os.exit(256)" : "exit(-1)")).toMatchObject({ code: "script-argument" });
    });

    it("has of its language what its level says", async () => {
      const names = isLua
        ? [
            "string",
            "table",
            "math",
            "utf8",
            "coroutine",
            "os",
            "io",
            "require",
            "load",
            "dofile",
            "loadfile",
            "collectgarbage",
            "debug",
            "package",
          ]
        : ["print", "console", "exit", "setTimeout", "setInterval", "clearTimeout", "process", "require", "fetch", "Atomics"];
      const probe = isLua
        ? `local n = {} for _, k in pairs{${names.map((name) => `"${name}"`).join(",")}} do if _G[k] ~= nil then n[#n + 1] = k end end return n`
        : `export default ${JSON.stringify(names)}.filter((k) => typeof globalThis[k] !== "undefined")`;
      const basic = isLua ? ["string", "table", "math"] : ["print", "console"];
      const standard = isLua
        ? [...basic, "utf8", "coroutine", "os", "io"]
        : [...basic, "exit", "setTimeout", "setInterval", "clearTimeout"];
      const expected = { None: isLua ? {} : ["print"], Basic: basic, Standard: standard, All: isLua ? [...standard, "require"] : standard };
      for (const stdlib of ["None", "Basic", "Standard", "All"] as const) {
        const script = await open(engine, { stdlib });
        expect((await script.run(probe)).value, stdlib).toEqual(expected[stdlib]);
        expect((await script.run(result("T.add_one(1)"))).value).toBe(2);
      }
      const debugged = await open(engine, { isDebug: true });
      expect(
        (await debugged.run(isLua ? "local n = {} for k in pairs(debug) do n[#n + 1] = k end return n" : "export default ['traceback']"))
          .value,
      ).toEqual(["traceback"]);
    });

    it("takes modules beside it at level All, and no others", async () => {
      const asked: string[] = [];
      const files: ScriptFiles = {
        permit: () => undefined,
        async module(path) {
          asked.push(path);
          const texts: Record<string, string> = isLua
            ? {
                "util.lua": "local n = ... return {two = 2, name = n, inner = require('lib.deep')}",
                "lib/deep.lua": "return 3",
                "bad.lua": "x = = 1",
              }
            : {
                "util.js": "import { deep } from './lib/deep.js'; export const two = 2; export const inner = deep;",
                "lib/deep.js": "export { top as deep } from '../top.js'",
                "top.js": "export const top = 3",
                "bad.js": "x = = 1",
              };
          const found = texts[path];
          if (found === undefined) throw new SpellError("script-denied", `${path} is not there`);
          return found;
        },
        bytes: async () => undefined,
        read: async (path) => (path === "in.txt" ? "one\ntwo" : undefined),
        write: async (path, text, append) => void asked.push(`${append ? ">>" : ">"}${path}:${text}`),
        exists: async () => false,
        list: async () => [],
      };
      const script = await open(engine, { stdlib: "All", files });
      const use = isLua
        ? "local u = require('util') return {u.two, u.inner, require('util') == u}"
        : "import * as u from './util.js'; export default [u.two, u.inner, (await import('./util.js')) === u]";
      expect((await script.run(use)).value).toEqual([2, 3, true]);
      expect(asked).toEqual(isLua ? ["util.lua", "lib/deep.lua"] : ["util.js", "lib/deep.js", "top.js"]);
      const bad = isLua
        ? ["require('../x')", "require('/etc/passwd')", "require('a..b')", "require('nothing')"]
        : ["import '../x.js'", "import 'fs'", "import 'http://x/y.js'", "import './nothing.js'", "await import('./a/../../x.js')"];
      for (const source of bad) expect((await script.fails(source)).code, source).toBe("script-denied");
      expect(await script.fails(isLua ? "require('bad')" : "import './bad.js'")).toMatchObject({
        code: "script-syntax",
        ...(isLua ? {} : { where: expect.stringContaining("bad.js:1") }),
      });
      const standard = await open(engine, { files });
      expect((await standard.fails(isLua ? "require('util')" : "import './util.js'")).code).toBe(isLua ? "script-error" : "script-denied");
      if (!isLua) return;
      const source = `local f = io.open("in.txt") local a = {f:read("l"), f:read("a")} f:close()
        for line in io.lines("in.txt") do a[#a + 1] = line end
        local w = io.open("out.txt", "w") w:write("x", 1):write("y") w:close()
        return {a, (io.open("none.txt"))== nil}`;
      asked.length = 0;
      expect((await script.run(source)).value).toEqual([["one", "two", "one", "two"], true]);
      expect(asked).toEqual([">out.txt:", ">>out.txt:x1y"]);
    });

    it("keeps the state between the inputs of a shell, and says when one is unfinished", async () => {
      const script = await open(engine);
      const shell = async (source: string) => {
        const before = script.output().length;
        const end = await script.run(source, { isShell: true, name: "repl" }).catch((error: SpellError) => error.code);
        return typeof end === "string" ? end : end.isUnfinished === true ? "more" : script.output().slice(before).trim();
      };
      const inputs: readonly (readonly [string, string])[] = isLua
        ? [
            ["1+1", "2"],
            ["x = 5", ""],
            ["x * 2, 'two'", "10\ttwo"],
            ["return 5, 6", "5\t6"],
            ["function f()", "more"],
            ["function f()\n return 7 end", ""],
            ["f()", "7"],
            ["x = = 1", "script-syntax"],
            ["'abc", "more"],
            ["[[abc", "more"],
            ["{1,2,a", "more"],
            ["error('x')", "script-error"],
            ["x", "5"],
          ]
        : [
            ["1+1", "2"],
            ["let x = 5", ""],
            ["x * 2", "10"],
            ["function f() {", "more"],
            ["function f() {\n return 7 }", ""],
            ["f()", "7"],
            ["x = = 1", "script-syntax"],
            ["`abc", "more"],
            ["[1,2", "more"],
            ["(await T.slow(1)) + 1", "2"],
            ["throw new Error('x')", "script-error"],
            ["x", "5"],
          ];
      for (const [input, shown] of inputs) expect(await shell(input), input).toBe(shown);
    });
  });
}
