/** Files as texts: which are read, what is said of those that are not; pages without a parser. */
import { describe, expect, it } from "vitest";
import { entities } from "../../../src/core/rag/entities.ts";
import { isReadable, textOfFile } from "../../../src/core/rag/files.ts";
import { htmlToText } from "../../../src/core/rag/html.ts";
import { chunkLines } from "../../../src/core/rag/lines.ts";
import { failure } from "../../support/failure.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("files", () => {
  it("are known by their names", () => {
    expect(["a.md", "b/README", "c.CSV", "d.py", "e.pdf"].map(isReadable)).toEqual([true, true, true, true, true]);
    expect(["a.jpg", "b.exe", "c", "d.zip"].map(isReadable)).toEqual([false, false, false, false]);
  });

  it("lose the mark of their encoding, and are cut as their kind says", async () => {
    expect(await textOfFile("a.txt", bytes("\ufeffhello"), undefined)).toEqual({ text: "hello", before: 1, form: "prose" });
    expect((await textOfFile("a.json", bytes("{}"), undefined)).form).toBe("lines");
    expect((await textOfFile("a.tsv", bytes("x"), undefined)).form).toBe("table");
  });

  it.each([
    ["a.md", [0x67, 0xfc], "another encoding, such as Latin-1"],
    ["a.md", [0xff, 0xfe, 0x41, 0], "UTF-16 (little-endian)"],
    ["a.md", [0xfe, 0xff, 0, 0x41], "UTF-16 (big-endian)"],
    ["a.md", [0x41, 0, 0x42], "bytes that are no text"],
    ["a.pdf", [0x25], "this host reads no PDF"],
  ])("%s of %j is refused: %s", async (name, given, why) => {
    const error = await failure(textOfFile(name, Uint8Array.from(given), undefined));
    expect(error).toMatchObject({ code: "rag-file", where: "a.md".length === name.length ? name : "a.pdf" });
    expect(error.message).toContain(why);
  });
});

describe("pages", () => {
  it("become text with headings, without menus, scripts and tags", () => {
    const page = `<!doctype html><html><head><title>Tools &amp; more</title><style>p{}</style></head><body><nav><a>menu</a></nav>
      <h1>Saws</h1><p>One &lt;two&gt;&nbsp;three<br>four</p><script>alert("<p>no</p>")</script><!-- no --><ul><li>a</li><li>b</li></ul>
      <pre><code>if (a &lt; b)
  c();</code></pre><table><tr><td>x</td><td>y</td></tr></table><footer>end</footer></body></html>`;
    const { title, text } = htmlToText(page);
    expect(title).toBe("Tools & more");
    expect(text).toContain("# Saws\n\nOne <two> three\nfour");
    expect(text).toContain("```\nif (a < b)\n  c();\n```");
    expect(text).toContain("- a\n- b");
    expect(text).not.toMatch(/menu|alert|no|end|<\/|title/);
  });

  it("have characters for names and numbers", () => {
    const read = (html: string): string => htmlToText(html).text;
    expect(read("caf&eacute; &Eacute;t&eacute; M&uuml;nchen stra&szlig;e it&rsquo;s &euro;5 &rarr; &laquo;x&raquo; x&sup2; &frac12;")).toBe(
      "café Été München straße it’s €5 → «x» x² ½",
    );
    expect(read("&#269;e&scaron;tina &zcaron;lu&tcaron; &Lstrok;&oacute;d&zacute; &alpha;&Omega; &#x4e2d;&#128512;")).toBe(
      "čeština žluť Łódź αΩ 中😀",
    );
    expect(read("&lt;b&gt; &AMP; &apos;&quot; a&nbsp;b &lowbar; &thetasym; Donau&shy;dampf")).toBe("<b> & '\" a b _ ϑ Donaudampf");
    expect(read("it&#146;s &#x80; &#0; &#xd800; &#x110000; &#xe000;0&#xe001; &amp;eacute; &nonsense; &eacute")).toBe(
      "it’s € � � � �0� &eacute; &nonsense; &eacute",
    );
    expect(read("<pre>caf&eacute; &#34;</pre>")).toBe('```\ncafé "\n```');
    expect(htmlToText("<title>Caf&eacute;</title>").title).toBe("Café");
  });

  it("know the names of HTML 4", () => {
    const all = [...entities];
    expect(all.filter(([name]) => !/^[a-z][\da-z]{1,7}$/i.test(name))).toEqual([]);
    expect(all).toHaveLength(395);
    const codes = {
      quot: 34,
      iexcl: 161,
      yuml: 255,
      OElig: 338,
      fnof: 402,
      Rho: 929,
      Sigma: 931,
      omega: 969,
      zwj: 8205,
      permil: 8240,
      euro: 8364,
    };
    const others = {
      alefsym: 8501,
      hArr: 8660,
      there4: 8756,
      sdot: 8901,
      rfloor: 8971,
      lang: 0x27e8,
      rang: 0x27e9,
      loz: 9674,
      diams: 9830,
    };
    for (const [name, code] of Object.entries({ ...codes, ...others }))
      expect([name, entities.get(name)?.codePointAt(0)]).toEqual([name, code]);
  });

  it.each([
    ["<details><summary>More</summary>inside</details>after", "More\n\ninside\n\nafter"],
    ["<figure><img><figcaption>A cat</figcaption></figure>after", "A cat\n\nafter"],
    ["<select><option>one</option><option selected>two</select>after", "one\n\ntwo\n\nafter"],
    ["<fieldset><legend>Size</legend><label>Small</label><label>Large</label></fieldset>", "Size\n\nSmall\n\nLarge"],
    ["before<center>middle</center>after", "before\n\nmiddle\n\nafter"],
    ["<table><caption>Towns</caption><tr><td>Rome</td></tr></table>", "Towns\n\nRome |"],
    ["one<address>two</address>three<dialog>four</dialog>five", "one\n\ntwo\n\nthree\n\nfour\n\nfive"],
    ["<button>Copy</button>text", "Copy\ntext"],
    ["<h2>\n<center> <a id=x>Title</a></center></h2>text", "## Title\n\ntext"],
    ["<h2></h2><p>text", "##\n\ntext"],
    ["wo<b>r</b>d<span>s</span> sum<wbr>mary", "words summary"],
  ])("end paragraphs where they are shown so: %s", (html, text) => {
    expect(htmlToText(html).text).toBe(text);
  });

  it.each([
    "<",
    "<pre>",
    "<h1>",
    "<h1> <a>",
    "<h1 ",
    "&amp",
    "<summary>",
    "<head>",
    "<!--",
    "<script>",
    "<title>",
    "<h1",
    "&#",
    "</td ",
    "<nav><",
  ])("of %s a hundred thousand times take no longer than they are long", (piece) => {
    const started = performance.now();
    htmlToText(piece.repeat(100_000));
    expect(performance.now() - started).toBeLessThan(3000);
  });
});

describe("lines", () => {
  const settings = { size: 6, max: 8, count: (text: string) => text.split(/\W+/).filter(Boolean).length, hasHeader: false };

  it("stay whole, cover the text, and none is longer than the limit", () => {
    const text = Array.from({ length: 30 }, (_, i) => `call(${i}, "x ${i}");`)
      .concat("word ".repeat(40))
      .join("\n");
    const chunks = chunkLines(text, settings);
    for (const { text: own, start, end } of chunks) {
      expect(text.slice(start, end)).toBe(own);
      expect(settings.count(own)).toBeLessThanOrEqual(8);
    }
    expect(chunks.map((chunk) => chunk.text.replace(/\s/g, "")).join("")).toBe(text.replace(/\s/g, ""));
  });

  it.each(["ACGT", "&", "[", ".", " x", "😀", "e\u0301", "\n", ", \n"])(
    "of %j without an end are cut between letters, and cover the text",
    (piece) => {
      const text = `a${piece.repeat(10_000)}z`;
      for (const hasHeader of [true, false]) {
        const chunks = chunkLines(text, { ...settings, hasHeader });
        for (const { text: own, start, end, headings } of chunks) {
          expect(text.slice(start, end)).toBe(own);
          expect(settings.count(own)).toBeLessThanOrEqual(settings.max);
          expect([own, ...headings].join("").length).toBeLessThanOrEqual(2 * 16 * settings.max);
          expect(own).not.toMatch(/[\ud800-\udfff]/u);
          expect(own).not.toMatch(/^\p{M}/u);
        }
        const all = [...(chunks[0]?.headings ?? []), ...chunks.map((chunk) => chunk.text)].join("");
        expect(all.replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
      }
    },
  );

  it.each([
    ['name,"ci\nty",note\nAda,London,x\n', 'name,"ci ty",note', "Ada,London,x"],
    ['"a ""b""\r\n c"\n1\n', '"a ""b"" c"', "1"],
    ['size 5",b\n1,"2\n3"\n', 'size 5",b', '1,"2\n3"'],
    ['a,"b\n1,2\n', 'a,"b', "1,2"],
  ])("of a table whose header has quotes: %j", (text, heading, own) => {
    const start = text.indexOf(own);
    expect(chunkLines(text, { ...settings, hasHeader: true })).toEqual([
      { text: own, headings: [heading], start, end: start + own.length },
    ]);
  });

  it("of a table have the columns as heading", () => {
    expect(chunkLines("name,town\nAda,London\n", { ...settings, hasHeader: true })).toEqual([
      { text: "Ada,London", headings: ["name,town"], start: 10, end: 20 },
    ]);
    expect(chunkLines("", { ...settings, hasHeader: true })).toEqual([]);
  });
});
