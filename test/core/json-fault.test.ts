import fc from "fast-check";
import { expect, it } from "vitest";
import { jsonFault } from "../../src/core/json-fault.ts";

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

it.each([
  ["{bad", 1],
  ['{"a": 1', 7],
  ["[1, 2 3]", 6],
  ["[1,]", 3],
  ["{,}", 1],
  ['{"a"}', 4],
  ["[}", 1],
  ["01", 1],
  ['"a\nb"', 0],
  ['"a', 0],
  ["", 0],
  ["1 2", 2],
])("finds where %j stops to be JSON", (text, at) => expect(jsonFault(text)).toBe(at));

it("finds a fault where JSON.parse does, and nowhere else", () => {
  const pieces = fc.array(fc.constantFrom(...'{}[],:"\\ \n-01.eEu/abtruefalsn'.split(""), "true", '"a"', "null"), { maxLength: 12 });
  fc.assert(
    fc.property(
      fc.oneof(
        pieces.map((each) => each.join("")),
        fc.json(),
      ),
      (text) => {
        expect(jsonFault(text) === undefined).toBe(isJson(text));
      },
    ),
    { numRuns: 2000 },
  );
});
