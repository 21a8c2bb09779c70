import { emitKeypressEvents } from "node:readline";
import { PassThrough } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLineEditor, type LineEditor } from "../../../src/node/cli/line-editor.ts";
import { cellsOfText } from "../../../src/node/cli/terminal.ts";

/** Types what a terminal sends. @returns what the keys asked for */
function type(editor: LineEditor, text: string): readonly string[] {
  const keys = new PassThrough();
  emitKeypressEvents(keys);
  const asked: string[] = [];
  keys.on("keypress", (sign, key) => {
    const result = editor.press(sign, key);
    if (result === "line" || result === "end") asked.push(result);
  });
  keys.emit("data", text);
  return asked;
}

/** The text with | at the cursor. */
function typedText(text: string, history: readonly string[] = []): string {
  const editor = createLineEditor(history);
  type(editor, text);
  const mark = "|";
  type(editor, mark);
  return editor.text;
}

const [left, up, down, home, end] = ["D", "A", "B", "H", "F"].map((letter) => `\u001b[${letter}`);
const ctrl = (letter: string): string => String.fromCharCode(letter.charCodeAt(0) - 96);

describe("the line editor", () => {
  it.each([
    ["moves and inserts", `ac${left}b`, "ab|c"],
    ["moves by what a person sees as one sign", `a👩‍💻e\u0301${left}${left}`, "a|👩‍💻e\u0301"],
    ["deletes one sign, back and forth", `a👍🏽b${left}\u007f\u001b[3~`, "a|"],
    ["Ctrl-A, Ctrl-E", `bc${ctrl("a")}a${ctrl("e")}d`, "abcd|"],
    ["Home and End keep to the line", `a\u001b\rb${home}x${up}${end}y`, "ay|\nxb"],
    ["Alt-B, Alt-F, Ctrl and arrows", `one two three\u001bb\u001b[1;5Dx\u001bfy`, "one xtwoy| three"],
    ["Ctrl-W and Ctrl-Y", `one two${ctrl("w")}${ctrl("a")}${ctrl("y")} `, "two |one "],
    ["Ctrl-U, Ctrl-K", `one two\u001bb${ctrl("u")}x${ctrl("k")}`, "x|"],
    ["Ctrl-K at the end of a line takes its end", `a\u001b\rb${up}${ctrl("e")}${ctrl("k")}`, "a|b"],
    ["Ctrl-D deletes where there is text", `ab${home}${ctrl("d")}`, "|b"],
    ["a backslash before Enter", "a\\\rb", "a\nb|"],
    ["unknown keys write nothing", "a\u001b[15~\u001b[24~\u0000\u001f\u001bqb", "ab|"],
    ["up and down keep the column", `abcd\u001b\rx\u001b\refgh${up}${up}`, "a|bcd\nx\nefgh"],
  ])("%s", (_, keys, text) => {
    expect(typedText(keys)).toBe(text);
  });

  it("goes through the history and back to the draft", () => {
    const history = ["one", "two\nlines"];
    expect(typedText(`draft${up}`, history)).toBe("two\nlines|");
    expect(typedText(`draft${up}${up}${up}`, history)).toBe("one|");
    expect(typedText(`draft${up}${up}${up}${up}${down}${down}${down}`, history)).toBe("draft|");
    expect(typedText(`${ctrl("p")}${ctrl("p")}${ctrl("n")}`, history)).toMatch(/^two/);
  });

  it("asks for what Enter and Ctrl-D mean", () => {
    const editor = createLineEditor([]);
    expect(type(editor, "one\r")).toEqual(["line"]);
    expect(editor.take()).toBe("one");
    expect(type(editor, `x${ctrl("d")}\u007f${ctrl("d")}`)).toEqual(["end"]);
  });

  it("shows each sign once, in rows that fit, with the cursor where the text says", () => {
    const parts = fc.constantFrom("a", " ", "日", "👍", "\n", "e\u0301", "word");
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 80 }), fc.integer({ min: 8, max: 40 }), fc.nat(80), (list, columns, steps) => {
        const editor = createLineEditor([]);
        editor.insert(list.join(""));
        type(editor, left?.repeat(steps) ?? "");
        const { rows, row, column } = editor.view(">>> ", columns, 1000);
        for (const each of rows) expect(cellsOfText(each)).toBeLessThanOrEqual(columns);
        expect(column).toBeLessThan(columns);
        const shown = rows.join("").replaceAll("... ", "").replace(">>> ", "");
        expect(shown).toBe(editor.text.replaceAll("\n", ""));
        // what is left of the cursor, by its place and by what a sign put there does
        const signs = [...(rows[row] ?? "")];
        const cut = signs.findIndex((_, i) => cellsOfText(signs.slice(0, i + 1).join("")) > column);
        const seen = [...rows.slice(0, row), signs.slice(0, cut < 0 ? undefined : cut).join("")].join("");
        editor.insert("\u2603");
        const before = editor.text.slice(0, editor.text.indexOf("\u2603")).replaceAll("\n", "");
        expect(seen.replaceAll("... ", "").replace(">>> ", "")).toBe(before);
      }),
    );
  });

  it("shows the rows around the cursor of a text that is higher than the terminal, quickly", () => {
    const editor = createLineEditor([]);
    editor.insert("line\n".repeat(200_000));
    const started = performance.now();
    const { rows, row } = editor.view(">>> ", 80, 20);
    expect(performance.now() - started).toBeLessThan(1000);
    expect([rows.length, row]).toEqual([20, 19]);
  });
});
