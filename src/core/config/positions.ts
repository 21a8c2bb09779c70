/**
 * Where each key of a TOML text stands. The parser in use tells positions of mistakes only, and an error about a value has to show its line.
 * Reads text that the parser has accepted, so it checks nothing; what it does not know it steps over.
 */

/** Offsets into the text, ends exclusive. */
export interface Position {
  readonly key: readonly [number, number];
  /** absent for a table header */
  readonly value?: readonly [number, number] | undefined;
}

/** Parts of a path as one text; no key can hold U+0000. */
export function pathId(parts: readonly string[]): string {
  return parts.join("\u0000");
}

/** @returns positions by pathId(); of a table that is never named itself, that of its first key */
export function locateKeys(text: string): ReadonlyMap<string, Position> {
  const found = new Map<string, Position>();
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;

  const record = (parts: readonly string[], position: Position): void => {
    for (let depth = 1; depth < parts.length; depth++) {
      const table = pathId(parts.slice(0, depth));
      if (!found.has(table)) found.set(table, { key: position.key });
    }
    const id = pathId(parts);
    if (!found.has(id) || position.value !== undefined) found.set(id, position);
  };
  /** Spaces, newlines and comments. */
  const skipVoid = (): void => {
    for (;;) {
      while (at < text.length && " \t\r\n".includes(text[at] ?? "")) at += 1;
      if (text[at] !== "#") return;
      while (at < text.length && text[at] !== "\n") at += 1;
    }
  };
  const skipString = (): string => {
    const start = at;
    const quote = text[at] ?? "";
    const mark = text.startsWith(quote.repeat(3), at) ? quote.repeat(3) : quote;
    at += mark.length;
    while (at < text.length && !text.startsWith(mark, at)) at += quote === '"' && text[at] === "\\" ? 2 : 1;
    at += mark.length;
    // """a"""" ends with up to two quotes of its own
    while (mark.length === 3 && text[at] === quote) at += 1;
    return text.slice(start + mark.length, at - mark.length);
  };
  /** `a."b.c"` up to the sign behind it. */
  const readKey = (): readonly string[] => {
    const parts: string[] = [];
    for (;;) {
      while (text[at] === " " || text[at] === "\t") at += 1;
      if (text[at] === '"') parts.push(unescapeKey(skipString()));
      else if (text[at] === "'") parts.push(skipString());
      else {
        const start = at;
        while (at < text.length && /[\w-]/.test(text[at] ?? "")) at += 1;
        parts.push(text.slice(start, at));
      }
      const end = at;
      while (text[at] === " " || text[at] === "\t") at += 1;
      if (text[at] !== ".") {
        at = end;
        return parts;
      }
      at += 1;
    }
  };
  const readPair = (table: readonly string[], named: boolean): void => {
    const start = at;
    const parts = [...table, ...readKey()];
    const end = at;
    const sign = text.indexOf("=", at);
    at = sign < 0 ? text.length : sign + 1;
    while (text[at] === " " || text[at] === "\t") at += 1;
    const valueStart = at;
    skipValue(parts, named);
    if (named) record(parts, { key: [start, end], value: [valueStart, at] });
  };
  /** @param named false inside a list, where keys have no path of their own */
  const skipValue = (path: readonly string[], named: boolean): void => {
    const first = text[at];
    if (first === '"' || first === "'") skipString();
    else if (first === "[" || first === "{") {
      const close = first === "[" ? "]" : "}";
      at += 1;
      for (;;) {
        skipVoid();
        if (at >= text.length || text[at] === close) break;
        if (text[at] === ",") at += 1;
        else if (first === "[") skipValue(path, false);
        else readPair(path, named);
      }
      at += 1;
    } else {
      const start = at;
      while (at < text.length && !/[,\]}#\r\n]/.test(text[at] ?? "")) at += 1;
      at = start + text.slice(start, at).trimEnd().length;
      if (at === start) at += 1;
    }
  };

  let table: readonly string[] = [];
  for (skipVoid(); at < text.length; skipVoid()) {
    if (text[at] !== "[") {
      readPair(table, true);
      continue;
    }
    const start = at;
    at += text[at + 1] === "[" ? 2 : 1;
    table = readKey();
    while (text[at] === "]" || text[at] === " " || text[at] === "\t") at += 1;
    record(table, { key: [start, start + text.slice(start, at).trimEnd().length] });
  }
  return found;
}

function unescapeKey(text: string): string {
  if (!text.includes("\\")) return text;
  const short: Readonly<Record<string, string>> = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", e: "\u001b" };
  return text.replace(/\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)/gi, (_, code: string) =>
    code.length > 1 ? String.fromCodePoint(Number.parseInt(code.slice(1), 16)) : (short[code] ?? code),
  );
}
