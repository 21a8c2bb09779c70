/** Cuts by meaning: where the subject changes, within the size, without a loss. */
import { describe, expect, it } from "vitest";
import { splitByMeaning } from "../../../src/core/rag/semantic.ts";
import { lexicalVector } from "../../../src/core/search/lexical.ts";
import { words } from "../../../src/core/search/terms.ts";

const bread = Array.from({ length: 8 }, (_, i) => `The dough of bread number ${i} wants flour and yeast and an oven. `).join("");
const boats = Array.from({ length: 8 }, (_, i) => `A boat with sail number ${i} crosses the windy lake to its harbour. `).join("");
const text = bread + boats;
const chunk = { text, headings: ["Notes"], start: 100, end: 100 + text.length };
const settings = {
  size: 1000,
  min: 10,
  guess: (part: string) => words(part).length,
  tokens: async () => undefined,
  embed: async (texts: readonly string[]) => texts.map((each) => lexicalVector(each, 384)),
};

describe("splitByMeaning", () => {
  it("cuts where the subject changes, and keeps places and headings", async () => {
    const parts = await splitByMeaning([chunk], settings);
    expect(parts.length).toBe(2);
    expect(parts.map(({ start }) => start)).toEqual([100, 100 + bread.length]);
    for (const part of parts) {
      expect(part.text).toBe(text.slice(part.start - 100, part.end - 100));
      expect(part.headings).toEqual(["Notes"]);
    }
  });

  it("keeps to the size, and covers the text", async () => {
    const parts = await splitByMeaning([chunk], { ...settings, size: 40 });
    expect(parts.every((part) => settings.guess(part.text) <= 40)).toBe(true);
    expect(
      parts
        .map((part) => part.text)
        .join(" ")
        .replace(/\s+/g, " "),
    ).toBe(text.trim().replace(/\s+/g, " "));
  });

  it("leaves short texts and code alone", async () => {
    const short = { ...chunk, text: "One sentence that is short. And another one of them." };
    const code = { ...chunk, text: `\`\`\`\n${text}\n\`\`\`` };
    expect(await splitByMeaning([short, code], settings)).toEqual([short, code]);
  });
});
