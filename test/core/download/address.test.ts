import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blobPath } from "../../../src/core/download/address.ts";
import { addSpan, missingSpans, type Span, spanBytes } from "../../../src/core/download/spans.ts";

const source = new URL("../../../src/", import.meta.url).pathname;

describe("blobPath", () => {
  it("takes a digest and nothing else", () => {
    const hex = "0a".repeat(32);
    expect([blobPath(`sha256:${hex}`), blobPath(`sha256-${hex}`)]).toEqual([`sha256-${hex}`, `sha256-${hex}`]);
    for (const text of [
      "",
      hex,
      `sha256:${hex}/..`,
      `sha256:../${hex.slice(3)}`,
      `SHA256:${hex}`,
      `sha256:${hex.toUpperCase()}`,
      `sha256_${hex}`,
      `sha256:${hex}\n`,
    ])
      expect(() => blobPath(text)).toThrow(expect.objectContaining({ code: "store-corrupt" }));
  });

  it("is the only way from a digest to a path", () => {
    const files = (readdirSync(source, { recursive: true }) as string[]).filter((file) => file.endsWith(".ts"));
    // a folder of blobs is joined with blobPath(…), or with a name that came from it or from the folder itself
    const joins = files.flatMap((file) =>
      [...readFileSync(join(source, file), "utf8").matchAll(/join\([^)]*blobs[^)]*\)+/g)].map(([text]) => `${file}: ${text}`),
    );
    expect(joins.length).toBeGreaterThan(3);
    const strange = joins.filter((text) => !/blobPath\(|join\(blobs, name\)|join\(folder, "blobs"\)/.test(text));
    expect(strange).toEqual([]);
  });
});

describe("spans", () => {
  it("count like a set of bytes", () => {
    const range = fc.tuple(fc.nat(60), fc.nat(60)).map(([a, b]): Span => [Math.min(a, b), Math.max(a, b)]);
    fc.assert(
      fc.property(
        fc.array(range, { maxLength: 12 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 9 }),
        (ranges, size, piece) => {
          const bytes = new Set<number>();
          let spans: readonly Span[] = [];
          for (const [from, to] of ranges) {
            spans = addSpan(spans, from, to);
            for (let at = from; at < to; at += 1) bytes.add(at);
          }
          expect(spanBytes(spans)).toBe(bytes.size);
          expect(spans.every(([from], index) => index === 0 || from > (spans[index - 1]?.[1] ?? 0))).toBe(true);
          const missing = missingSpans(spans, size, piece);
          expect(missing.every(([from, to]) => to > from && to - from <= piece)).toBe(true);
          const gaps = missing.flatMap(([from, to]) => Array.from({ length: to - from }, (_, index) => from + index));
          expect(gaps).toEqual(Array.from({ length: size }, (_, at) => at).filter((at) => !bytes.has(at)));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
