/** Changes one key of a TOML text and leaves everything else as it is, comments too. Each way to write it is tried, until one reads as meant. */
import { parse } from "smol-toml";
import { locateKeys, pathId } from "./positions.ts";
import { keyText } from "./toml-text.ts";

/**
 * @param text a configuration that can be read
 * @param value as TOML; undefined removes the key
 * @returns undefined where the text is written so that this cannot be done: the key stands in a table of one line
 */
export function editToml(text: string, parts: readonly string[], value: string | undefined): string | undefined {
  const wanted = value === undefined ? undefined : readAt(`v = ${value}`, ["v"]);
  return candidates(text, parts, value).find((candidate) => same(readAt(candidate, parts), wanted));
}

function candidates(text: string, parts: readonly string[], value: string | undefined): readonly string[] {
  const positions = locateKeys(text);
  const found = positions.get(pathId(parts))?.value;
  const start = positions.get(pathId(parts))?.key[0];
  if (found !== undefined && value !== undefined) return [text.slice(0, found[0]) + value + text.slice(found[1])];
  if (found !== undefined && start !== undefined) {
    const line = text.lastIndexOf("\n", start - 1) + 1;
    const end = text.indexOf("\n", found[1]);
    if (text.slice(line, start).trim() !== "") return [];
    const rest = end < 0 ? "" : text.slice(end + 1);
    return [withoutLastHeader(text.slice(0, line), rest) + rest, text.slice(0, line) + rest];
  }
  if (value === undefined) return [text];
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const insert = (at: number, line: string): string => {
    const isBroken = at > 0 && text[at - 1] !== "\n" && text[at - 1] !== "\ufeff";
    return `${text.slice(0, at)}${isBroken ? newline : ""}${line}${newline}${text.slice(at)}`;
  };
  const lineOf = (own: readonly string[]): string => `${own.map(keyText).join(".")} = ${value}`;
  const tables = parts
    .slice(0, -1)
    .map((_, i) => parts.slice(0, i + 1))
    .reverse();
  const below = tables.flatMap((table) => {
    const header = positions.get(pathId(table))?.key;
    if (header === undefined || text[header[0]] !== "[") return [];
    const end = text.indexOf("\n", header[1]);
    return [[table.length, insert(end < 0 ? text.length : end + 1, lineOf(parts.slice(table.length)))] as const];
  });
  const table = parts.slice(0, -1).map(keyText).join(".");
  const begun =
    table === "" ? [] : [insert(text.length, `${text.trim() === "" ? "" : newline}[${table}]${newline}${lineOf(parts.slice(-1))}`)];
  // before the first table, below the comments that begin the file
  const heads = /^\ufeff?(?:[ \t]*#[^\n]*\n)*/.exec(text)?.[0].length ?? 0;
  const parents = below.filter(([depth]) => depth === parts.length - 1).map(([, edited]) => edited);
  return [...parents, ...begun, ...below.map(([, edited]) => edited), insert(heads, lineOf(parts))];
}

/** A table that would be left empty goes with its last key: declared and empty, it means something else than not declared. */
function withoutLastHeader(before: string, rest: string): string {
  const text = before.trimEnd();
  const start = text.lastIndexOf("\n") + 1;
  const isLast = /^\[[^[\]]*\]$/.test(text.slice(start).trim()) && /^\s*(?:\[|$)/.test(rest);
  // with the empty line above it
  return isLast ? before.slice(0, start).replace(/(\r?\n)\r?\n$/, "$1") : before;
}

function readAt(text: string, parts: readonly string[]): unknown {
  try {
    return parts.reduce<unknown>(
      (table, part) => (table as Record<string, unknown> | undefined)?.[part],
      parse(text, { integersAsBigInt: true }),
    );
  } catch {
    return unreadable;
  }
}

const unreadable = Symbol("unreadable");

function same(a: unknown, b: unknown): boolean {
  return Array.isArray(a) && Array.isArray(b) ? a.length === b.length && a.every((each, i) => same(each, b[i])) : a === b;
}
