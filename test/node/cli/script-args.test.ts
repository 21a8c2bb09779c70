import { describe, expect, it } from "vitest";
import { scriptArguments } from "../../../src/core/scripts/script-args.ts";
import { parseArguments } from "../../../src/node/cli/args.ts";
import { failure } from "../../support/failure.ts";

const argsOf = (line: string) => {
  const request = parseArguments(line.split(" "));
  if (request.kind !== "command") throw new Error(`${line}: expected a command`);
  const [script = "", ...operands] = request.operands;
  return { flags: [...request.flags.keys()], ...scriptArguments(script, operands, request.rest) };
};

describe("arguments of a script", () => {
  it.each([
    ["run s.lua", [], {}, []],
    ["run s.lua a b", ["a", "b"], {}, []],
    ["run s.lua -p candle a", ["a"], {}, ["profile"]],
    ["run s.lua a -- b -5 --n 3 --m=4 -x", ["a", "b", "-5", "-x"], { n: "3", m: "4" }, []],
    ["run s.lua -- --deep --loud", [], { deep: "true", loud: "true" }, []],
    ["run s.lua -- --n -5", [], { n: "-5" }, []],
    ["run s.lua -- --n 1 --n 2 --n=3", [], { n: "3" }, []],
    ["run s.lua -- --a b -- --c d", ["--c", "d"], { a: "b" }, []],
    ["run s.lua -- -p candle", ["-p", "candle"], {}, []],
    ["run s.lua -- --m=", [], { m: "" }, []],
    ["exec code -- --__proto__ x", [], JSON.parse('{"__proto__":"x"}'), []],
  ])("%s", (line, positional, named, flags) => {
    const { script, ...rest } = argsOf(line);
    expect(script).toBe(line.split(" ")[1]);
    expect(rest).toEqual({ positional, named, flags });
  });

  it.each(["run s.lua -x", "run s.lua --unknown"])("%s: an unknown flag before -- is an error that says where it goes", async (line) => {
    expect(await failure(Promise.resolve(line).then(argsOf))).toMatchObject({
      code: "usage-unknown",
      hint: expect.stringContaining("after --"),
    });
  });

  it("exec takes one text", async () => {
    expect(await failure(Promise.resolve("exec a b").then(argsOf))).toMatchObject({ code: "usage-value" });
    expect(await failure(Promise.resolve("run").then(argsOf))).toMatchObject({ code: "usage-value" });
  });
});
