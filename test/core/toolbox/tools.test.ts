/**
 * What each tool gives. Expected values are those of Python 3.11.7 (hashlib, zlib, hmac, uuid, base64, datetime with zoneinfo, its own arithmetic), such as
 * `python3 -c "import hashlib; print(hashlib.md5('añ€'.encode()).hexdigest())"`; those without a counterpart there are written by hand.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSpell } from "../../../src/core/api/spell.ts";
import { memoryPlatform } from "../../../src/core/testing/index.ts";
import { toolNames } from "../../../src/core/toolbox/names.ts";
import { builtinTools } from "../../../src/core/toolbox/table.ts";
import { createToolbox } from "../../../src/core/toolbox/toolbox.ts";
import { failure } from "../../support/failure.ts";

const platform = memoryPlatform();
const { config } = createSpell({ platform, config: { tools: { rate_limit_per_minute: 1_000_000 } }, env: {} });
const tools = createToolbox({ platform, config });
const run = async (name: string, input: object) => (await tools.execute(name, input)) as Record<string, unknown>;
const resultOf = async (name: string, input: object) => (await run(name, input))["result"];

const text = "añ€";

describe("the table", () => {
  it("has the names that need no import, and schemas with a result", () => {
    expect(builtinTools.map(({ name }) => name)).toEqual([...toolNames]);
    for (const { output, parameters, name } of builtinTools) {
      expect([name, Object.keys(output["properties"] as object)]).toEqual([name, expect.arrayContaining(["result"])]);
      expect(parameters.type).toBe("object");
    }
  });
});

describe("calculator", () => {
  it.each([
    ["2*(3+4)", 14],
    ["-2^2", -4],
    ["2**3**2", 512],
    ["7%3", 1],
    ["1e3/8", 125],
    ["(1+2)*-3", -9],
    ["sqrt(2)*pi", 4.442882938158366],
    ["round(2.675, 2)", 2.68],
    ["round(-1234.5, -2)", -1200],
    ["min(3, 1, 2) + max(1, 2)", 3],
    ["log(8, 2)", 3],
    ["1_000_000 / 4", 250_000],
    [" .5 + 5. ", 5.5],
    ["factorial(5) - sum(1, 2, 3)", 114],
    ["mean(1, 2, 6)", 3],
    ["--2", 2],
    ["0 * -1", 0],
  ])("%s is %d", async (expression, value) => expect(await resultOf("calculator", { expression })).toBeCloseTo(value, 12));

  it("takes variables, never what an object inherits", async () => {
    expect(await resultOf("calculator", { expression: "a * b_2", variables: { a: 6, b_2: 7 } })).toBe(42);
    for (const expression of ["constructor", "toString()", "__proto__", "a.b", "x['y']", "1;2", "`1`", "this", "=1", "process.exit()"])
      expect((await failure(run("calculator", { expression, variables: { a: 1 } }))).code).toBe("tool-failed");
  });

  it.each([
    ["1/0", "expected a finite number, got Infinity"],
    ["sqrt(-1)", "expected a finite number, got NaN"],
    ["2 +", "expected a number, got the end"],
    ["2 3", 'expected an operator, got "3" at position 3'],
    ["(1", 'expected ")", got the end'],
    ["max()", "1 to 1000 arguments of max"],
    ["foo(1)", "expected one of"],
    ["2 $ 3", 'got "$" at position 3'],
    ["factorial(171)", "from 0 to 170"],
    ["", "got the end"],
  ])("refuses %s", async (expression, message) => {
    const error = await failure(run("calculator", { expression }));
    expect([error.code, error.message]).toEqual(["tool-failed", expect.stringContaining(message)]);
  });

  it("ends with what is nested or long without end", async () => {
    for (const start of ["(".repeat(5000), "-".repeat(9999), "1+".repeat(5000), "2^".repeat(1000)])
      expect((await failure(run("calculator", { expression: `${start}1` }))).code).toBe("tool-limit");
  });

  it("computes as JavaScript does", () => {
    const number = fc.double({ min: -1e6, max: 1e6, noNaN: true, noDefaultInfinity: true }).map((value) => Math.abs(value));
    const { tree } = fc.letrec<{ tree: string }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        number.map(String),
        fc.tuple(tie("tree"), fc.constantFrom("+", "-", "*"), tie("tree")).map(([a, sign, b]) => `(${a} ${sign} ${b})`),
      ),
    }));
    return fc.assert(
      fc.asyncProperty(tree, async (expression) => {
        // biome-ignore lint/security/noGlobalEval: the expression is made here, of numbers and three operators
        expect(await resultOf("calculator", { expression })).toBeCloseTo(eval(expression) as number, 5);
      }),
      { numRuns: 50 },
    );
  });
});

describe("text-manipulator", () => {
  it.each([
    [{ operation: "uppercase", text: "straße" }, "STRASSE"],
    [{ operation: "lowercase", text: "ÀB" }, "àb"],
    [{ operation: "titlecase", text: "it's an ÉCOLE" }, "It's An École"],
    [{ operation: "trim", text: " \n a " }, "a"],
    [{ operation: "reverse", text: "a𝒳b" }, "b𝒳a"],
    [
      { operation: "count", text: "a𝒳 b\nc" },
      { characters: 6, words: 3, lines: 2, bytes: 9 },
    ],
    [{ operation: "replace", text: "a.a.", find: "a.", replacement: "$&" }, "$&$&"],
    [{ operation: "replace", text: "aa", find: "a", replacement: "b", all: false }, "ba"],
    [{ operation: "split", text: "a,b,,c", separator: "," }, ["a", "b", "", "c"]],
    [{ operation: "join", text: "-", items: ["a", "b"] }, "a-b"],
    [{ operation: "slice", text: "a𝒳bc", start: 1, end: -1 }, "𝒳b"],
    [{ operation: "truncate", text: "abcdef", length: 4 }, "abc…"],
    [{ operation: "truncate", text: "abc", length: 4 }, "abc"],
    [{ operation: "pad", text: "a", length: 3 }, "a  "],
    [{ operation: "repeat", text: "ab", length: 3 }, "ababab"],
    [{ operation: "sort_lines", text: "b\na\nc", descending: true }, "c\nb\na"],
    [{ operation: "unique_lines", text: "a\nb\na" }, "a\nb"],
    [{ operation: "slug", text: " Älter  & neuer! " }, "alter-neuer"],
  ])("%j", async (input, value) => expect(await resultOf("text-manipulator", input)).toEqual(value));

  it("names what is missing, and repeats nothing without end", async () => {
    expect((await failure(run("text-manipulator", { operation: "split", text: "a" }))).message).toContain("expected separator");
    expect((await failure(run("text-manipulator", { operation: "replace", text: "a", find: "" }))).message).toContain("expected find");
    const error = await failure(run("text-manipulator", { operation: "repeat", text: "x".repeat(1000), length: 1_000_000 }));
    expect(error.code).toBe("tool-limit");
  });
});

describe("hash-calculator", () => {
  it.each([
    ["md5", "9a83ec7c0613858c8a24c694b409746d"],
    ["sha1", "84412e0ce1e3919577a694a757c1ab328d06aea0"],
    ["sha256", "7c4ced7c8236a4fb7af220ae94df0a13005116d338ebeadb5b622190311a51f7"],
    ["sha384", "6f36d2559fc239216a44ea047ead90ec9dd92eac23b99645abd4b478fe59459b776060bafd610a132626a622cd78fbe5"],
    [
      "sha512",
      "dee0c90e5360581877bc8511c38ea0ba949f7bce2975c1f131954ea51342807734d724092b54fc2ec01f3cfc7e41224860fcf4340373e8031a3c570e91acb24d",
    ],
    ["sha3", "023dd77041bb0e56346a53c1d3518e60570eefec580cf7aabb98abc7b8c0fd7f"],
    ["crc32", "05a2d76c"],
  ])("%s", async (algorithm, hash) => {
    expect(await run("hash-calculator", { input: text, algorithm, expected: hash.toUpperCase() })).toEqual({
      result: hash,
      algorithm,
      matches: true,
    });
    const asBytes = { input: "YcOx4oKs", is_base64: true, algorithm };
    expect(await resultOf("hash-calculator", asBytes)).toBe(hash);
  });

  it("makes keyed ones of the SHA family alone", async () => {
    const result = "644375c8a708a662dbca66561e40e4a5076ce07c4ce8837fb21da7782c6e7264";
    expect(await run("hash-calculator", { input: text, key: "key" })).toEqual({ result, algorithm: "sha256" });
    expect((await failure(run("hash-calculator", { input: text, key: "key", algorithm: "md5" }))).message).toContain(
      "expected one of sha1",
    );
  });
});

describe("base64-encoder", () => {
  it("encodes and decodes both alphabets", async () => {
    expect(await resultOf("base64-encoder", { operation: "encode", input: text })).toBe("YcOx4oKs");
    expect(await resultOf("base64-encoder", { operation: "decode", input: "YcOx4oKs" })).toBe(text);
    expect(await resultOf("base64-encoder", { operation: "decode", input: "-__-", to: "hex" })).toBe("fbfffe");
    expect(await resultOf("base64-encoder", { operation: "encode", input: "??>", url_safe: true })).toBe("Pz8-");
    expect((await failure(run("base64-encoder", { operation: "decode", input: "*" }))).message).toContain("expected base64");
    expect((await failure(run("base64-encoder", { operation: "decode", input: "-__-" }))).message).toContain("text in UTF-8");
  });

  it("gives every text back", () =>
    fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme" }), async (input) => {
        const encoded = await resultOf("base64-encoder", { operation: "encode", input, url_safe: true });
        expect(await resultOf("base64-encoder", { operation: "decode", input: encoded as string })).toBe(input);
      }),
      { numRuns: 30 },
    ));
});

describe("uuid-generator", () => {
  it("makes each version in its form", async () => {
    const v5 = { version: "v5", namespace: "url", name: "https://example.org/" };
    expect(await resultOf("uuid-generator", v5)).toBe("527dda32-a0de-5105-a042-cb475b5f7d11");
    const { uuids, result } = (await run("uuid-generator", { version: "v7", count: 20 })) as { uuids: string[]; result: string };
    expect(result.split("\n")).toEqual(uuids);
    expect(new Set(uuids).size).toBe(20);
    for (const uuid of uuids) expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number.parseInt((uuids[0] ?? "").replaceAll("-", "").slice(0, 12), 16)).toBeCloseTo(Date.now(), -5);
    for (let i = 0; i < 20; i += 1) {
      const { uuids: many } = (await run("uuid-generator", { version: "v7", count: 1000 })) as { uuids: string[] };
      expect(many).toEqual([...new Set(many)].sort());
    }
    expect(await resultOf("uuid-generator", {})).toMatch(/^.{14}4/);
    expect((await failure(run("uuid-generator", { version: "v5", namespace: "constructor", name: "a" }))).code).toBe("tool-failed");
  });
});

describe("url-analyzer", () => {
  it("reads an address, and shows no password", async () => {
    const url = "HTTPS://me:secret@Example.org:8443/a%20b/c?x=1&y=2&x=3&__proto__=4#top%21";
    const read = await run("url-analyzer", { url });
    expect(read).toMatchObject({
      scheme: "https",
      host: "example.org",
      port: 8443,
      segments: ["a b", "c"],
      fragment: "top!",
      username: "me",
    });
    expect(Object.entries(read["query"] as object)).toEqual([
      ["x", ["1", "3"]],
      ["y", "2"],
      ["__proto__", "4"],
    ]);
    expect(JSON.stringify(read)).not.toContain("secret");
    expect(await resultOf("url-analyzer", { url: "../d", base: "https://a.org/b/c/" })).toBe("https://a.org/b/d");
    expect((await failure(run("url-analyzer", { url: "../d" }))).message).toContain("needs base");
  });
});

describe("csv-analyzer", () => {
  it("finds separator, types and figures", async () => {
    const csv = 'name;age;since;ok\n"Bo; Jr";40;2020-01-05;true\nAnn;;2021-02-06;false\nCy;20.5;2021-02-06;true\n';
    const read = await run("csv-analyzer", { csv, limit: 2 });
    expect(read).toMatchObject({ rows: 3, delimiter: ";", problems: [] });
    expect(read["result"]).toEqual([
      { name: "Bo; Jr", age: 40, since: "2020-01-05", ok: true },
      { name: "Ann", age: null, since: "2021-02-06", ok: false },
    ]);
    expect(read["columns"]).toMatchObject([
      { name: "name", type: "text", count: 3, missing: 0, distinct: 3 },
      { name: "age", type: "number", count: 2, missing: 1, min: 20.5, max: 40, mean: 30.25, sum: 60.5 },
      { name: "since", type: "date", most_common: [{ value: "2021-02-06", count: 2 }] },
      { name: "ok", type: "boolean" },
    ]);
  });

  it("keeps long numbers, same names and uneven rows", async () => {
    const read = await run("csv-analyzer", { csv: "id,id,__proto__\n00123,12345678901234567890,1\n1\n" });
    expect(Object.entries((read["result"] as object[])[0] ?? {})).toEqual([
      ["id", "00123"],
      ["id_2", "12345678901234567890"],
      ["__proto__", 1],
    ]);
    expect(read["problems"]).toEqual(["row 2: expected 3 values, got 1"]);
    expect((await failure(run("csv-analyzer", { csv: "" }))).message).toContain("expected a table");
    expect((await failure(run("csv-analyzer", { csv: "a\n1", columns: ["b"] }))).message).toContain("expected columns of a, got b");
    expect((await failure(run("csv-analyzer", { csv: "a,".repeat(2000) }))).code).toBe("tool-limit");
  });

  it.each([
    ["a;b\n1\n2\n3\n4;5", ";"],
    ["a\tb\n1\n2\t3", "\t"],
    ["a|b|c\n1\n2\n3\n4", "|"],
    ["a\n1\n2", ","],
    ["a;b;c\n1\n4;5;6", ";"],
  ])("keeps the separator where rows are short: %j", async (csv, delimiter) => {
    expect(await run("csv-analyzer", { csv })).toMatchObject({ delimiter });
  });

  it.each([
    [
      "a,b\n1,2\n,\n  ,\n\n   \n3,4\n",
      ["a", "b"],
      [
        { a: 1, b: 2 },
        { a: null, b: null },
        { a: null, b: null },
        { a: 3, b: 4 },
      ],
    ],
    [
      ",\n1,2\n3,4",
      ["1", "2"],
      [
        { 1: 1, 2: 2 },
        { 1: 3, 2: 4 },
      ],
    ],
    ['\ufeffa\n""\n\n1\n', ["a"], [{ a: null }, { a: 1 }]],
    [
      "a\tb\n1\t2\n\t\n\n3\t4",
      ["a", "b"],
      [
        { a: 1, b: 2 },
        { a: null, b: null },
        { a: 3, b: 4 },
      ],
    ],
  ])("skips blank lines alone: %j", async (csv, names, result) => {
    const read = await run("csv-analyzer", { csv });
    expect(read).toMatchObject({ result, rows: result.length, problems: [] });
    const missing = (name: string) => result.filter((row) => (row as Readonly<Record<string, unknown>>)[name] === null).length;
    expect(read["columns"]).toMatchObject(names.map((name) => ({ name, missing: missing(name) })));
  });

  it("counts rows as it gives them, whatever is wrong with them", async () => {
    const csv = 'a,b\n\n1,2\n\n"x"y,3\n1\n';
    const { result, problems } = await run("csv-analyzer", { csv, delimiter: "," });
    expect((result as unknown[]).length).toBe(2);
    expect(problems).toEqual([
      expect.stringMatching(/^row 2: Trailing quote/),
      expect.stringMatching(/^row 2: Quoted field/),
      "row 2: expected 2 values, got 1",
    ]);
    expect((await run("csv-analyzer", { csv: '"a"b,c\n1,2\n', header: true }))["problems"]).toContainEqual(
      expect.stringMatching(/^names of the columns: Trailing/),
    );
  });

  it.each([
    ["2024-02-29", "date"],
    ["2026-01-01T23:59:59Z", "date"],
    ["2026-02-29", "text"],
    ["2026-13-45", "text"],
    ["2026-00-10", "text"],
    ["2026-01-00", "text"],
    ["2026-01-01T25:00", "text"],
    ["2026-01-01 10:61", "text"],
  ])("takes %s for %s", async (value, type) => {
    expect(await run("csv-analyzer", { csv: `d\n${value}` })).toMatchObject({ columns: [{ type }] });
  });
});

describe("text-diff", () => {
  it("writes a patch, or marks what changed", async () => {
    const read = await run("text-diff", { before: "a\nb\nc\n", after: "a\nB\nc\n" });
    expect(read).toMatchObject({ is_equal: false, added: 1, removed: 1 });
    expect(read["result"]).toContain("@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
    expect(await resultOf("text-diff", { before: "one two", after: "one 2", by: "words" })).toBe("one [-two-]{+2+}");
    expect(await run("text-diff", { before: "a", after: "a" })).toMatchObject({ result: "", is_equal: true });
  });

  it("ends with texts that cost too much", async () => {
    const letters = (seed: number) => Array.from({ length: 400_000 }, (_, i) => ((i * seed) % 97).toString(36)).join("");
    expect((await failure(run("text-diff", { before: "x".repeat(600_000), after: "y".repeat(600_000) }))).code).toBe("tool-limit");
    const started = performance.now();
    expect((await failure(run("text-diff", { before: letters(31), after: letters(57), by: "characters" }))).code).toBe("tool-limit");
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it("compares lines within the time of one comparison", async () => {
    const lines = (step: number) => Array.from({ length: 30_000 }, (_, i) => `a${(i * step) % 30_011}`).join("\n");
    const started = performance.now();
    expect((await failure(run("text-diff", { before: lines(7), after: lines(13) }))).message).toContain("within 1000 ms");
    expect(performance.now() - started).toBeLessThan(1800);
  });
});

describe("template", () => {
  it.each([
    ["Hi {{name}}!", { name: "<Bo>" }, {}, "Hi <Bo>!"],
    ["{{{name}}} {{name}}", { name: "<Bo>" }, { escape: "html" }, "<Bo> &lt;Bo&gt;"],
    ['{"a": {{a}}}', { a: { b: "c" } }, { escape: "json" }, '{"a": {"b":"c"}}'],
    ["{{#list}}({{x}}){{/list}}{{^none}}-{{/none}}", { list: [{ x: 1 }, { x: 2 }] }, {}, "(1)(2)-"],
    ["{{a.b.c}}", { a: { b: { c: "deep" } } }, {}, "deep"],
    ["[{{constructor}}{{list.constructor}}{{toString}}{{__proto__.x}}]", { list: [1] }, {}, "[]"],
    ["{{> partial}}", {}, {}, ""],
  ])("%s", async (template, values, more, filled) => expect(await resultOf("template", { template, values, ...more })).toBe(filled));

  it("says where a template is wrong", async () => {
    expect((await failure(run("template", { template: "{{#a}}", values: {} }))).message).toContain("Unclosed section");
  });
});

describe("regex", () => {
  it.each([
    [{ operation: "test", pattern: "^a", text: "ba\na", flags: "m" }, true],
    [{ operation: "replace", pattern: "(?<d>\\d+)", text: "a1b22", replacement: "<$<d>>" }, "a<1>b<22>"],
    [{ operation: "split", pattern: "\\s*,\\s*", text: "a , b,c" }, ["a", "b", "c"]],
    [
      { pattern: "(?<k>\\w)=(x)?", text: "a=x b=" },
      [
        expect.objectContaining({ text: "a=x", groups: ["a", "x"], names: { k: "a" } }),
        expect.objectContaining({ text: "b=", index: 4, groups: ["b", null] }),
      ],
    ],
  ])("%j", async (input, value) => expect(await resultOf("regex", input)).toEqual(value));

  it("says what is wrong with a pattern, and ends with an empty one", async () => {
    expect((await failure(run("regex", { pattern: "(", text: "" }))).message).toContain("expected a regular expression");
    expect(await run("regex", { pattern: "", text: "ab" })).toMatchObject({ count: 3 });
  });
});

describe("datetime-handler", () => {
  it.each([
    [
      { operation: "add", date: "2026-03-28T12:00", zone: "Europe/Berlin", amount: { days: 1 } },
      "2026-03-29T12:00:00+02:00[Europe/Berlin]",
    ],
    [{ operation: "convert", date: "2026-03-29T01:30:00Z", to: "Europe/Berlin" }, "2026-03-29T03:30:00+02:00[Europe/Berlin]"],
    [{ operation: "parse", date: "2026-03-29 03:30:00.250+0200" }, "2026-03-29T03:30:00.250+02:00[+02:00]"],
    [{ operation: "parse", date: "1700000000000" }, "2023-11-14T22:13:20+00:00[UTC]"],
    [{ operation: "subtract", date: "2024-03-31", amount: { months: 1 } }, "2024-02-29T00:00:00+00:00[UTC]"],
    [{ operation: "difference", date: "2024-01-31", to: "2026-03-01T06:00:00Z", unit: "year" }, "P2Y1M1DT6H"],
    [{ operation: "difference", date: "2026-03-28", to: "2026-03-30", zone: "Europe/Berlin", unit: "hour" }, "PT47H"],
    [{ operation: "format", date: "2026-03-29", locale: "de", style: "medium" }, "29.03.2026, 00:00:00"],
  ])("%j", async (input, result) => expect(await resultOf("datetime-handler", input)).toBe(result));

  it("tells the parts of a date, and counts seconds", async () => {
    expect(await run("datetime-handler", { operation: "parse", date: "2026-03-29" })).toMatchObject({
      iso: "2026-03-29T00:00:00.000Z",
      parts: { year: 2026, month: 3, day: 29, day_of_week: 7, day_of_year: 88, week: 13 },
    });
    const between = { operation: "difference", date: "2024-01-31", to: "2026-03-01T06:00:00Z" };
    expect(await run("datetime-handler", between)).toMatchObject({ seconds: 65_685_600, duration: { days: 760, hours: 6 } });
    const { timestamp } = await run("datetime-handler", { operation: "now", zone: "Asia/Tokyo" });
    expect(timestamp).toBeCloseTo(Date.now(), -4);
  });

  it.each([
    [{ operation: "parse", date: "2026-02-30T00:00:00Z" }],
    [{ operation: "parse", date: "yesterday" }],
    [{ operation: "parse", date: "2026-01-01", zone: "Mars/Base" }],
    [{ operation: "parse" }],
    [{ operation: "add", date: "2026-01-01" }],
    [{ operation: "add", date: "2026-01-01", amount: { years: 99_999_999 } }],
    [{ operation: "format", date: "2026-01-01", locale: "no such locale" }],
  ])("refuses %j", async (input) => expect((await failure(run("datetime-handler", input))).code).toBe("tool-failed"));

  it.each([
    [0, 0],
    ["0", 0],
    [-1, -1],
    ["-86400000", -86_400_000],
    ["+2026", 2026],
    [2026, 2026],
    ["999", 999],
    ["20260101", Date.UTC(2026, 0, 1)],
  ])("reads milliseconds: %j", async (date, timestamp) => {
    expect(await run("datetime-handler", { operation: "parse", date })).toMatchObject({ timestamp });
    expect(await run("datetime-handler", { operation: "difference", date: 0, to: date })).toMatchObject({ seconds: timestamp / 1000 });
  });

  it.each([
    [{ operation: "difference", date: "2026-01-01" }, "expected to, the later date, got none"],
    [{ operation: "difference", to: "2026-01-01" }, "expected date, got none"],
  ])("names what %j lacks", async (input, message) => {
    expect((await failure(run("datetime-handler", input))).message).toBe(`datetime-handler: ${message}`);
  });

  it("says what four digits may be", async () => {
    const error = await failure(run("datetime-handler", { operation: "parse", date: "2026" }));
    expect(error.message).toContain("got 2026, which may be a year: write 2026-01-01 or +2026");
  });
});
