/**
 * Pages as text with headings, without a parser: what is no part of the article goes, tags go, headings become `#`. Each step takes time in
 * proportion to the page, whatever it holds.
 */

import { entities } from "./entities.ts";

const dropped = /<(script|style|nav|header|footer|aside|template|noscript|svg|form)\b[^<>]*>[\s\S]*?(?:<\/\1\s*>|$)/gi;
/** ends and begins of these are ends of paragraphs */
const blocks =
  /<\/?(?:address|article|blockquote|caption|center|details|dialog|dd|dir|div|dl|dt|fieldset|figcaption|figure|h[1-6]|hgroup|hr|legend|main|menu|ol|p|section|select|summary|table|ul)\b[^<>]*>/gi;
/** What numbers from 128 mean in HTML: the characters of Windows-1252. */
const windows = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

/** @returns Markdown of headings, paragraphs, lists and code; the title of the page apart */
export function htmlToText(html: string): { readonly title: string | undefined; readonly text: string } {
  const [, title] = /<title\b[^<>]*>([^<]{0,500})/i.exec(html) ?? [];
  // marks of code, which has no place in a page
  const body = html
    .replaceAll(/[\ue000\ue001]/g, "")
    .replaceAll(/<!--[\s\S]*?(?:-->|$)/g, "")
    .replaceAll(/<head\b[\s\S]*?(?:<\/head\s*>|<body\b|$)/gi, "")
    .replaceAll(dropped, "\n");
  const kept: string[] = [];
  const text = body
    .replaceAll(/<pre\b[^<>]*>([\s\S]*?)(?:<\/pre\s*>|$)/gi, (_, code: string) => {
      kept.push(`\n\n\`\`\`\n${decoded(code.replaceAll(/<[^<>]*>/g, "")).trim()}\n\`\`\`\n\n`);
      return `\ue000${kept.length - 1}\ue001`;
    })
    .replaceAll(/\s+/g, " ")
    // A heading begins with its words, whatever is around them.
    .replaceAll(/(<h[1-6]\b[^<>]*>)(?:\s?<(?!\/?h[1-6]\b)[^<>]*>)+ ?/gi, "$1")
    .replaceAll(/<h([1-6])\b[^<>]*>/gi, (_, level: string) => `\n\n${"#".repeat(Number(level))} `)
    .replaceAll(/<li\b[^<>]*>/gi, "\n- ")
    .replaceAll(/<\/t[dh]\s*>/gi, " | ")
    .replaceAll(/<(?:br|\/tr|\/?(?:button|label|optgroup|option|textarea))\b[^<>]*>/gi, "\n")
    .replaceAll(blocks, "\n\n")
    .replaceAll(/<[^<>]*>/g, "");
  const plain = decoded(text)
    .split("\n")
    .map((line) => line.trim())
    .join("\n")
    .replaceAll(/\ue000(\d+)\ue001/g, (_, at: string) => kept[Number(at)] ?? "")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trim();
  return { title: title === undefined ? undefined : decoded(title.replaceAll(/\s+/g, " ")).trim() || undefined, text: plain };
}

/** Blanks that do not break are blanks; marks of where a word may break go. */
function decoded(text: string): string {
  return text
    .replaceAll(/&(#x[\da-f]{1,6}|#\d{1,7}|[a-z][\da-z]{1,7});/gi, (whole, name: string) => {
      if (!name.startsWith("#")) return entities.get(name) ?? entities.get(name.toLowerCase()) ?? whole;
      const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
      // no halves of pairs, and no marks of code
      const isCharacter = code > 0 && code <= 0x10_ffff && !(code >= 0xd800 && code <= 0xdfff) && code !== 0xe000 && code !== 0xe001;
      return windows[code - 128] ?? (isCharacter ? String.fromCodePoint(code) : "\ufffd");
    })
    .replaceAll("\u00a0", " ")
    .replaceAll("\u00ad", "");
}
