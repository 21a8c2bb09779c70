import { describe, expect, it } from "vitest";
import { constraintOf } from "../../../src/core/grammar/constraint.ts";
import { limits } from "../../../src/core/limits.ts";
import { failure } from "../../support/failure.ts";

const groups = (count: number): string => `root ::= ${"(".repeat(count)}"a"${")".repeat(count)}`;

describe("a caller's own grammar", () => {
  it.each([
    ["marks in literals, classes and comments", 'root ::= "a"+ b? (c*)+\nb ::= [+*?{}]+ # ** ++ ((\nc ::= "(((**" "\\"++"{2,3}'],
    ["tokens and any letter", 'root ::= [^\\]+*]* <think> .{1,2}\n\n  | "x"'],
    ["groups as deep as can be", groups(limits.gbnfDepth)],
    ["many groups beside each other", `root ::= ${Array.from({ length: 1000 }, () => '("a")').join(" ")}`],
  ])("is handed on as it is: %s", (_, grammar) => {
    expect(constraintOf({ grammar })).toEqual({ kind: "grammar", gbnf: grammar });
  });

  it.each([
    ["a group too deep", groups(limits.gbnfDepth + 1), "expected at most 100 groups within groups, got more"],
    ["20,000 groups", groups(20_000), "expected at most 100 groups within groups, got more"],
    ["two signs", 'root ::= "a"++', "expected one repetition behind an item; a group may have another, got ++"],
    ["a sign and a count", 'root ::= "a" + # doubled\n  {2}', "got + {"],
    ["two counts", 'root ::= "a"{9}{9}', "got }{"],
  ])("is refused where llama.cpp would read it without end: %s", async (_, grammar, message) => {
    expect(await failure((async () => constraintOf({ grammar }))())).toMatchObject({
      code: "run-option",
      where: "grammar",
      message: expect.stringContaining(message) as string,
    });
  });
});
