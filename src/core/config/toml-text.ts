/** A configuration as TOML that loads again. Pure; values of secret keys are the caller's business. */

export interface TomlOptions {
  /** Said behind a value as a comment, by dotted path. */
  readonly note?: ((path: string) => string | undefined) | undefined;
  /** Lines before a key, without their `#`, by dotted path. */
  readonly above?: ((path: string) => string | undefined) | undefined;
  /** Only this top-level name; headers of tables stay whole. */
  readonly section?: string | undefined;
}

type Table = Readonly<Record<string, unknown>>;

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
    const above = options.above?.(full);
    const note = options.note?.(full);
    if (above !== undefined) lines.push(`# ${above}`);
    lines.push(`${keyText(name)} = ${valueText(value)}${note === undefined ? "" : ` # ${note}`}`);
  }
  const body = lines.length > 0 && path.length > 0 ? ["", `[${path.map(keyText).join(".")}]`, ...lines] : lines;
  const tables = entries.flatMap(([name, inner]) => (isTable(inner) ? tableLines(inner, [...path, name], options) : []));
  // an empty table says something too: it was declared
  if (body.length + tables.length > 0 || path.length === 0) return [...body, ...tables];
  const above = options.above?.(path.join("."));
  return ["", ...(above === undefined ? [] : [`# ${above}`]), `[${path.map(keyText).join(".")}]`];
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function keyText(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : stringText(name);
}

/** JSON's escapes are all TOML's too; DEL is one that JSON leaves alone. */
function stringText(text: string): string {
  return JSON.stringify(text).replaceAll("\u007f", "\\u007f");
}

function valueText(value: unknown): string {
  if (typeof value === "string") return stringText(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  if (isTable(value))
    return `{ ${Object.entries(value)
      .map(([name, inner]) => `${keyText(name)} = ${valueText(inner)}`)
      .join(", ")} }`;
  if (typeof value === "number" && !Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value < 0 ? "-inf" : "inf";
  return String(value);
}
