/** Texts cut into chunks: all of the text, in order, within the limits, at places that can be opened again. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ChunkSettings, chunkMarkdown, sentences } from "../../../src/core/search/chunk.ts";
import { terms, words } from "../../../src/core/search/terms.ts";
import { isLong } from "../../support.ts";

const settings: ChunkSettings = { strategy: "sliding_window", size: 12, overlap: 4, max: 40, min: 3, keepCode: true };

/** of a model for which each letter is one, and each blank */
const tokens = (text: string): number => Array.from(text).length;

const guide = `Before any heading.

# Install

Get the program first. Then run it once.

\`\`\`sh
npm install -g thing

npm run thing
\`\`\`

## On a *server*

It needs a port. The port is 8088. A token is wanted. Nobody else may ask.
`;

describe("chunks of Markdown", () => {
  it("know their headings and their places, and keep code whole", () => {
    const chunks = chunkMarkdown(guide, settings);
    expect(chunks.map(({ headings }) => headings.join(" > "))).toEqual([
      "",
      "Install",
      "Install",
      "Install > On a server",
      "Install > On a server",
    ]);
    for (const { text, start, end } of chunks) expect(guide.slice(start, end)).toBe(text);
    expect(chunks[2]?.text).toBe("Then run it once.\n\n```sh\nnpm install -g thing\n\nnpm run thing\n```");
    // the last sentence comes again
    expect(chunks.at(-1)?.text).toMatch(/^A token is wanted\. Nobody/);
  });

  it("have headings with nothing under them, which nobody would find otherwise", () => {
    const text = "# One\n## Two\n\n## Three\nbody\n# Four\n";
    const chunks = chunkMarkdown(text, settings);
    expect(chunks.map(({ headings, text: own }) => [...headings, own])).toEqual([["One", "## Two"], ["One", "Three", "body"], ["# Four"]]);
    for (const { text: own, start, end } of chunks) expect(text.slice(start, end)).toBe(own);
  });

  it.each([
    ["Title\n=====\nOne.\n\nPart\n----\nTwo.", ["Title: One.", "Title > Part: Two."]],
    ["Intro.\n\n  Two\n*lines* \r\n   ===  \r\nbody", [": Intro.", "Two lines: body"]],
    ["# A\nB\n-\nbody\n\nC\n=\nD\n---\n### E", ["A > B: body", "C > D: ### E"]],
    ["# A\nB\n--", ["A: B\n--"]],
    ["=====\nTitle\n=====\nbody", [": =====", "Title: body"]],
    ["a\n\n***\nTitle\n===\nbody", [": a\n\n***", "Title: body"]],
    ["---\ntitle: A\ntags:\n  - b\n---\nPart\n----\nbody", [": ---\ntitle: A\ntags:\n  - b\n---", "Part: body"]],
    ["---\na: b\n...\nPart\n----\nbody", [": ---\na: b\n...", "Part: body"]],
    ["    code\nPart\n----\nbody", [":     code", "Part: body"]],
    ["~~~\ncode\n~~~\nPart\n----\nbody", [": ~~~\ncode\n~~~", "Part: body"]],
  ])("have underlined headings: %j", (text, expected) => {
    const chunks = chunkMarkdown(text, settings);
    expect(chunks.map(({ headings, text: own }) => `${headings.join(" > ")}: ${own}`)).toEqual(expected);
    for (const { text: own, start, end } of chunks) expect(text.slice(start, end)).toBe(own);
  });

  it.each([
    "above\n\n---\n\nunder",
    "---\nunder",
    "---\r\ntitle: A\r\n\r\nlast\r\n---\r\n",
    "```\nTitle\n=====\n```",
    "    Title\n---",
    "- item\n---",
    "- item\nof two lines\n---",
    "1. item\n===",
    "> quote\n---",
    "text\n- item\n---",
    "| a |\n|---|\n| 1 |\n---",
    "a | b\n--- | ---\n1 | 2\n---",
    "<!-- note\n---\n-->",
    "<div>\n---",
    "[a]: /b\n===",
    "Title\n    ===",
    "Title\n= =",
    "Title\n--- -",
    "Title\n***",
    "one\ntwo\nthree\nfour\n---",
    `${"long ".repeat(250)}\n---`,
  ])("have no underlined heading in %j", (text) => {
    for (const { headings } of chunkMarkdown(`${text}\n\nbody`, settings)) expect(headings).toEqual([]);
  });

  it("cut sentences after their end, and not after a title", () => {
    expect(sentences("Dr. Who came late. He left.")).toEqual(["Dr. Who came late. He left."]);
    expect(sentences("The doctor came late. Then he left again. Bye.")).toEqual(["The doctor came late. ", "Then he left again. Bye."]);
  });

  it.each([
    ["ACGT", "ACGT".repeat(10_000)],
    ["signs", "&".repeat(40_000)],
    ["brackets", "[".repeat(40_000)],
    ["dots", ".".repeat(40_000)],
    ["signs apart", "? ".repeat(20_000)],
    ["paragraphs of signs", "&&&&\n\n".repeat(8000)],
    ["blanks", `Before it. ${" ".repeat(40_000)}Behind it.`],
    ["blanks in code", `\`\`\`\n${" ".repeat(40_000)}\nx\n\`\`\``],
    ["a heading", `# ${"# ".repeat(20_000)}`],
    ["underlines", "a\n=\n".repeat(8000)],
    ["a rule that is none", `---${" ".repeat(40_000)}x`],
    ["front matter without an end", `---\na:\n${"b: c\n".repeat(8000)}`],
    ["a heading alone", `# ${"AC".repeat(20_000)}`],
    ["Chinese", "四五六七".repeat(4000)],
    ["pairs", "😀".repeat(20_000)],
    ["marks", "e\u0301".repeat(20_000)],
    ["a letter of marks", `e${"\u0301".repeat(20_000)}`],
  ])("of a text without breaks are as long as the limit allows, cut between letters: %s", (_, text) => {
    const started = performance.now();
    for (const each of [settings, { ...settings, max: 5, size: 12 }, { ...settings, strategy: "sentence", count: tokens }] as const) {
      const chunks = chunkMarkdown(text, each);
      for (const chunk of chunks) {
        expect(text.slice(chunk.start, chunk.end)).toBe(chunk.text);
        expect(chunk.text.length).toBeLessThanOrEqual(16 * each.max + 1);
        expect((each.count ?? ((part) => words(part).length))(chunk.text)).toBeLessThanOrEqual(each.max);
        expect(chunk.headings.join("").length).toBeLessThan(1000);
        expect(chunk.text).not.toMatch(/[\ud800-\udfff]/u);
        if (!text.startsWith("e\u0301\u0301")) expect(chunk.text).not.toMatch(/^\p{M}/u);
      }
      let at = 0;
      for (const { start, end } of chunks) {
        expect(text.slice(at, Math.max(at, start)).trim()).toBe("");
        at = Math.max(at, end);
      }
      expect(text.slice(at).trim()).toBe("");
    }
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  it("property: every word is in a chunk, no chunk is above the limit, and places are the text", () => {
    const line = fc.oneof(
      fc
        .array(fc.constantFrom("one", "two words.", "Drei!", "四五六", "x".repeat(150), "“q”", "`c`"), { maxLength: 30 })
        .map((each) => each.join(" ")),
      fc.constantFrom("", "# A", "### B", "```", "~~~ js", "- item", "| a | b |", "\r", "===", "---", " -", "| - |"),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), fc.constantFrom("sliding_window" as const, "sentence" as const), (lines, strategy) => {
        const text = lines.join("\n");
        const chunks = chunkMarkdown(text, { ...settings, strategy });
        let at = 0;
        let body = "";
        for (const chunk of chunks) {
          expect(text.slice(chunk.start, chunk.end)).toBe(chunk.text);
          expect(chunk.end).toBeGreaterThanOrEqual(at);
          expect(words(chunk.text).length).toBeLessThanOrEqual(settings.max);
          body += `${text.slice(Math.max(at, chunk.start), chunk.end)} `;
          at = chunk.end;
        }
        const wanted = words(text.replaceAll(/^ {0,3}#{1,6}[ \t].*$/gm, ""));
        const got = words(body + chunks.flatMap(({ headings }) => headings).join(" "));
        expect(new Set(got)).toEqual(new Set([...got, ...wanted]));
      }),
      { numRuns: isLong ? 2000 : 60 },
    );
  });
});

describe("terms", () => {
  it("are words without endings and without the most frequent, of any script", () => {
    expect(terms("The running FOXES of Cities, passed classes and state_files 42")).toEqual([
      "run",
      "fox",
      "city",
      "pass",
      "class",
      "state_files",
      "42",
      "stat",
      "fil",
    ]);
    expect(terms("ﬁne Ｗｉｄｅ naïve")).toEqual(["fine", "wide", "naïve"]);
    expect(terms("기후")).toEqual(["기후"]);
    expect(terms("수도입니다 ok")).toEqual(["수도입니다", "ok", "수도", "도입", "입니", "니다"]);
    expect(terms("機械学習は楽しい").length).toBeGreaterThan(1);
    expect(terms("x".repeat(65))).toEqual([]);
  });

  it("are the words of a name too, however it puts them together", () => {
    expect(terms("maxRetries")).toEqual(["maxretry", "max", "retry"]);
    expect(terms("max_retries HTTPServer")).toEqual(["max_retries", "httpserver", "max", "retry", "http", "server"]);
    expect(terms("v2 _x iOS 3D")).toEqual(["v2", "_x", "ios", "3d", "os"]);
  });
});
