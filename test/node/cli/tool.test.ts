/** `tool list`, `info` and `invoke`, as people run them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cli, home } from "./support.ts";

/** A server of one tool, whose member has the name of a flag of ours. */
const program = join(home, "echo.mjs");
writeFileSync(
  program,
  `let rest = "";
process.stdin.on("data", (piece) => {
  const lines = (rest + piece).split("\\n");
  rest = lines.pop();
  for (const line of lines) {
    const { id, method, params } = JSON.parse(line);
    const inputSchema = { type: "object", properties: { output: { type: "string" }, no_color: { type: "string" } } };
    const result = {
      initialize: () => ({ protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } }),
      "tools/list": () => ({ tools: [{ name: "echo", inputSchema }] }),
      "tools/call": () => ({ content: [{ type: "text", text: JSON.stringify(params.arguments) }] }),
    }[method]?.();
    if (result !== undefined) process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, result }) + "\\n");
  }
});`,
);
const config = join(home, "mcp.toml");
writeFileSync(config, `[tools.mcp]\nservers = [${JSON.stringify(`s = ${process.execPath} ${program}`)}]\n`);

describe("tool", () => {
  it("runs a tool by flags and by JSON, from the line and from standard input", async () => {
    expect(await cli(["tool", "invoke", "calculator", "--expression", "2*(3+4)"])).toMatchObject({ stdout: "14\n", status: 0 });
    const input = JSON.stringify({ operation: "split", text: "a,b", separator: "," });
    const { stdout } = await cli(["tool", "invoke", "text-manipulator", "-", "--output", "json"], { input });
    const duration_ms = expect.any(Number) as number;
    expect(JSON.parse(stdout)).toEqual({ status: "ok", tool: "text-manipulator", duration_ms, output: { result: ["a", "b"] } });
  });

  it("says beside a result what changes its meaning", async () => {
    const hash = await cli(["tool", "invoke", "hash-calculator", "--input", "a", "--expected", "00"]);
    expect(hash.stderr).toContain("does not match the expected one");
    const csv = await cli(["tool", "invoke", "csv-analyzer", "-"], { input: JSON.stringify({ csv: "a,b\n1,2\n3\n" }) });
    expect(csv.stderr).toMatch(/note: .*2/);
  });

  it("says what it takes, and what is wrong, as an error of its area", async () => {
    const info = await cli(["tool", "info", "uuid-generator"]);
    expect(info.stdout).toMatch(/\[count\] +integer +how many, of v4 and v7 \[1\]/);
    const wrong = await cli(["tool", "invoke", "uuid-generator", "--count", "many"]);
    expect([wrong.status, wrong.stdout]).toEqual([1, ""]);
    expect(wrong.stderr).toMatch(/input\.count: expected integer, got "many"[\s\S]*\[tool-input\]/);
    const both = await cli(["tool", "invoke", "calculator", "{}", "--expression", "1"]);
    expect([both.status, both.stderr]).toEqual([2, expect.stringContaining("expected JSON or flags, got both")]);
    const list = await cli(["tool", "invoke", "calculator", "[]"]);
    expect([list.status, list.stderr]).toEqual([
      2,
      expect.stringContaining('expected a JSON object, such as \'{"name": "value"}\', got "[]"'),
    ]);
  });

  it("lists them", async () => {
    const { stdout } = await cli(["tool", "list", "--category", "data", "--output", "json"]);
    expect((JSON.parse(stdout) as { tools: { name: string }[] }).tools.map(({ name }) => name)).toEqual(["csv-analyzer", "json-processor"]);
  });

  it("hands on what is named as a flag of llmspell, or refuses it with the way to say it", async () => {
    const versions = await cli(["tool", "invoke", "uuid-generator", "--version", "v5", "--namespace", "dns", "--name", "x"]);
    expect(versions.stdout).toBe("05b16a01-46c6-56dd-bd6e-c6dfb4a1427a\n");
    const invoke = (...words: string[]) => cli(["-c", config, "tool", "invoke", ...words]);
    const text = '{"output":"text"}\n';
    expect((await invoke("s_echo", "--", "--output", "text")).stdout).toBe(text);
    expect((await invoke("s_echo", '{"output": "text"}', "--output", "text")).status).toBe(2);
    const json = JSON.parse((await invoke("--output", "json", "s_echo", "--", "--output", "text")).stdout) as { output: object };
    expect(json.output).toEqual({ result: '{"output":"text"}' });
    for (const words of [["--output", "text"], ["--no-color"], ["--output=text"]]) {
      const { status, stderr } = await invoke("s_echo", ...words);
      expect([status, stderr]).toEqual([2, expect.stringContaining(`llmspell tool invoke s_echo -- ${words[0]?.split("=", 1)[0]} …`)]);
    }
    const other = await invoke("s_echo", "--output", "file.txt");
    expect([other.status, other.stderr]).toEqual([2, expect.stringContaining("stands after --, or in JSON")]);
  });

  it("refuses a configuration whose servers are no lines of servers, whatever is asked", async () => {
    const wrong = join(home, "wrong.toml");
    writeFileSync(wrong, '[tools.mcp]\nservers = ["echo server"]\n');
    for (const words of [
      ["-c", wrong, "tool", "invoke", "calculator", "--expression", "1"],
      ["config", "validate", "--file", wrong],
    ]) {
      const { status, stdout, stderr } = await cli(words);
      expect([status, stdout + stderr]).toEqual([2, expect.stringContaining("tools.mcp.servers: expected NAME = command or address")]);
    }
  });

  it("names the categories and tags that there are", async () => {
    const category = await cli(["tool", "list", "--category", "maths"]);
    expect(category.status).toBe(2);
    expect(category.stderr).toMatch(/--category: expected one of data, files, math,.*; got "maths"; did you mean math\?/);
    expect(await cli(["tool", "list", "--tag", "jp"])).toMatchObject({ status: 2, stderr: expect.stringContaining("did you mean jq?") });
    expect(await cli(["tool", "list", "--category", "math", "--tag", "jq", "--output", "json"])).toMatchObject({
      status: 0,
      stdout: '{"status":"ok","tools":[]}\n',
    });
  });
});
