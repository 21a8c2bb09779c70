import { describe, expect, it } from "vitest";
import { constraintOf } from "../../../src/core/grammar/constraint.ts";
import { gbnfOf } from "../../../src/core/grammar/gbnf.ts";
import { limits } from "../../../src/core/limits.ts";
import { failure } from "../../support/failure.ts";

const lines = (...all: readonly string[]): string => all.join("\n");
const doubled = (last: string): string =>
  lines("root ::= r0", ...Array.from({ length: 40 }, (_, i) => `r${i} ::= r${i + 1} r${i + 1}`), last);
const groups = (count: number): string => `root ::= ${"(".repeat(count)}"a"${")".repeat(count)}`;

describe("a caller's own grammar", () => {
  it.each([
    ["marks in literals, classes and comments", 'root ::= "a"+ b? (c*)+\nb ::= [+*?{}]+ # ** ++ ((\nc ::= "(((**" "\\"++"{2,3}'],
    ["tokens and any letter", 'root ::= [^\\]+*]* <think> .{1,2}\n\n  | "x"'],
    ["groups as deep as can be", groups(limits.gbnfDepth)],
    ["many groups beside each other", `root ::= ${Array.from({ length: 1000 }, () => '("a")').join(" ")}`],
    ["5,000 words to choose from", `root ::= ${Array.from({ length: 5000 }, (_, i) => `"word ${i}"`).join(" | ")}`],
    ["100 items that may be missing", `root ::= ${Array.from({ length: 100 }, () => '"a"?').join(" ")}`],
    ["rules that double what has letters", doubled('r40 ::= "a"')],
    ["a rule that holds itself", 'root ::= value\nvalue ::= "[" ws (value ("," ws value)*)? "]" ws | [0-9]+ ws\nws ::= [ \\t\\n]*'],
    ["ranges that run forwards", 'root ::= [a-a] [^\\x00-\\x1f] [+-] [-a] [\\x00a] "\\\\x00" [\\U0001F600-\\U0001F64F] [é-ü]'],
  ])("is handed on as it is: %s", (_, grammar) => {
    expect(constraintOf({ grammar })).toEqual({ kind: "grammar", gbnf: grammar });
  });

  it("is read in one go, also where it is none", () => {
    const gap = " ".repeat(100_000);
    for (const grammar of [`root ::= "a"{${gap}x`, `root${gap}x`, `root ::= "${"\\\\".repeat(50_000)}`, `root ::= [${gap}`])
      expect(constraintOf({ grammar })).toEqual({ kind: "grammar", gbnf: grammar });
  });

  it.each([
    ["a group too deep", groups(limits.gbnfDepth + 1), "expected at most 100 groups within groups, got more"],
    ["20,000 groups", groups(20_000), "expected at most 100 groups within groups, got more"],
    ["two signs", 'root ::= "a"++', "expected one repetition behind an item; a group may have another, got ++"],
    ["a sign and a count", 'root ::= "a" + # doubled\n  {2}', "got + {"],
    ["2^40 ways to nothing", doubled('r40 ::= "a"?'), "expected at most 20,000 ways to a next letter, got more"],
    [
      "2^40 ways to a letter",
      lines("root ::= r0", ...Array.from({ length: 40 }, (_, i) => `r${i} ::= r${i + 1} "a" | r${i + 1} "b"`), 'r40 ::= "a"'),
      "expected at most 20,000 ways",
    ],
    ["1,000 items that may be missing", `root ::= "x" ( ${Array.from({ length: 1000 }, () => '"a"?').join(" ")} )`, "at most 20,000 ways"],
    ["an item that may be missing, 1,000 times", 'root ::= ("a"?){1000}', "at most 20,000 ways"],
    [
      "a chain of rules",
      lines('r0 ::= "a"', ...Array.from({ length: 5000 }, (_, i) => `r${i + 1} ::= r${i}`)),
      "at most 200 rules within rules",
    ],
    ["a range that runs backwards", "root ::= [a-cz-a]", "expected ranges that run forwards, as in [a-z], got [z-a]"],
    ["one of escapes", "root ::= [^\\x7a-\\x61]", "got [\\x7a-\\x61]"],
    ["what follows a mistake", `root ::= ${"(".repeat(90)} ; ${"(".repeat(90)}`, "at most 100 groups within groups"],
    ["NUL, which no token writes", 'root ::= "a" "\\x00"', "expected letters that a model can write, got NUL alone"],
    ["a class of NUL", "root ::= [\\u0000]", "got NUL alone"],
    ["two counts", 'root ::= "a"{9}{9}', "got }{"],
  ])("is refused where llama.cpp would read it without end: %s", async (_, grammar, message) => {
    expect(await failure((async () => constraintOf({ grammar }))())).toMatchObject({
      code: "run-option",
      where: "grammar",
      message: expect.stringContaining(message) as string,
    });
  });
});

describe("a form made of a schema or a pattern", () => {
  const row = (count: number) => constraintOf({ regex: `${"a?".repeat(count)}b` });

  it("is handed to llama.cpp where it follows few ways", () => {
    for (const held of [row(60), constraintOf({ jsonSchema: { enum: Array.from({ length: 1000 }, (_, i) => i) } })])
      expect(gbnfOf(held)).toContain("root ::= ");
    const properties = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`member ${i}`, { type: "boolean" }]));
    expect(gbnfOf(constraintOf({ jsonSchema: { type: "object", properties } }))).toContain("root ::= ");
  });

  it("is refused where it follows more, and says what would be less", () => {
    for (const count of [75, 900])
      expect(() => gbnfOf(row(count))).toThrow(
        expect.objectContaining({
          code: "run-option",
          where: "regex",
          message: "regex: expected a form with at most 5,000 ways to a next letter, got more, which llama.cpp would all follow",
        }),
      );
  });
});
