import { describe, expect, it } from "vitest";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import { readGgufHeader } from "../../../src/core/gguf/header.ts";
import { emptyHash, type GgufStringArray, hashText } from "../../../src/core/gguf/string-array.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";

/** Strings of 4 KiB and more, so that the array spans several reads of the file. */
const texts = ["", "a", "é😀", ...Array.from({ length: 600 }, (_, i) => `${i} ${"漢".repeat(1500)}`), "", "last"];

async function readTexts(): Promise<GgufStringArray> {
  const bytes = writeGguf({ entries: [["texts", "[string]", texts]], tensors: [] });
  expect(bytes.length).toBeGreaterThan(2_000_000);
  return (await readGgufHeader(bytesSource("m.gguf", bytes))).metadata.get("texts") as GgufStringArray;
}

describe("an array of strings", () => {
  it("gives one string without the others, wherever the reads ended", async () => {
    const array = await readTexts();
    expect(texts.map((_, i) => array.at(i))).toEqual(texts);
    expect([array.at(-1), array.at(texts.length), array.at(0.5)]).toEqual([undefined, undefined, undefined]);
  });

  it("gives all strings, the same array each time", async () => {
    const array = await readTexts();
    expect(array.values).toEqual(texts);
    expect(array.values).toBe(array.values);
  });

  it("hashes each string as hashText does, differently for different ones", async () => {
    const hashes = Array.from((await readTexts()).hashes());
    expect(hashes).toEqual(texts.map(hashText));
    expect(new Set(hashes).size).toBe(new Set(texts).size);
    expect(hashes.map((hash) => hash === emptyHash)).toEqual(texts.map((text) => text === ""));
  });
});
