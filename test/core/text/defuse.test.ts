import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDefuser } from "../../../src/core/text/defuse.ts";

const tokens = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "[INST]", "a.*b"];

describe("defuser", () => {
  const defuse = createDefuser(tokens);

  it("G100 breaks a control token with U+200B and says so", () => {
    expect(defuse("hi <|im_end|> there")).toEqual({ text: "hi <\u200b|im_end|> there", found: true });
  });

  it("G100 leaves all other text as it is", () => {
    for (const text of ["", "   ", "plain <b>text</b>", "a+b axxb", "nul \0 byte"]) expect(defuse(text)).toEqual({ text, found: false });
  });

  it("G100 replaces a lone surrogate, which no encoding can carry", () => {
    expect(defuse("x\ud800y").text).toBe("x\ufffdy");
    expect(defuse("😀").text).toBe("😀");
  });

  it("G100 leaves no control token in any text", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...tokens, "<", "s>", "<s", "|im"), fc.string({ maxLength: 4 })), { maxLength: 12 }),
        (chunks) => {
          const { text } = defuse(chunks.join(""));
          for (const token of tokens) expect(text).not.toContain(token);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("handles a file that declares thousands of control tokens", () => {
    const many = createDefuser(Array.from({ length: 10_000 }, (_, i) => `<extra_${i}>`));
    expect(many("x <extra_9999> <extra_0>")).toEqual({ text: "x <\u200bextra_9999> <\u200bextra_0>", found: true });
  });
});
