import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createPasteReader } from "../../../src/node/cli/paste.ts";

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});
afterEach(() => vi.useRealTimers());

const [on, off] = ["\u001b[200~", "\u001b[201~"];

/** What a reader makes of bytes in these pieces: typed texts and {pasted}, in order. */
function read(pieces: readonly (string | Uint8Array)[], pauseMs = 0): readonly unknown[] {
  const seen: unknown[] = [];
  const reader = createPasteReader(
    (text) => (typeof seen.at(-1) === "string" ? seen.push(`${seen.pop()}${text}`) : seen.push(text)),
    (pasted) => seen.push({ pasted }),
  );
  for (const piece of pieces) {
    reader.push(typeof piece === "string" ? Buffer.from(piece) : piece);
    vi.advanceTimersByTime(pauseMs);
  }
  vi.advanceTimersByTime(1000);
  return seen;
}

describe("pasted text", () => {
  it("is told from keys before and after it, wherever the bytes are cut", () => {
    const bytes = Buffer.from(`ab${on}ä\r\n\r日👍\n${off}c\u001b[A`);
    const expected = ["ab", { pasted: "ä\n\n日👍\n" }, "c\u001b[A"];
    expect(read([bytes])).toEqual(expected);
    for (let cut = 1; cut < bytes.length; cut++) {
      expect(read([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(expected);
    }
  });

  it("loses what acts on a terminal, in whole sequences", () => {
    expect(read([`${on}a\u001b[31mb\u001b]0;title\u0007c\u009bd\u0007\u202ee\u0000\tf${off}`])).toEqual([{ pasted: "abce\tf" }]);
  });

  it.each([
    ["\u001b[31mabc\u0007def", "abcdef"],
    ["\u001b[1;38;5;208mwarm\u001b[0m \u0007cold", "warm cold"],
    ["\u001b[31", "[31"],
    ["\u001b]8;;https://a.example\u001b\\link\u001b]8;;\u001b\\", "link"],
    ["\u001b]never ended\nnext", "]never ended\nnext"],
    ["\u001b(Ba\u001b7b\u001bc", "ab"],
    ["a\u001b@b", "a@b"],
  ])("keeps the letters behind %j", (text, pasted) => {
    expect(read([`${on}${text}${off}`])).toEqual([{ pasted }]);
  });

  it.each([
    [`${on}a${off}\r/bye\r${off}`, "a\n/bye\n"],
    [`${on}a${off}\r${on}b${off}`, "a\nb"],
    [`${on}a\u001bO${off}`, "a"],
    [`${on}a\u001b[${off}`, "a"],
    [`${on}${on}a${off}${off}`, "a"],
  ])("does not end at a mark inside it: %j", (text, pasted) => {
    expect(read([text]).slice(0, 1)).toEqual([{ pasted: expect.stringContaining(pasted) }]);
    expect(read([text]).filter((each) => typeof each === "string")).toEqual([]);
    expect(read([...text])).toEqual(read([text]));
  });

  it("is two where a person paused between them", () => {
    expect(read([`${on}a${off}`, "\r", `${on}b${off}`, "\r"], 100)).toEqual([{ pasted: "a" }, "\r", { pasted: "b" }, "\r"]);
  });

  it("leaves Esc and other keys alone, after a moment at most", () => {
    expect(read(["\u001b", "\u001b[", "A", "\u001b[20", "~"], 100)).toEqual(["\u001b\u001b[A\u001b[20~"]);
  });

  it("that never ends gives way to Ctrl-C", () => {
    expect(read([`${on}abc`, "def", "\u0003", "x"], 100)).toEqual(["\u0003x"]);
  });

  it("beyond the limit of a prompt is none", () => {
    expect(read([on, "x".repeat(999_999), off])).toEqual([{ pasted: "x".repeat(999_999) }]);
    expect(
      read([
        on,
        ..."x"
          .repeat(40)
          .split("")
          .map((sign) => sign.repeat(100_000)),
        off,
        "y",
      ]),
    ).toEqual([{ pasted: undefined }, "y"]);
  });
});
