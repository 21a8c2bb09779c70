/**
 * Pages as text with headings, without a parser: what is no part of the article goes, tags go, headings become `#`. Each step takes time in
 * proportion to the page, whatever it holds.
 */

const dropped = /<(script|style|nav|header|footer|aside|template|noscript|svg|form)\b[^<>]*>[\s\S]*?(?:<\/\1\s*>|$)/gi;
const named: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  hellip: "…",
  mdash: "—",
  ndash: "–",
  copy: "©",
};

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
    .replaceAll(/<h([1-6])\b[^<>]*>/gi, (_, level: string) => `\n\n${"#".repeat(Number(level))} `)
    .replaceAll(/<li\b[^<>]*>/gi, "\n- ")
    .replaceAll(/<\/t[dh]\s*>/gi, " | ")
    .replaceAll(/<(?:br|\/tr)\b[^<>]*>/gi, "\n")
    .replaceAll(/<\/?(?:p|div|section|article|main|h[1-6]|ul|ol|table|blockquote|dl|dt|dd|figure|hr)\b[^<>]*>/gi, "\n\n")
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

function decoded(text: string): string {
  return text.replaceAll(/&(#x[\da-f]{1,6}|#\d{1,7}|[a-z]{2,8});/gi, (whole, name: string) => {
    if (!name.startsWith("#")) return named[name.toLowerCase()] ?? whole;
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code > 0 && code <= 0x10_ffff ? String.fromCodePoint(code) : "\ufffd";
  });
}
