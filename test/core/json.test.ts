import fc from "fast-check";
import { expect, it } from "vitest";
import { parseWholeJson } from "../../src/core/json.ts";

it("reads JSON as JSON.parse does, where a double holds every number", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      expect(parseWholeJson(text)).toEqual(JSON.parse(text));
    }),
  );
});

it.each([
  ["9007199254740993", "9007199254740993"],
  ["-9007199254740993", "-9007199254740993"],
  ["9007199254740992", 9007199254740992],
  ["12345678901234567000", 12345678901234567000],
  ["100000000000000000000000", "100000000000000000000000"],
  ["1000000000000000000000", 1e21],
  ["1e400", "1e400"],
  ["1.5e3", 1500],
  ['{"1e400": "9007199254740993 \\" 1e400"}', { "1e400": '9007199254740993 " 1e400' }],
])("keeps numbers that a double cannot hold as text: %s", (text, value) => expect(parseWholeJson(text)).toEqual(value));

it.each(["01", "--1", "1.2.3", "1e", "[1", "1 2", '"a'])("refuses %s as JSON.parse does", (text) => {
  expect(() => parseWholeJson(text)).toThrow(SyntaxError);
});
