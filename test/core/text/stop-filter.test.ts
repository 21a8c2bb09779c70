import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createStopFilter } from "../../../src/core/text/stop-filter.ts";

function run(pieces: readonly string[], stops: readonly string[]): { text: string; shown: string[]; stopped: boolean } {
  const filter = createStopFilter(stops);
  const shown: string[] = [];
  for (const piece of pieces) {
    const { text, stopped } = filter.push(piece);
    shown.push(text);
    if (stopped) return { text: shown.join(""), shown, stopped };
  }
  shown.push(filter.flush());
  return { text: shown.join(""), shown, stopped: false };
}

describe("stop filter", () => {
  it("R11 holds back what may begin a stop string, and releases it when it does not", () => {
    expect(run(["Hel", "lo <", "|im", "_x"], ["<|im_end|>"])).toEqual({
      text: "Hello <|im_x",
      shown: ["Hel", "lo ", "", "<|im_x", ""],
      stopped: false,
    });
  });

  it("R11 ends before a stop string that spans pieces", () => {
    expect(run(["one ST", "O", "P two"], ["STOP"])).toMatchObject({ text: "one ", stopped: true });
  });

  it("takes the stop string that begins first", () => {
    expect(run(["a--b##c"], ["##", "--"]).text).toBe("a");
  });

  it("shows what a plain search over the whole text shows, however the text is cut", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 30 });
    fc.assert(
      fc.property(
        letters,
        fc.array(fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 }), { maxLength: 3 }),
        fc.array(fc.nat(30), { maxLength: 6 }),
        (text, stops, cuts) => {
          const marks = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
          const pieces = marks.slice(1).map((mark, i) => text.slice(marks[i], mark));
          // An incremental reader decides at the first piece that completes a stop string: the shortest prefix that holds one.
          let cut = text;
          for (let length = 0; length <= text.length; length += 1) {
            const at = stops.map((stop) => text.slice(0, length).indexOf(stop)).filter((index) => index >= 0);
            if (at.length > 0) {
              cut = text.slice(0, Math.min(...at));
              break;
            }
          }
          const { text: shown } = run(pieces, stops);
          for (const stop of stops) expect(shown).not.toContain(stop);
          expect(text.startsWith(shown)).toBe(true);
          expect(shown.length).toBeLessThanOrEqual(cut.length);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
