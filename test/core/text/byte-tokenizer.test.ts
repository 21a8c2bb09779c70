import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createByteCodec } from "../../../src/core/text/byte-tokenizer.ts";
import { createStreamDecoder } from "../../../src/core/text/stream-decoder.ts";
import { root } from "../../support.ts";

const golden = JSON.parse(readFileSync(`${root}test/golden/byt5-tokenizer.json`, "utf8")) as Record<
  "encode" | "decode",
  readonly { readonly text: string; readonly ids: readonly number[] }[]
>;

describe("the tokenizer of ByT5", () => {
  const codec = createByteCodec({ extra_ids: 125 }, {}, 384);

  it("gives the ids and texts of the reference", () => {
    for (const { text, ids } of golden.encode) expect(codec.encode(text), text).toEqual(ids);
    for (const { ids, text } of golden.decode) expect(codec.decode(ids), String(ids)).toBe(text);
  });

  it("streams what it decodes, whatever the ids", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 383 }), { maxLength: 150 }), (ids) => {
        const decoder = createStreamDecoder(codec.decode, false);
        expect(ids.map((id) => decoder.push(id)).join("") + decoder.flush()).toBe(codec.decode(ids));
      }),
      { numRuns: 300 },
    );
  });

  it("is refused where the embedding has fewer rows than bytes", () => {
    expect(() => createByteCodec({}, {}, 100)).toThrow(expect.objectContaining({ code: "tokenizer-limit" }));
  });
});
