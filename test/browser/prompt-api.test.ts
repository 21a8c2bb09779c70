/** The browser's LanguageModel by its shape, in a page: over the bundled model, and beside whatever the page has of its own. */
import { expect, it } from "vitest";
import { createPromptApi, createSpell } from "../../src/browser/main.ts";

it("asks the bundled model as a page asks the browser's own, and leaves that alone", async () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "LanguageModel");
  const spell = createSpell({ config: {} });
  const own = createPromptApi(spell, { model: "tiny-stories" });
  expect(await own.availability()).toBe("available");
  const session = await own.create({ temperature: 0.1, topK: 1 });
  const reader = session.promptStreaming("Once upon a time", { responseConstraint: /[a-z ,.]{20,60}/ }).getReader();
  let text = "";
  for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
  expect(text).toMatch(/^[a-z ,.]{20,60}$/);
  expect(session.contextUsage).toBeGreaterThan(0);
  session.destroy();
  await expect(session.prompt("x")).rejects.toMatchObject({ name: "InvalidStateError" });
  expect(Object.getOwnPropertyDescriptor(globalThis, "LanguageModel")).toEqual(before);
  await spell.dispose();
});
