/** `tool list`, `info` and `invoke`, as people run them. */
import { describe, expect, it } from "vitest";
import { cli } from "./support.ts";

describe("tool", () => {
  it("runs a tool by flags and by JSON, from the line and from standard input", async () => {
    expect(await cli(["tool", "invoke", "calculator", "--expression", "2*(3+4)"])).toMatchObject({ stdout: "14\n", status: 0 });
    const input = JSON.stringify({ operation: "split", text: "a,b", separator: "," });
    const { stdout } = await cli(["tool", "invoke", "text-manipulator", "-", "--output", "json"], { input });
    const duration_ms = expect.any(Number) as number;
    expect(JSON.parse(stdout)).toEqual({ status: "ok", tool: "text-manipulator", duration_ms, output: { result: ["a", "b"] } });
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
});
