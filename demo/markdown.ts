/**
 * Shows Markdown as elements while it is written. No markup is made on the way: marked splits the text into tokens, and each token becomes
 * an element with text in it. So HTML in an answer stays text, and a picture becomes a link: this page fetches nothing that an answer names.
 */
import { Lexer, type Token, type Tokens } from "marked";
import { copyButton } from "./copy.ts";
import { make } from "./elements.ts";

/** A longer answer stays plain text: splitting it again for each piece would block the page. */
const maxLength = 100_000;
/** Quotes and lists inside each other, at most; deeper ones stay plain text. */
const maxDepth = 20;

/** @returns a function that shows this text in `root`; blocks that did not change since the last call stay as they are */
export function markdownInto(root: HTMLElement): (text: string) => void {
  let shown: readonly string[] = [];
  return (text) => {
    const tokens = text.length > maxLength ? plain(text) : split(text);
    const sources = tokens.map(({ raw }) => raw);
    let same = 0;
    while (same < shown.length && shown[same] === sources[same]) same += 1;
    root.replaceChildren(...[...root.childNodes].slice(0, same), ...tokens.slice(same).map((token) => block(token, 0)));
    shown = sources;
  };
}

function split(text: string): readonly Token[] {
  try {
    return Lexer.lex(text, { gfm: true }).filter(({ type }) => type !== "space" && type !== "def");
  } catch {
    return plain(text); // marked gives up on some texts, such as endless nesting
  }
}

const plain = (text: string): readonly Token[] => [{ type: "text", raw: text, text }];

function block(token: Token, depth: number): HTMLElement {
  if (depth > maxDepth) return make("p", { text: token.raw });
  switch (token.type) {
    case "heading": {
      // The page's own headings end at the third level.
      const level = Math.min(6, 3 + (token as Tokens.Heading).depth) as 4 | 5 | 6;
      return make(`h${level}`, {}, ...inline(token.tokens, depth));
    }
    case "code":
      return codeBlock(token as Tokens.Code);
    case "blockquote":
      return make("blockquote", {}, ...blocks(token.tokens, depth));
    case "list":
      return list(token as Tokens.List, depth);
    case "table":
      return table(token as Tokens.Table, depth);
    case "hr":
      return make("hr");
    default:
      return make("p", {}, ...inline(token.type === "html" ? plain(token.raw) : (partsOf(token) ?? plain(token.raw)), depth));
  }
}

function blocks(tokens: readonly Token[] | undefined, depth: number): readonly HTMLElement[] {
  return (tokens ?? []).filter(({ type }) => type !== "space" && type !== "def").map((token) => block(token, depth + 1));
}

function codeBlock({ text, lang }: Tokens.Code): HTMLElement {
  const language = lang?.split(/\s/)[0] ?? "";
  return make(
    "figure",
    { class: "code-block" },
    make(
      "figcaption",
      {},
      make("span", { text: language === "" ? "code" : language }),
      copyButton("code", () => text),
    ),
    make("pre", { attributes: { tabindex: "0" } }, make("code", { text })),
  );
}

function list({ ordered, start, items }: Tokens.List, depth: number): HTMLElement {
  const rows = items.map(({ task, checked, tokens }) => {
    const parts = tokens.filter(({ type }) => type !== "checkbox");
    const [only] = parts;
    // an item of one line is text, not a paragraph
    const isLine = only?.type === "text" && parts.length === 1;
    const content = isLine ? inline(partsOf(only) ?? plain(only.raw), depth) : blocks(parts, depth);
    return make("li", {}, ...(task ? [document.createTextNode(checked === true ? "☑ " : "☐ ")] : []), ...content);
  });
  return make(ordered ? "ol" : "ul", { attributes: typeof start === "number" && start > 1 ? { start: String(start) } : {} }, ...rows);
}

function table({ header, rows }: Tokens.Table, depth: number): HTMLElement {
  const row = (cells: readonly Tokens.TableCell[], tag: "th" | "td"): HTMLElement =>
    make("tr", {}, ...cells.map(({ tokens, align }) => make(tag, { class: align ?? "left" }, ...inline(tokens, depth))));
  const whole = make("table", {}, make("thead", {}, row(header, "th")), make("tbody", {}, ...rows.map((cells) => row(cells, "td"))));
  return make("div", { class: "wide", attributes: { tabindex: "0" } }, whole);
}

const partsOf = (token: Token): readonly Token[] | undefined => ("tokens" in token ? token.tokens : undefined);

function inline(tokens: readonly Token[] | undefined, depth: number): readonly Node[] {
  if (depth > maxDepth) return (tokens ?? []).map(({ raw }) => document.createTextNode(raw));
  return (tokens ?? []).map((token) => phrase(token, depth + 1));
}

function phrase(token: Token, depth: number): Node {
  switch (token.type) {
    case "strong":
    case "em":
    case "del":
      return make(token.type, {}, ...inline(token.tokens, depth));
    case "codespan":
      return make("code", { text: (token as Tokens.Codespan).text });
    case "br":
      return make("br");
    case "link":
      return link(token as Tokens.Link, inline(token.tokens, depth));
    case "image": {
      const { text, href } = token as Tokens.Image;
      return link(token as Tokens.Image, [document.createTextNode(text === "" ? href : text)]);
    }
    case "escape":
      return document.createTextNode((token as Tokens.Escape).text);
    case "html":
      return document.createTextNode(token.raw);
    default:
      if (partsOf(token) !== undefined) return make("span", {}, ...inline(partsOf(token), depth));
      return document.createTextNode("text" in token ? String(token.text) : token.raw);
  }
}

/** An address other than of the web or of a mailbox stays text: a model may write `javascript:`. */
function link({ href, raw }: { readonly href: string; readonly raw: string }, content: readonly Node[]): Node {
  if (!/^(https?:\/\/|mailto:)/i.test(href) || !URL.canParse(href)) return document.createTextNode(raw);
  return make("a", { attributes: { href, target: "_blank", rel: "noopener noreferrer nofollow", title: href } }, ...content);
}
