/** Marks are found where they are complete, however the text is cut. */
import { expect, it } from "vitest";
import { createWatch } from "../../../src/core/text/watch.ts";

it("finds a mark in each way of cutting a text, and where it ends in its piece", () => {
  const text = "ab</think>cd";
  for (let size = 1; size <= text.length; size += 1) {
    const watch = createWatch(["</think>", "never"]);
    let passed = 0;
    let end: number | undefined;
    for (; end === undefined && passed < text.length; passed += size) {
      const found = watch(text.slice(passed, passed + size));
      if (found !== undefined) end = passed + found.end;
    }
    expect(end).toBe(10);
  }
});

it("finds the first of several, one of a single letter too, and nothing where there are no marks", () => {
  expect(createWatch(["d", "bc"])("abcd")).toEqual({ mark: "bc", end: 3 });
  expect(createWatch(["."])("no. yes.")).toEqual({ mark: ".", end: 3 });
  expect(createWatch([])("a")).toBeUndefined();
});
