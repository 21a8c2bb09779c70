import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createStopFilter } from "../../../src/core/text/stop-filter.ts";

function run(pieces: readonly string[], stops: readonly string[]): { text: string; shown: string[]; stop: string | undefined } {
  const filter = createStopFilter(stops);
  const shown: string[] = [];
  for (const piece of pieces) {
    const { text, stop } = filter.push(piece);
    shown.push(text);
    if (stop !== undefined) return { text: shown.join(""), shown, stop };
  }
  shown.push(filter.flush());
  return { text: shown.join(""), shown, stop: undefined };
}

describe("stop filter", () => {
  it("R11 holds back what may begin a stop string, and releases it when it does not", () => {
    expect(run(["Hel", "lo <", "|im", "_x"], ["<|im_end|>"])).toEqual({
      text: "Hello <|im_x",
      shown: ["Hel", "lo ", "", "<|im_x", ""],
      stop: undefined,
    });
  });

  it("R11 ends before a stop string that spans pieces", () => {
    expect(run(["one ST", "O", "P two"], ["STOP"])).toMatchObject({ text: "one ", stop: "STOP" });
  });

  it("takes the stop string that comes first in the text, not in the list", () => {
    expect(run(["a--b##c"], ["##", "--"])).toMatchObject({ text: "a", stop: "--" });
  });

  it("takes of two stop strings the one that is complete first, and of two that end together the longer", () => {
    expect(run(["xabb"], ["abb", "b"])).toMatchObject({ text: "xa", stop: "b" });
    expect(run(["xab"], ["b", "ab"])).toMatchObject({ text: "x", stop: "ab" });
  });

  it("shows exactly what a plain search over the whole text leaves, however the text is cut", () => {
    const letters = (range: { readonly minLength?: number; readonly maxLength: number }) =>
      fc.string({ unit: fc.constantFrom("a", "b"), ...range });
    fc.assert(
      fc.property(
        letters({ maxLength: 30 }),
        fc.array(letters({ minLength: 1, maxLength: 4 }), { maxLength: 3 }),
        fc.array(fc.nat(30), { maxLength: 6 }),
        (text, stops, cuts) => {
          const marks = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
          const pieces = marks.slice(1).map((mark, i) => text.slice(marks[i], mark));
          const { text: shown, stop } = run(pieces, stops);
          expect({ shown, stop }).toEqual(cutAtFirstStop(text, stops));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("holds back the beginning of a stop string and nothing else, and once it is flushed nothing at all", () => {
    const stops = ["<|end|>", "aab"];
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom("a", "b", "<", "|"), maxLength: 4 }), { maxLength: 8 }), (pieces) => {
        const filter = createStopFilter(stops);
        let [text, shown] = ["", ""];
        for (const piece of pieces) {
          const pushed = filter.push(piece);
          if (pushed.stop !== undefined) return;
          text += piece;
          shown += pushed.text;
          const held = text.slice(shown.length);
          expect(held === "" || stops.some((stop) => stop.startsWith(held)), `held "${held}"`).toBe(true);
        }
        expect(shown + filter.flush()).toBe(text);
        expect(filter.flush()).toBe("");
      }),
    );
  });
});

/** Letter by letter over the whole text: it ends before the stop string that is complete first, and of two that end together before the longer. */
function cutAtFirstStop(text: string, stops: readonly string[]): { shown: string; stop: string | undefined } {
  for (let length = 1; length <= text.length; length += 1) {
    const met = stops.filter((stop) => text.slice(0, length).endsWith(stop)).sort((a, b) => b.length - a.length)[0];
    if (met !== undefined) return { shown: text.slice(0, length - met.length), stop: met };
  }
  return { shown: text, stop: undefined };
}
