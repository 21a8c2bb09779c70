import { describe, expect, it } from "vitest";
import type { SpellError } from "../../../src/core/errors.ts";
import {
  any,
  argumentError,
  callback,
  either,
  flag,
  instance,
  integer,
  list,
  number,
  oneOf,
  optional,
  options,
  type Parameter,
  readArguments,
  signature,
  table,
  text,
} from "../../../src/core/scripts/arguments.ts";

class Agent {
  readonly secret = "sk-secret";
}

const generate = [
  text("spec"),
  either("prompt", text("prompt"), list("prompt", options("message", [oneOf("role", ["system", "user"]), text("content")]))),
  optional(
    options("options", [
      optional(integer("max_tokens", 1)),
      optional(number("top_p", 0, 1)),
      optional(flag("raw")),
      optional(callback("on_token")),
    ]),
  ),
] as const satisfies readonly Parameter[];

function fault(parameters: readonly Parameter[], ...given: unknown[]): SpellError {
  try {
    readArguments("LocalLLM.generate", parameters, given);
  } catch (error) {
    return error as SpellError;
  }
  throw new Error("it was taken");
}

describe("arguments of a function", () => {
  it("are taken as they are declared", () => {
    const each = async () => 1;
    const given = ["tiny", [{ role: "user", content: "hi" }], { max_tokens: 3, top_p: 0.5, raw: false, on_token: each }, "more"];
    expect(readArguments("f", generate, given)).toEqual(given.slice(0, 3));
    expect(readArguments("f", generate, ["tiny", "hi", null])).toEqual(["tiny", "hi", undefined]);
    expect(readArguments("f", generate, ["tiny", "hi", { raw: null }])).toEqual(["tiny", "hi", {}]);
  });

  it("that are wrong or missing say where, what was expected and what was got, and how to call", () => {
    expect(fault(generate, 3)).toMatchObject({
      code: "script-argument",
      message: "LocalLLM.generate: spec: expected text, got 3",
      hint: "Call it as LocalLLM.generate(spec, prompt, [options])",
      exitCode: 1,
      details: { function: "LocalLLM.generate", argument: "spec", expected: "text", got: "3" },
    });
    expect(fault(generate).message).toBe("LocalLLM.generate: spec: expected text, got nothing");
    expect(fault(generate, "tiny", "hi", { max_tokens: 0 }).message).toBe(
      "LocalLLM.generate: options.max_tokens: expected a whole number from 1 on, got 0",
    );
    expect(fault(generate, "tiny", "hi", { top_p: 2 }).message).toContain("expected a number from 0 to 1, got 2");
    expect(fault(generate, "tiny", "hi", [1]).message).toContain("options: expected a table, got [1]");
  });

  it("name an unknown option with the nearest name", () => {
    expect(fault(generate, "tiny", "hi", { maxToken: 3 })).toMatchObject({
      message: "LocalLLM.generate: options has no maxToken; did you mean max_tokens?",
      hint: "Names: max_tokens, top_p, raw, on_token.",
      where: "options.maxToken",
    });
    expect(fault(generate, "tiny", "hi", JSON.parse('{"__proto__":1}')).message).toBe("LocalLLM.generate: options has no __proto__");
  });

  it("take names of options in both spellings, one at a time", () => {
    const [, , options] = readArguments("LocalLLM.generate", generate, ["tiny", "hi", { maxTokens: 3, topP: 0.5 }]);
    expect(options).toEqual({ max_tokens: 3, top_p: 0.5 });
    expect(fault(generate, "tiny", "hi", { maxTokens: 0 }).message).toContain("options.max_tokens: expected a whole number");
    expect(fault(generate, "tiny", "hi", { maxTokens: 3, max_tokens: 3 }).message).toContain("options.max_tokens: expected one value");
  });

  it("of several forms name the fault inside the form that was meant, else both forms", () => {
    expect(fault(generate, "tiny", [{ role: "user", content: "a" }, { role: "user" }]).message).toBe(
      "LocalLLM.generate: prompt[1].content: expected text, got nothing",
    );
    expect(fault(generate, "tiny", true).message).toContain("prompt: expected text or a list of a table, got true");
  });

  it("take an empty table of Lua for an empty list", () => {
    expect(readArguments("f", [list("items")], [{}])).toEqual([[]]);
    expect(fault([list("items")], { a: 1 }).message).toContain("items: expected a list");
  });

  it("tell absent data from null", () => {
    expect(readArguments("f", [any("value")], [null])).toEqual([null]);
    expect(fault([any("value")]).message).toContain("expected any data, got nothing");
  });

  it("do not open objects of the host, and take those of the right class only", () => {
    const agent = new Agent();
    expect(readArguments("Agent:execute", [instance("agent", Agent, "Agent"), table("input")], [agent, { a: 1 }])).toEqual([
      agent,
      { a: 1 },
    ]);
    const all = fault([text("spec")], agent);
    expect(JSON.stringify(all)).not.toContain("sk-secret");
    expect(all.message).toContain("got an object of the host");
    expect(fault([instance("agent", Agent, "Agent")], {}).message).toContain("agent: expected an object of Agent, got {}");
    expect(fault([table("input")], agent).message).toContain("expected a table, got an object of the host");
  });

  it("can be refused by the function itself in the same words", () => {
    expect(argumentError("Utils.sleep", "secs", "at most 3600", 1e9)).toMatchObject({
      code: "script-argument",
      message: "Utils.sleep: secs: expected at most 3600, got 1000000000",
    });
  });
});

it("a signature names the parameters of a method without the object", () => {
  expect(signature("Agent:stream", [instance("agent", Agent, "Agent"), any("input"), optional(callback("on_chunk"))])).toBe(
    "Agent:stream(input, [on_chunk])",
  );
});
