/** Writes a configuration as TOML that loads again. Pure; masks nothing. */
import { isTable, numberText, type Table } from "./value.ts";

export interface TomlOptions {
  /** Comment behind a value, by dotted path. */
  readonly note?: ((path: string) => string | undefined) | undefined;
  /** Comment line before a key, without its `#`, by dotted path. */
  readonly above?: ((path: string) => string | undefined) | undefined;
  /** Only this top-level name; headers of tables stay whole. */
  readonly section?: string | undefined;
}

export function configToml(config: object, options: TomlOptions = {}): string {
  const root = config as Table;
  const { section } = options;
  const shown = section === undefined ? root : { [section]: root[section] };
  return `${tableLines(shown, [], options).join("\n").trim()}\n`;
}

/** Values first: below a header every line belongs to its table. */
function tableLines(table: Table, path: readonly string[], options: TomlOptions): string[] {
  const entries = Object.entries(table).filter(([, value]) => value !== undefined);
  const lines: string[] = [];
  for (const [name, value] of entries.filter(([, inner]) => !isTable(inner))) {
    const full = [...path, name].join(".");
    const note = options.note?.(full);
    lines.push(...commentLines(full, options), `${keyText(name)} = ${valueText(value)}${note === undefined ? "" : ` # ${note}`}`);
  }
  const header = ["", `[${path.map(keyText).join(".")}]`];
  const body = lines.length > 0 && path.length > 0 ? [...header, ...lines] : lines;
  const tables = entries.flatMap(([name, inner]) => (isTable(inner) ? tableLines(inner, [...path, name], options) : []));
  // an empty table has a meaning too: it was declared
  if (body.length + tables.length > 0 || path.length === 0) return [...body, ...tables];
  return ["", ...commentLines(path.join("."), options), ...header.slice(1)];
}

function commentLines(path: string, { above }: TomlOptions): string[] {
  const text = above?.(path);
  return text === undefined ? [] : [`# ${text}`];
}

export function keyText(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : stringText(name);
}

/** TOML has all escapes of JSON; DEL is one that JSON leaves as it is. */
function stringText(text: string): string {
  return JSON.stringify(text).replaceAll("\u007f", "\\u007f");
}

/** A value as TOML writes it. */
export function valueText(value: unknown): string {
  if (typeof value === "string") return stringText(value);
  if (typeof value === "number") return numberText(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  if (!isTable(value)) return String(value);
  const pairs = Object.entries(value).map(([name, inner]) => `${keyText(name)} = ${valueText(inner)}`);
  return `{ ${pairs.join(", ")} }`;
}
