import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FinishReason } from "../../../src/core/spec/generate.ts";
import type { ManyPart, StreamPart } from "../../../src/core/spec/stream-part.ts";
import { wholeLetters } from "../../../src/core/text/whole-letters.ts";

type Piece = readonly ["text" | "reasoning", string];

async function shown(pieces: readonly Piece[], finishReason: FinishReason): Promise<readonly Piece[]> {
  async function* parts(): AsyncGenerator<ManyPart, void, undefined> {
    for (const [kind, text] of pieces) yield { index: 0, part: { type: kind === "text" ? "text-delta" : "reasoning-delta", text } };
    yield { index: 0, part: { type: "warning", code: "output-invalid", message: "a note" } };
    yield { index: 0, part: { type: "stream-end", finishReason } as StreamPart };
  }
  const all: Piece[] = [];
  for await (const { part } of wholeLetters(parts())) {
    if (part.type === "text-delta") all.push(["text", part.text]);
    if (part.type === "reasoning-delta") all.push(["reasoning", part.text]);
  }
  return all;
}

describe("letters of an answer", () => {
  it("are put together where a server cut them", async () => {
    expect(
      await shown(
        [
          ["text", "hi \ud83d"],
          ["text", "\ude00!"],
        ],
        "stop",
      ),
    ).toEqual([
      ["text", "hi "],
      ["text", "\ud83d\ude00!"],
    ]);
  });

  it.each([
    ["length", "hi \ud83d", "hi "],
    ["length", "hi \ufffd\ufffd\ufffd", "hi "],
    ["stop", "hi \ud83d", "hi \ufffd"],
    ["stop", "hi \ufffd", "hi \ufffd"],
  ] as const)("are left out where tokens ran out within one: %s, %j", async (reason, text, expected) => {
    expect((await shown([["text", text]], reason)).map(([, each]) => each).join("")).toBe(expected);
  });

  it("of a thought stay with it", async () => {
    expect(
      await shown(
        [
          ["reasoning", "hm \ud83d"],
          ["text", "42"],
        ],
        "stop",
      ),
    ).toEqual([
      ["reasoning", "hm "],
      ["reasoning", "\ufffd"],
      ["text", "42"],
    ]);
  });

  it("are all there, in their order, wherever a text is cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), fc.array(fc.nat(20), { maxLength: 5 }), async (text, cuts) => {
        const at = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
        const pieces = at.slice(1).map((end, i): Piece => ["text", text.slice(at[i], end)]);
        const all = await shown(pieces, "stop");
        expect(all.map(([, each]) => each).join("")).toBe(text);
        for (const [, each] of all) expect(each).not.toMatch(/\p{Surrogate}/u);
      }),
      { numRuns: 300 },
    );
  });
});
