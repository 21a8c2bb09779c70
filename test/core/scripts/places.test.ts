import { expect, it } from "vitest";
import { type ErrorCode, SpellError } from "../../../src/core/errors.ts";
import { countedFromOne } from "../../../src/core/scripts/places.ts";

it.each<[ErrorCode, string, string]>([
  ["script-argument", "f: prompt[1].content[0]: expected text, got [0]", "f: prompt[2].content[1]: expected text, got [0]"],
  ["tool-input", 'sum: input.values[2]: expected number, got "a[0]"', 'sum: input.values[3]: expected number, got "a[0]"'],
  ["script-error", "list[0]: expected text, got 1", "list[0]: expected text, got 1"],
])("%s: Lua counts places from one", (code, message, told) => {
  expect(countedFromOne(new SpellError(code, message)).message).toBe(told);
});

it("also where they are data", () => {
  const error = new SpellError("script-argument", "f: a[0]: expected text", { details: { argument: "a[0]", got: "[0]" } });
  expect(countedFromOne(error).details).toEqual({ argument: "a[1]", got: "[0]" });
});
