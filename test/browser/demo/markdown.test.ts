import { describe, expect, it } from "vitest";
import { markdownInto } from "../../../demo/markdown.ts";

function shown(text: string): HTMLElement {
  const root = document.createElement("div");
  markdownInto(root)(text);
  return root;
}

const answer = [
  "# Title",
  "A **bold** and *slanted* word, `code`, a [page](https://example.com/a?b=1) and ~~gone~~.",
  "- one\n- two\n  1. inner\n  2. more\n- [x] done",
  "> quoted\n> text",
  "| a | b |\n|---|--:|\n| 1 | **2** |",
  "```python\nprint('<b>')\n\nx = 1\n```",
  "---",
  "the end",
].join("\n\n");

describe("Markdown of an answer", () => {
  it("becomes elements", () => {
    const root = shown(answer);
    expect([...root.children].map(({ tagName }) => tagName)).toEqual(["H4", "P", "UL", "BLOCKQUOTE", "DIV", "FIGURE", "HR", "P"]);
    expect(root.querySelector("p")?.innerHTML).toBe(
      'A <strong>bold</strong> and <em>slanted</em> word, <code>code</code>, a <a href="https://example.com/a?b=1" target="_blank" ' +
        'rel="noopener noreferrer nofollow" title="https://example.com/a?b=1">page</a> and <del>gone</del>.',
    );
    expect(root.querySelector("ul")?.innerHTML).toBe("<li>one</li><li><p>two</p><ol><li>inner</li><li>more</li></ol></li><li>☑ done</li>");
    expect(root.querySelector("pre code")?.textContent).toBe("print('<b>')\n\nx = 1");
    expect(root.querySelector("figcaption span")?.textContent).toBe("python");
    expect([...root.querySelectorAll("td")].map(({ className, innerHTML }) => [className, innerHTML])).toEqual([
      ["left", "1"],
      ["right", "<strong>2</strong>"],
    ]);
  });

  it("is the same whether it comes at once or character by character, and blocks that are complete stay the same elements", () => {
    const whole = shown(answer).innerHTML;
    const root = document.createElement("div");
    const show = markdownInto(root);
    let first: Element | null = null;
    for (let end = 1; end <= answer.length; end += 1) {
      show(answer.slice(0, end));
      if (end === answer.indexOf("> quoted")) first = root.firstElementChild;
    }
    expect(root.innerHTML).toBe(whole);
    expect(root.firstElementChild).toBe(first);
    expect(first?.tagName).toBe("H4");
  });

  it("O2 never becomes markup, code, or a request", () => {
    const hostile = [
      "<script>hit=1</script>",
      "a <img src=x onerror=hit=2> b <b>c</b>",
      "![picture](https://evil.invalid/x.png)",
      "[run](javascript:hit=3) [data](data:text/html,x) [file](file:///etc/passwd) [rel](/etc) [up](JaVaScRiPt:hit=4)",
      "<javascript:hit=5> <https://fine.example/>",
      "[ref]\n\n[ref]: javascript:hit=6",
      "```html\n<script>hit=7</script>\n```",
      "<details open ontoggle=hit=8><summary>x</summary></details>",
    ].join("\n\n");
    const root = shown(hostile);
    expect([...root.querySelectorAll("script, img, b, details, iframe, style, svg")]).toEqual([]);
    expect([...root.querySelectorAll("a")].map(({ href }) => href)).toEqual(["https://evil.invalid/x.png", "https://fine.example/"]);
    expect(root.textContent).toContain("a <img src=x onerror=hit=2> b <b>c</b>");
    expect(root.textContent).toContain("[run](javascript:hit=3)");
    const names = [...root.querySelectorAll("*")].flatMap((element) => element.getAttributeNames());
    expect(names.filter((name) => name.startsWith("on"))).toEqual([]);
  });

  it("shows what nests without end, or is too long, as text", () => {
    for (const text of ["[".repeat(5000), "a".repeat(200_000)]) expect(shown(text).textContent).toBe(text);
    for (const text of [">".repeat(5000), "- ".repeat(3000), `${"**_".repeat(3000)}x`]) expect(depthOf(shown(text))).toBeLessThan(50);
  });
});

function depthOf(element: Element): number {
  return 1 + Math.max(0, ...[...element.children].map(depthOf));
}
