/** The built bin runs scripts: files, code, standard input, the shell. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { personAt } from "../person.ts";
import { cli } from "../support.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-scripts-"));
const file = (name: string, source: string): string => {
  writeFileSync(join(folder, name), source);
  return join(folder, name);
};
const args = `local list = {} for i = 1, #ARGS do list[i] = ARGS[i] end return {list = JSON.array(list), name = ARGS.name, script = ARGS[0]}`;

describe("run and exec", () => {
  it("print at once, and give the returned value in the document", async () => {
    const path = file("value.lua", `print("one", 2)\n${args}`);
    const { stdout, status } = await cli(["run", path, "a", "--output", "json", "--", "-5", "--name", "x"]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      status: "ok",
      engine: "lua",
      script: path,
      args_count: 3,
      output: "one\t2\n",
      result: { list: ["a", "-5"], name: "x", script: path },
      devices: [],
    });
    expect(await cli(["exec", "print('hi')"])).toMatchObject({ stdout: "hi\n", stderr: "", status: 0 });
  });

  it("run JavaScript by ending, by flag and from standard input", async () => {
    const path = file("value.mjs", "console.log(ARGS.length); export default [1, ARGS[1]];");
    expect(JSON.parse((await cli(["run", path, "b", "--output", "json"])).stdout)).toMatchObject({
      engine: "javascript",
      output: "1\n",
      result: [1, "b"],
    });
    expect((await cli(["exec", "--engine", "js", "print(await 3)"])).stdout).toBe("3\n");
    expect((await cli(["run", "-", "--engine", "lua"], { input: "print(ARGS[0])" })).stdout).toBe("-\n");
  });

  it("give scripts the lines of standard input", async () => {
    const read =
      "local all = {} while true do local line = io.read() if not line then break end all[#all + 1] = line end print(table.concat(all, '|'))";
    expect((await cli(["exec", read], { input: "a\nb\n" })).stdout).toBe("a|b\n");
  });

  it("end with the status a script chose, or that of its error, with place and line", async () => {
    expect((await cli(["exec", "os.exit(7)"])).status).toBe(7);
    const failed = await cli(["run", file("bad.lua", 'local x = 1\nerror("planted " .. x)\n')]);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(/planted 1\n {2}at bad\.lua:2\n.*error\("planted "/s);
    const broken = await cli(["run", file("bad.js", "let = ;"), "--output", "json"]);
    expect(JSON.parse(broken.stdout)).toMatchObject({ error: { code: "script-syntax", where: expect.stringContaining("bad.js:1") } });
  });

  it("end an endless script by --timeout, and by the limit of printed text in documents", async () => {
    const timed = await cli([
      "exec",
      "--engine",
      "js",
      "await new Promise(() => setTimeout(() => {}, 60000))",
      "--timeout",
      "1",
      "--output",
      "json",
    ]);
    expect(JSON.parse(timed.stdout)).toMatchObject({ error: { code: "script-time" } });
    const loud = await cli(["exec", "while true do print(string.rep('x', 10000)) end", "--output", "json"]);
    expect(JSON.parse(loud.stdout)).toMatchObject({ error: { code: "script-output" } });
  });

  it.each([
    [["run", "nowhere.lua"], "usage-script-not-found", []],
    [["run", "tiny-stories"], "usage-script-not-found", ["llmspell chat -m tiny-stories"]],
    [["run", "tiny-stories", "Once", "upon"], "usage-script-not-found", ['llmspell generate -m tiny-stories "Once upon"']],
    [["run", "smollm2:135m", "why", "not?"], "usage-script-not-found", ['llmspell generate -m smollm2:135m "why not?"']],
    [["run", "two words"], "usage-script-not-found", []],
    [["run", "x.py"], "usage-value", []],
    [["exec", "--engine", "python", "x"], "usage-value", []],
    [["run", folder], "usage-script-not-found", []],
    [["exec", "examples/scripts/getting-started/01-hello.lua"], "usage-value", []],
  ])("%j is %s", async (line, code, commands) => {
    const { stdout, status } = await cli([...line, "--output", "json"]);
    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code, commands: expect.arrayContaining(commands) } });
  });
});

describe("repl", () => {
  it.each([
    ["lua", "x = 5\nx + 1\nfunction f()\nreturn x\nend\nf()\n", "6\n5\n"],
    ["js", "let x = 5\nx + 1\nfunction f() {\nreturn x }\nf()\nawait 4\n", "6\n5\n4\n"],
  ])("of %s shows values, goes on with unfinished inputs and keeps variables", async (engine, input, output) => {
    expect(await cli(["repl", "--engine", engine, "--no-history"], { input })).toMatchObject({ stdout: output, status: 0 });
  });

  it.each(["lua", "js"])("of %s has commands for variables, files and state", async (engine) => {
    const saved = join(folder, `${engine}.saved`);
    const set = engine === "lua" ? "y = 2" : "let y = 2";
    const lines = [set, '.set z {"a":[1]}', ".vars", `.save ${saved}`, ".unset z", ".reset", `.load ${saved}`, ".vars"];
    const { stderr, status } = await cli(["repl", "--engine", engine, "--no-history"], { input: `${lines.join("\n")}\n` });
    expect(status).toBe(0);
    expect(stderr.match(/^[yz] +(number|table|object)$/gm)).toEqual([
      expect.stringMatching(/^y +number/),
      expect.stringMatching(/^z +(table|object)/),
      expect.stringMatching(/^y +number/),
    ]);
  });

  it("ends with the first failure of a pipe", async () => {
    expect(await cli(["repl", "--no-history"], { input: "error('planted')\nprint(1)\n" })).toMatchObject({ stdout: "", status: 1 });
    expect(await cli(["repl", "--no-history"], { input: "x = {\n" })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("unfinished"),
    });
  });

  it.each([
    ["lua", "x = 41", "while true do end", "Utils.sleep(100)"],
    ["js", "let x = 41", "for (;;);", "await Utils.sleep(100)"],
  ])("of %s on a terminal keeps variables over Ctrl-C in an endless input", async (engine, set, ...endless) => {
    const person = personAt(`repl --no-history --engine ${engine}`);
    await person.sees(/> $|>$/);
    person.type(`${set}\r`);
    for (const source of endless) {
      person.type(`${source}\r`);
      await new Promise((resolve) => setTimeout(resolve, 500));
      person.type("\u0003");
      await person.sees(/stopped[\s\S]*>$/);
    }
    person.type("x + 1\r");
    await person.sees(/^42$/m);
    expect(person.screen()).not.toContain("variables are gone");
    person.type("\u0004");
    expect(await person.ended).toBe(0);
  });

  it.each([
    ["lua", "mine = setmetatable({first_field = 1, first_other = 2}, {__pairs = error, __index = error})"],
    ["js", "const mine = { get first_field() { throw 1 }, first_other: 2 }"],
  ])("of %s on a terminal completes commands, globals, their functions, variables and their fields", async (engine, set) => {
    const person = personAt(`repl --no-history --engine ${engine}`);
    await person.sees(/>$/);
    person.type(`${set}\r`);
    await person.sees(/mine[\s\S]*>$/);
    person.type("LocalLLM.sta\t");
    await person.sees(/> LocalLLM\.status$/);
    for (const [typed, seen] of [
      ["\u0015mi\t", /> mine$/],
      [".fir\t", /> mine\.first_$/],
      ["\t", /^first_field +first_other\n.*> mine\.first_$/m],
      ["\u0015.hi\t", /> \.history$/],
      ["\u0015print(Stat\t", /> print\(State$/],
      [".load\t", /> print\(State\.load$/],
    ] as const) {
      person.type(typed);
      await person.sees(seen);
    }
    person.type("\u0015\u0004");
    expect(await person.ended).toBe(0);
  });

  it("on a terminal goes on after an error, and keeps variables over Ctrl-C at the prompt", async () => {
    const person = personAt("repl --no-history");
    await person.sees(/lua>$/);
    person.type("x = 41\r");
    person.type("error('planted')\r");
    await person.sees(/planted[\s\S]*lua>$/);
    person.type("half\u0003");
    person.type("x + 1\r");
    await person.sees(/^42$/m);
    person.type("\u0004");
    expect(await person.ended).toBe(0);
  });
});
