import { isUtf8 as isUtf8OfNode } from "node:buffer";
import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeUtf8, isUtf8 } from "../../../src/core/gguf/utf8.ts";

it("isUtf8 says what Node says of every two bytes, and of every edge of three and four", () => {
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  const firsts = Array.from({ length: 256 }, (_, i) => i);
  const all: number[][] = firsts.flatMap((first) => firsts.map((second) => [first, second]));
  for (const first of firsts.slice(0xc0))
    for (const second of edges)
      for (const third of edges) all.push([first, second, third], ...edges.map((last) => [first, second, third, last]));
  const wrong = all.filter((bytes) => isUtf8(Uint8Array.from(bytes), 0, bytes.length) !== isUtf8OfNode(Uint8Array.from(bytes)));
  expect(all.length).toBeGreaterThan(100_000);
  expect(wrong).toEqual([]);
});

it("isUtf8 looks at its range alone", () => {
  const bytes = new TextEncoder().encode("é漢😀");
  const ends = new Set([0, 2, 5, 9]);
  for (let from = 0; from <= bytes.length; from++)
    for (let to = from; to <= bytes.length; to++)
      expect(isUtf8(bytes, from, to), `${from} … ${to}`).toBe(from === to || (ends.has(from) && ends.has(to)));
});

it("what is encoded is valid and decodes to itself, at every length", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
      const bytes = new TextEncoder().encode(text);
      expect(isUtf8(bytes, 0, bytes.length)).toBe(true);
      expect(decodeUtf8(bytes)).toBe(text);
    }),
    { numRuns: 300 },
  );
});
