/**
 * What scripts may try (docs/failures.md lists the rows by number), with inputs that change with a seed, and how each must end. The limits are 500 ms of
 * computing, 64 MiB and 1 MiB of output.
 */
import { describe, expect, it } from "vitest";
import { SpellError } from "../../src/core/errors.ts";
import type { ScriptEngine } from "../../src/core/scripts/protocol.ts";
import type { Open, OpenOptions } from "./script-host.ts";

const limits = { timeoutMs: 500, memoryBytes: 64 * 1024 * 1024, outputBytes: 1_048_576, runMs: 20_000 };
/** Nothing that a script prints, returns or raises may hold it; the test's host has it as a global and, in Node, as a variable. */
export const canary = "CANARY-7f3a";

/** Codes of errors or values as JSON; a RegExp is held against either. */
type Ends = string | RegExp | readonly (string | RegExp)[];
type Row = readonly [name: string, source: string, ends: Ends, options?: OpenOptions];

const time = "script-time";
const memory = "script-memory";
const stack = "script-stack";
const error = "script-error";
const syntax = "script-syntax";

/** Source: Marsaglia, "Xorshift RNGs" (2003). @returns whole numbers from `least` to `most` */
function numbers(seed: number): (least: number, most: number) => number {
  let state = seed >>> 0 || 1;
  return (least, most) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return least + ((state >>> 0) % (most - least + 1));
  };
}

function luaRows(pick: (least: number, most: number) => number): readonly Row[] {
  const word = `w${pick(1, 1e6)}`;
  const n = pick(2, 9);
  const file = ["/etc/passwd", "/proc/self/environ", `../${word}`, `a\\0${word}`][pick(0, 3)];
  return [
    ["L1 no os.execute", "return tostring(os.execute)", '"nil"'],
    [
      "L2 no io.open, popen, lines at level Standard",
      `return tostring(io.open) .. tostring(io.popen) .. tostring(io.lines) .. tostring(io.stdout)`,
      '"nilnilnilnil"',
    ],
    [
      "L3 no environment and no files in os",
      "return tostring(os.getenv) .. tostring(os.remove) .. tostring(os.tmpname) .. tostring(os.rename)",
      '"nilnilnilnil"',
    ],
    ["L3 os.exit ends this script only", `pcall(function() os.exit(${n}) end) return 'caught'`, `exit ${n}`],
    ["L4 no require, no package", "return tostring(require) .. tostring(package)", '"nilnil"'],
    [
      "L4 require takes names beside the script only",
      `require "${["fs", "../x", "/etc/passwd", "package"][pick(0, 3)]}"`,
      "script-denied",
      { stdlib: "All" },
    ],
    ["L5 no string.dump, no load", "return tostring(string.dump) .. tostring(load) .. tostring(loadstring)", '"nilnilnil"'],
    ["L6 G99 bytecode is refused", `\x1bLua\x54\x00\x19\x93${word}`, syntax],
    ["L7 no debug", "return tostring(debug)", '"nil"'],
    ["L8 no constructor of an object of the host", "local c = T.counter() return c.constructor.constructor('return process')()", error],
    ["L9 no constructor of a function of the host", "return T.constructor('return process')()", error],
    ["L10 no constructor of what the host returns", "return tostring(T.echo(T.counter()).constructor)", '"nil"'],
    ["L11 no __proto__", "return tostring(T.counter().__proto__)", '"nil"'],
    [
      "L12 no constructor of an object inside data",
      `return tostring(T.echo({a = {T.counter()}}).a[1].constructor) .. '${word}'`,
      `"nil${word}"`,
    ],
    [
      "L13 functions of the host are functions of Lua",
      "local t = {} for _, f in pairs{T.nop, T.each, T.echo} do t[#t + 1] = type(f) .. tostring(pcall(function() return f.constructor end)) end return t",
      '["functionfalse","functionfalse","functionfalse"]',
    ],
    [
      "L14 an error of the host is text",
      "local ok, e = pcall(T.boom) return tostring(e) .. tostring(e.constructor) .. tostring(e.stack)",
      '"something unforeseen happened in the hostnilnil"',
    ],
    ["L15 G95 an endless loop ends", `local i = ${n} while true do i = i + 1 end`, time],
    ["L16 an endless pcall around an endless loop ends", "while true do pcall(function() while true do end end) end", time],
    ["L17 an endless handler of errors ends", "local function h() while true do end end while true do xpcall(error, h) end", time],
    [
      "L18 an endless finaliser ends",
      "local function f() setmetatable({}, {__gc = function() while true do end end}) end for i = 1, 1e7 do f() local t = {} end",
      time,
    ],
    [
      "L18 a finaliser at the end of the state is never run",
      "for i = 1, 1e5 do setmetatable({}, {__gc = function(o) while true do end end}) end return 1",
      [time, "1"],
    ],
    ["L19 the hook cannot be taken away", "pcall(function() debug.sethook() end) while true do end", time],
    ["L20 a pattern that takes for ever ends", `return string.find(("a"):rep(${pick(20_000, 40_000)}), ".-.-.-.-b")`, time],
    ["L21 a text of gigabytes ends", `return #("x"):rep(${pick(1, 2)}e9)`, memory],
    ["L21 a table without an end ends", 'local t = {} for i = 1, 1e9 do t[i] = "x" .. i end', [memory, time]],
    ["L21 a format of gigabytes is refused", 'return string.format("%99999999d", 1)', error],
    [
      "L21 memory that runs out under pcall ends",
      'local t = {} while true do pcall(function() for i = 1, 1e9 do t[#t + 1] = ("x"):rep(1e5) .. i end end) end',
      [time, memory],
    ],
    ["L22 texts made and dropped without an end end", `while true do local s = ("x"):rep(${n}e6) end`, time],
    ["L23 an endless coroutine ends", "local c = coroutine.wrap(function() while true do end end) c()", time],
    ["L23 a million coroutines end", "local t = {} for i = 1, 1e6 do t[i] = coroutine.create(function() end) end", [memory, time]],
    [
      "L23 an error inside coroutine.wrap is told",
      `coroutine.wrap(function() error('${word}') end)()`,
      new RegExp(`^script-error.*${word}`),
    ],
    ["L24 G95 recursion without an end ends", "local function f() return 1 + f() end return f()", [stack, memory, time]],
    ["L24 a hundred thousand parentheses are refused", `return ${"(".repeat(1e5)}1${")".repeat(1e5)}`, [syntax, stack]],
    ["L24 recursion through C is refused", "local function f(s) return (s:gsub('.', f)) end return f('a')", stack],
    [
      "L25 replaced functions spoil the script's own state only",
      "getmetatable('').__index = nil; pcall = nil; tostring = nil; string.format = nil; table.concat = nil; T.nop(); print(1); return JSON.stringify({1})",
      '"[1]"',
    ],
    ["L25 another _ENV changes nothing outside", "_ENV = {} ; return 1", "1"],
    ["L25 each script has a fresh state", `return tostring(pairs) ~= nil and State.load('a', '${word}') == nil and __mark == nil`, "true"],
    [
      "L26 sort with an order that is none is refused",
      "local t = {} for i = 1, 1000 do t[i] = i % 7 end table.sort(t, function() return true end)",
      error,
    ],
    ["L26 text that is not UTF-8 is no text", "return utf8.len('\\xff') == nil and math.random() < 1", "true"],
    ["L27 no files at level Standard", `return T.echo(io.open) == nil and '${word}'`, `"${word}"`],
    ["L27 G97 a file that is not allowed is not read", `io.open('${file}')`, "script-denied", { stdlib: "All", files: denying }],
    ["L27 G97 a file that is not allowed is not written", `io.open('${file}', 'w')`, "script-denied", { stdlib: "All", files: denying }],
    [
      "L27 G97 a file that is not allowed has no lines",
      `for l in io.lines('${file}') do end`,
      "script-denied",
      { stdlib: "All", files: denying },
    ],
    ["L27 G95 a million calls end", "for i = 1, 1e6 do T.nop() end", time],
    ["L27 an argument beyond a message ends", "return T.echo(('x'):rep(20e6))", [memory, error, stack, time]],
    ["L27 an answer is not run", "return T.echo('return os.execute')", '"return os.execute"'],
    ["G94 a syntax error has its line", `local x = 1\nlocal ${word} = = 2`, /^script-syntax .*main\.lua:2/],
    ["G95 a gigabyte of output ends", "while true do print(('x'):rep(1000)) end", "script-output"],
    ["G96 nil is thrown", "error(nil)", error],
    ["G96 an error whose text throws", `error(setmetatable({}, {__tostring = function() error('${word}') end}))`, error],
    ["G96 a huge text is thrown", "error(('x'):rep(1e6))", error],
    ["G96 a cyclic value is thrown", "local t = {} t.t = t error(t)", error],
    ["G96 an error with a code of the host is thrown", "error({code = 'model-not-installed', message = 'm'})", error],
    ["G98 a function as result is refused", "return print", error],
    [
      "G98 whole numbers beyond 2^53 are texts",
      "return {9007199254740993, 9007199254740991, 0.1, -0.0, 1e300}",
      '["9007199254740993",9007199254740991,0.1,0,1e+300]',
    ],
    ["G98 a BigInt that a number holds is that number", "export default [5n, -(2n ** 53n - 1n)]", "[5,-9007199254740991]"],
    ["G98 NaN as result is refused", "return 0/0", error],
    ["G98 deep data is refused", `local t = {} for i = 1, ${pick(33, 200)} do t = {t} end return t`, error],
    ["G98 a table of items and names is refused", "return {1, a = 2}", error],
    ["G98 bytes as text are refused", "return '\\xff\\xfe'", error],
    ["G99 NUL in a source is refused", `return 1 \0 + ${n}`, syntax],
  ];
}

function javascriptRows(pick: (least: number, most: number) => number): readonly Row[] {
  const word = `w${pick(1, 1e6)}`;
  const n = pick(2, 9);
  return [
    [
      "J1 no names of a host",
      'export default Function("return typeof process + typeof require + typeof fetch + typeof WebAssembly")()',
      '"undefinedundefinedundefinedundefined"',
    ],
    [
      "J2 the constructor of constructors gives the sandbox",
      'export default [].constructor.constructor("return this === globalThis")()',
      "true",
    ],
    [
      "J3 functions of the host are functions of the realm",
      'export default T.nop.constructor("return typeof process")() + T.counter().constructor.constructor("return typeof process")()',
      ['"undefinedundefined"', error],
    ],
    [
      "J4 an error of the host is code and short text",
      "let m; try { T.boom() } catch (e) { m = e.constructor.constructor('return typeof process')() + e.message + e.stack } export default m",
      /^"undefinedsomething unforeseen happened(?!.*private)(?!.*file:)/s,
    ],
    ["J5 an endless loop ends", `let i = ${n}; while (true) { i++ }`, time],
    ["J5 an endless loop inside try ends", "while (true) { try { while (true) {} } catch (e) {} }", time],
    ["J5 an endless loop inside finally ends", "try { while (true) {} } finally { while (true) {} }", time],
    ["J5 an endless getter ends", "({ get x() { for (;;); } }).x", time],
    ["J5 an endless generator ends", "function* g() { try { for (;;) yield 1 } finally { for (;;); } } for (const x of g()) break;", time],
    ["J6 an expression that takes for ever ends", `/^(a+)+$/.test("a".repeat(${pick(38, 60)}) + "b")`, time],
    ["J7 a text of gigabytes ends", `"a".repeat(2 ** ${pick(28, 29)})`, [memory, error]],
    ["J7 a buffer of gigabytes ends", "new ArrayBuffer(2 ** 31)", [memory, error]],
    ["J8 arrays without an end end", "const a = []; for (;;) a.push(new Array(2e5).fill(1))", [memory, time]],
    ["J9 texts without an end end", 'const a = []; for (let n = 0;; n++) a.push("x".repeat(1e5) + n)', [memory, time]],
    [
      "J10 memory that ran out may be caught",
      "const a = []; let r; try { for (;;) a.push(new Array(2e5).fill(1)) } catch (e) { r = String(e) } export default r",
      [memory, time, /memory|null/],
    ],
    ["J11 a join without an interrupt ends", 'new Array(2 ** 26).join("a")', [time, memory]],
    ["J12 an indexOf without an end ends", "Array.prototype.indexOf.call({ length: 2 ** 40 }, 1)", time],
    ["J13 a search without an interrupt ends", 'const s = "a".repeat(5e6); s.indexOf("a".repeat(2e6) + "b")', time],
    ["J14 G95 recursion without an end ends", "const f = () => f() + 1; f()", stack],
    ["J14 JSON of a million brackets is refused", 'JSON.parse("[".repeat(1e6))', [stack, error, "script-json"]],
    ["J14 eval of a hundred thousand parentheses is refused", 'eval("(".repeat(1e5))', [stack, syntax, error]],
    [
      "J14 data of a hundred thousand levels is refused",
      "let o = {}; for (let i = 0; i < 1e5; i++) o = { o }; JSON.stringify(o)",
      [stack, error, time],
    ],
    ["J14 an expression of a hundred thousand groups is refused", 'new RegExp("(".repeat(1e5) + ")".repeat(1e5))', [stack, syntax, error]],
    ["J15 jobs without an end end", "for (;;) await 1", time],
    ["J16 a promise that never settles ends at once", "await new Promise(() => {})", error],
    ["J16 a host call that never answers ends with the run", "await T.never()", time, { runMs: 3000 }],
    ["J16 a million timers end", "for (let i = 0; i < 1e6; i++) setTimeout(() => {}, 1e9)", time],
    [
      "J17 spoiled prototypes stay inside",
      "Object.prototype.x = 1; Object.defineProperty(Array.prototype, 0, { set() { throw 1 }, configurable: true }); JSON.parse = () => { throw 2 }; Promise.prototype.then = null; T.nop(); export default [1].length",
      [error, "1"],
    ],
    ["J17 toJSON stays inside", `Object.prototype.toJSON = () => "${word}"; export default { a: 1 }`, /^[\s\S]*$/],
    ["J18 a proxy that loops is never read from outside", "throw new Proxy({}, { get() { for (;;); } })", [time, error]],
    ["J18 a result that throws is told", `export default new Proxy({}, { ownKeys() { throw new Error("${word}") } })`, error],
    ["J19 towers of BigInt end", "let x = 2n; for (;;) x = x * x", [memory, time, error]],
    ["J20 no modules at level Standard", 'await import("fs")', "script-denied"],
    ["J20 no module above the script", `await import("../${word}.js")`, "script-denied", { stdlib: "All" }],
    ["J20 no module of a net", `await import("http://127.0.0.1/${word}.js")`, "script-denied", { stdlib: "All" }],
    ["J20 no module above the script by a detour", `await import("./a/../../${word}.js")`, "script-denied", { stdlib: "All" }],
    [
      "J21 no paths of the host in a stack",
      "Error.prepareStackTrace = (e, s) => s; export default new Error('x').stack + ''",
      /^"(?!.*(home|tmp|file:|work))/s,
    ],
    ["J22 no Atomics, no SharedArrayBuffer", "export default typeof Atomics + typeof SharedArrayBuffer", '"undefinedundefined"'],
    ["J23 a clock and random numbers are allowed", "export default typeof Date.now() + typeof Math.random()", '"numbernumber"'],
    ["J24 a huge source for eval ends", `eval("1;".repeat(${n}e7))`, [time, memory, error]],
    ["J25 a huge result ends", "export default 'x'.repeat(2e7)", [error, memory, stack, time]],
    ["J25 a cyclic result is refused", "const o = {}; o.o = o; export default o", error],
    ["J25 a symbol as result is refused", "export default Symbol('x')", error],
    ["J25 a function as result is refused", "export default () => 1", error],
    [
      "J27 nothing of a page or a worker is there",
      "export default [typeof postMessage, typeof fetch, typeof indexedDB, typeof importScripts, typeof navigator, typeof WebSocket, typeof BroadcastChannel, typeof XMLHttpRequest, typeof self, typeof window, typeof post, typeof receive].join()",
      /^"(undefined,?)+"$/,
    ],
    ["G94 a syntax error has its line", `let x = 1;\nlet ${word} = = 2`, /^script-syntax .*main\.js:2/],
    ["G95 a million host calls end", "for (let i = 0; i < 1e6; i++) T.nop()", time],
    ["G95 a gigabyte of output ends", "for (;;) print('x'.repeat(1000))", "script-output"],
    ["G96 null is thrown", "throw null", error],
    ["G96 undefined is thrown", "throw undefined", error],
    ["G96 a symbol is thrown", "throw Symbol('x')", error],
    ["G96 a throwing getter is thrown", "throw { get message() { throw 1 }, toString() { throw 2 } }", error],
    ["G96 a huge text is thrown", "throw 'x'.repeat(1e6)", error],
    ["G96 a cyclic value is thrown", "const o = {}; o.o = o; throw o", error],
    ["G96 an error with a code of the host is thrown", "throw Object.assign(new Error('m'), { code: 'model-not-installed' })", error],
    ["G98 whole numbers beyond 2^53 are texts", "export default [2n ** 53n + 1n, 0.1, 1e300]", '["9007199254740993",0.1,1e+300]'],
    ["G98 a BigInt that a number holds is that number", "export default [5n, -(2n ** 53n - 1n)]", "[5,-9007199254740991]"],
    ["G98 NaN as result is refused", "export default NaN", error],
    ["G98 deep data is refused", `let t = 1; for (let i = 0; i < ${pick(34, 200)}; i++) t = [t]; export default t`, error],
    ["G98 half a character is text", "export default '\\ud800'", /^"[\s\S]*"$/],
    ["G99 NUL in a source is refused", `export default 1 \0 + ${n}`, syntax],
    [
      "an endless finaliser is never run",
      "new FinalizationRegistry(() => { for (;;); }).register({}, 1); for (let i = 0; i < 1e6; i++) ({ a: [] }); export default 1",
      ["1", time],
    ],
  ];
}

/** Files of a host that allows none. */
const denying = {
  permit: () => undefined,
  module: () => Promise.reject(new SpellError("script-denied", "no module")),
  bytes: () => Promise.reject(new SpellError("script-denied", "not allowed")),
  read: () => Promise.reject(new SpellError("script-denied", "not allowed")),
  write: () => Promise.reject(new SpellError("script-denied", "not allowed")),
  exists: () => Promise.reject(new SpellError("script-denied", "not allowed")),
  list: () => Promise.reject(new SpellError("script-denied", "not allowed")),
};

export interface RowOptions {
  readonly seed: number;
  readonly engines?: readonly ScriptEngine[] | undefined;
  /** Rows by their beginning; default: all. */
  readonly only?: RegExp | undefined;
  /** Only each n-th row; default all. */
  readonly every?: number | undefined;
  /** Told how long after its start each row was over, in milliseconds. */
  readonly onEnd?: ((row: string, tookMs: number, code: string) => void) | undefined;
}

export function scriptRows(open: Open, { seed, engines = ["lua", "javascript"], only = /^/, every = 1, onEnd }: RowOptions): void {
  for (const engine of engines) {
    const rows = (engine === "lua" ? luaRows : javascriptRows)(numbers(seed))
      .filter(([name], i) => only.test(name) && i % every === 0)
      .map(([name, source, ends, options]) => ({ name, source, ends, options }));
    describe(`${engine}, seed ${seed}`, () => {
      it.each(rows)("$name", async ({ name, source, ends, options }) => {
        // A busy machine takes its time from a script too: only what must end by time has the short limit.
        const timeoutMs = [ends].flat().includes(time) ? limits.timeoutMs : 10 * limits.timeoutMs;
        const script = await open(engine, { ...limits, timeoutMs, ...options });
        await script.session.run({ source: "", name: "warm" }); // the engine is there before its clock is read
        const from = performance.now();
        const ended = await script.run(source).then(
          ({ value, exitCode }) => (exitCode === undefined ? (JSON.stringify(value) ?? "undefined") : `exit ${exitCode}`),
          (failure: unknown) => {
            if (!(failure instanceof SpellError)) throw failure;
            expect(failure.message.length, "a short text").toBeLessThanOrEqual(2000);
            return `${failure.code} ${failure.message} ${failure.where ?? ""}`;
          },
        );
        const tookMs = performance.now() - from;
        const code = ended.startsWith("script-") ? (ended.split(" ", 1)[0] ?? "") : ended;
        onEnd?.(`${engine} ${name}`, tookMs, code);
        const fits = [ends].flat().some((each) => (each instanceof RegExp ? each.test(ended) : each === code));
        expect(fits, `${source.slice(0, 200)} ended with ${ended.slice(0, 300)}`).toBe(true);
        expect(ended + script.output() + script.logged.join(), "the canary").not.toContain(canary);
        // whatever it did, it is gone when the session is closed
        await script.session.close();
      });
    });
  }
}
