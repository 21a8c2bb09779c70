import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cellsOfText } from "../../../src/node/cli/terminal.ts";
import { createWrap } from "../../../src/node/cli/wrap.ts";

/** The text as it stands on a terminal of so many columns, given in these pieces. */
function wrapped(pieces: readonly string[], columns: number): string {
  const wrap = createWrap(() => columns);
  return pieces.map((piece) => wrap.push(piece)).join("") + wrap.flush();
}

/** The rows of a terminal that breaks where a row is full. */
function onScreen(text: string, columns: number): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const rows = [""];
    for (const sign of line) {
      const last = rows.at(-1) ?? "";
      if (cellsOfText(last + sign) > columns) rows.push(sign);
      else rows[rows.length - 1] = last + sign;
    }
    return rows;
  });
}

describe("word wrap", () => {
  it.each([
    ["breaks at spaces", "the cat sat on the mat", 13, "the cat sat \non the mat"],
    ["breaks no word that fits into a row", "aaaa bbbbbbbb cccc", 11, "aaaa \nbbbbbbbb \ncccc"],
    ["leaves a word that fits nowhere to the terminal", "see https://example.org/a/b/c now", 12, "see \nhttps://example.org/a/b/c now"],
    ["keeps newlines and blank lines", "a b\n\nc d", 20, "a b\n\nc d"],
    ["keeps indentation", "- one two\n  three four", 12, "- one two\n  three \nfour"],
    ["lets a space at the margin be the break", "123456789 x", 10, "123456789\nx"],
    ["counts two cells for wide signs, and breaks between them", "日本語日本語", 9, "日本語日\n本語"],
    ["does not begin a row with a full stop", "日本語日。本", 9, "日本語\n日。本"],
    ["does not end a row with an opening bracket", "日本語「日本", 9, "日本語\n「日本"],
    ["counts emoji as two cells and accents as none", "e\u0301e\u0301e\u0301 👍👍 e\u0301", 9, "e\u0301e\u0301e\u0301 👍👍\ne\u0301"],
    ["counts tabs to their stop", "\ta b c", 12, "\ta b\nc"],
    [
      "leaves lines of code alone",
      "see this code:\n```sh\nls -l --all --human-readable\n```\nand so on and on",
      12,
      "see this \ncode:\n```sh\nls -l --all --human-readable\n```\nand so on \nand on",
    ],
    [
      "ends a block only where as many marks close it",
      "````\n```\na b c d e f g\n````\na b c d",
      6,
      "````\n```\na b c d e f g\n````\na b c\nd",
    ],
    ["takes code inside a line for text", "```a``` b\nc d e f g h", 10, "```a``` b\nc d e f g\nh"],
  ])("%s", (_, text, columns, expected) => {
    const lines = expected.split("\n");
    expect(wrapped([text], columns).split("\n")).toEqual(lines);
    expect(wrapped([...text], columns).split("\n")).toEqual(lines);
  });

  it("changes nothing but spaces into breaks, whatever the pieces and the width", () => {
    const words = fc.array(fc.constantFrom("a", "some", "words", "extraordinary", "日本", "👍", "\n", "\n\n", "x".repeat(50)), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(words, fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 9 }), (list, columns, size) => {
        const text = list.join(" ");
        const signs = [...text];
        const pieces = Array.from({ length: Math.ceil(signs.length / size) }, (_, i) => signs.slice(i * size, (i + 1) * size).join(""));
        const out = wrapped(pieces, columns);
        expect(out).toBe(wrapped([text], columns));
        expect(out.replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
        const rows = onScreen(out, columns);
        // longer words are let go as they come
        for (const word of list.filter((each) => /^[a-z]{1,30}$/.test(each) && each.length < columns))
          expect(rows.some((row) => row.split(" ").includes(word))).toBe(true);
      }),
    );
  });

  it("shows words as they come while there is room, and near the margin once they are whole", () => {
    const wrap = createWrap(() => 40);
    expect(wrap.push("No")).toBe("No");
    expect(wrap.push("where")).toBe("where");
    expect(wrap.push(" near the mar")).toBe(" near the ");
    expect(wrap.push("gin ")).toBe("margin ");
  });

  it("redraws the row over what the terminal wrote behind it", () => {
    const wrap = createWrap(() => 20);
    wrap.push("Once upon a time there wa");
    expect(wrap.redraw("^C")).toBe("\rthere wa  ");
  });
});
