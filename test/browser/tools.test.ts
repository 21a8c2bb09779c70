/** Built-in tools that run in workers of a page. */
import { afterAll, expect, it } from "vitest";
import { createSpell } from "../../src/browser/main.ts";
import { failure } from "../support/failure.ts";

const spell = createSpell();
afterAll(() => spell.dispose());

it("regex and template answer", async () => {
  const { tools } = spell;
  expect(await tools.execute("regex", { pattern: "b+", text: "abbc", operation: "test" })).toEqual({ result: true });
  expect(await tools.execute("template", { template: "Hi {{name}}", values: { name: "Tim" } })).toEqual({ result: "Hi Tim" });
});

it("json-processor and file-operations say that a page has no jq and no files", async () => {
  expect((await failure(spell.tools.execute("json-processor", { input: 1 }))).code).toBe("tool-denied");
  expect((await failure(spell.tools.execute("file-operations", { operation: "read", path: "a" }))).code).toBe("script-denied");
});
