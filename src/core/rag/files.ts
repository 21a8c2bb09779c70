/** Files as texts: which are read, and how. */
import { SpellError } from "../errors.ts";
import type { DocumentReaders } from "../platform.ts";

/** How a text is cut: prose by headings and blocks, lines where they end, a table with its first line as heading. */
export type TextForm = "prose" | "lines" | "table";

export interface FileText {
  readonly text: string;
  readonly form: TextForm;
  readonly title?: string | undefined;
  /** UTF-16 units of the file before the text: a byte order mark; default 0 */
  readonly before?: number | undefined;
}

const byteOrderMark = "\ufeff";

/** A mark at the beginning is none of the text: a heading behind it is one. */
export function withoutMark(text: string): Pick<FileText, "text" | "before"> {
  return text.startsWith(byteOrderMark) ? { text: text.slice(1), before: 1 } : { text };
}

const prose = new Set("md markdown mdx txt text rst adoc org tex srt vtt".split(" "));
const tables = new Set(["csv", "tsv"]);
const pages = new Set(["html", "htm", "xhtml"]);
const lines = new Set(
  "json jsonl ndjson yaml yml toml ini cfg conf xml svg log sql sh bash zsh fish ps1 bat js mjs cjs jsx ts mts cts tsx py rb go rs java kt kts scala swift c h cc cpp cxx hpp hh m mm cs fs php pl lua r jl ex exs erl hs ml clj dart vue svelte css scss less graphql proto tf nix zig".split(
    " ",
  ),
);
const plainNames = new Set(["readme", "license", "licence", "changelog", "authors", "contributing", "notice", "makefile", "dockerfile"]);

/** The ending of a name, in lower case: "md". Of a known name without one: "txt". */
function kindOf(name: string): string {
  const last = name.split(/[\\/]/).at(-1)?.toLowerCase() ?? "";
  if (last.includes(".")) return last.split(".").at(-1) ?? "";
  return plainNames.has(last) ? "txt" : "";
}

/** Whether a file of this name is read where a folder is given. */
export function isReadable(name: string): boolean {
  const kind = kindOf(name);
  return [prose, tables, pages, lines].some((all) => all.has(kind)) || kind === "pdf" || kind === "docx";
}

/**
 * @throws SpellError rag-file: not UTF-8, no text, of no kind that is read; rag-package: a package is missing
 */
export async function textOfFile(name: string, bytes: Uint8Array, readers: DocumentReaders | undefined): Promise<FileText> {
  const kind = kindOf(name);
  if (kind === "pdf" || kind === "docx") {
    if (readers === undefined)
      throw new SpellError("rag-file", `${name}: this host reads no ${kind.toUpperCase()}; expected text`, { where: name });
    const text = await readers[kind](bytes, name);
    if (text.trim() === "")
      throw new SpellError("rag-file", `${name}: expected text, got none: its pages may be pictures`, {
        where: name,
        hint: "Run text recognition on it first.",
      });
    return kind === "docx" ? page(text) : { text, form: "prose" };
  }
  const read = withoutMark(textOf(name, bytes));
  if (pages.has(kind)) return page(read.text);
  if (tables.has(kind)) return { ...read, form: "table" };
  return { ...read, form: lines.has(kind) ? "lines" : "prose" };
}

async function page(html: string): Promise<FileText> {
  const { htmlToText } = await import("./html.ts");
  return { ...htmlToText(html), form: "prose" };
}

/** @throws SpellError rag-file */
function textOf(name: string, bytes: Uint8Array): string {
  const [a, b] = bytes;
  const encoding = a === 0xff && b === 0xfe ? "UTF-16 (little-endian)" : a === 0xfe && b === 0xff ? "UTF-16 (big-endian)" : undefined;
  const isBinary = encoding === undefined && bytes.subarray(0, 8192).includes(0);
  if (encoding === undefined && !isBinary) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      // told below
    }
  }
  const got = encoding ?? (isBinary ? "bytes that are no text" : "another encoding, such as Latin-1");
  throw new SpellError("rag-file", `${name}: expected text in UTF-8, got ${got}`, {
    where: name,
    hint: isBinary ? "Leave the file out." : "Save it as UTF-8.",
    details: { got },
  });
}
