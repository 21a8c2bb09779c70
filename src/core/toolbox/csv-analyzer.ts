/** `csv-analyzer`: what is in a table of separated values. papaparse finds the separator. */
import { toolFailed, toolLimit } from "./failure.ts";
import { any, flag, integer, list, number, object, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

interface Input {
  readonly csv: string;
  readonly delimiter?: string;
  readonly header?: boolean;
  readonly limit?: number;
  readonly columns?: readonly string[];
}

const mostColumns = 1000;
const mostKept = 10_000;
const mostProblems = 20;

const column = object(
  {
    name: text("from the first line, or its number"),
    type: text("number, integer, boolean, date, text or empty"),
    count: integer("rows with a value", 0, Number.MAX_SAFE_INTEGER),
    missing: integer("rows without", 0, Number.MAX_SAFE_INTEGER),
    distinct: integer("different values", 0, Number.MAX_SAFE_INTEGER),
    min: number("of numbers"),
    max: number("of numbers"),
    mean: number("of numbers"),
    sum: number("of numbers"),
    most_common: list("values that occur more than once, most often first", any("{ value, count }")),
  },
  ["name", "type", "count", "missing", "distinct"],
);

export const csvAnalyzer: ToolDefinition = {
  name: "csv-analyzer",
  description:
    "Reads a table of separated values (CSV, TSV): its separator, columns with types and statistics, and its first rows as records.",
  category: "data",
  version: "1.0.0",
  tags: ["table", "statistics"],
  parameters: object(
    {
      csv: text("the whole text"),
      delimiter: text("what stands between values [found]"),
      header: flag("the first line has the names of the columns [true]"),
      limit: integer("rows that are given as records [10]", 0, mostKept),
      columns: list("only these columns [all]", { type: "string" }),
    },
    ["csv"],
  ),
  output: object({
    result: list("the first rows, as records", any("values by column")),
    rows: integer("in all, without the names of the columns and blank lines", 0, Number.MAX_SAFE_INTEGER),
    delimiter: text("what stands between values"),
    columns: list("in their order", column),
    problems: list("rows that are not as the others; 1 is the first of result", { type: "string" }),
  }),
  async run({ csv, delimiter: given = "", header = true, limit = 10, columns: wanted }: Input) {
    const { default: papa } = await import("papaparse");
    const delimiter = given === "" ? findDelimiter(csv, papa.parse) : given;
    const whole = csv.replace(/^\ufeff/, "");
    const rows: string[][] = [];
    /** rows whose quotes are wrong, counted as they are given */
    const quotes: string[] = [];
    let from = 0;
    papa.parse<string[]>(whole, {
      delimiter,
      step({ data, errors, meta: { cursor } }) {
        // quotes around nothing are a value that is missing, no blank line
        const isBlank = data.length === 1 && whole.slice(from, cursor).trim() === "";
        from = cursor;
        if (isBlank) return;
        const row = rows.push(data.map((value) => value.trim())) - (header ? 1 : 0);
        for (const { type, message } of errors)
          if (type === "Quotes") quotes.push(`${row === 0 ? "names of the columns" : `row ${row}`}: ${message}`);
      },
    });
    const [first = []] = rows;
    if (first.length === 0) throw toolFailed("csv-analyzer", "expected a table, got no rows");
    if (first.length > mostColumns) throw toolLimit("csv-analyzer", `expected at most ${mostColumns} columns, got ${first.length}`);
    const names = header ? distinctNames(first) : first.map((_, i) => String(i + 1));
    const body = header ? rows.slice(1) : rows;
    const missing = wanted?.find((name) => !names.includes(name));
    if (missing !== undefined)
      throw toolFailed("csv-analyzer", `expected columns of ${names.join(", ").slice(0, 300)}, got ${missing.slice(0, 60)}`);
    const chosen = names.flatMap((name, i) => (wanted === undefined || wanted.includes(name) ? [[name, i] as const] : []));
    const uneven = body.flatMap((row, i) =>
      row.length === names.length ? [] : [`row ${i + 1}: expected ${names.length} values, got ${row.length}`],
    );
    return {
      result: body.slice(0, limit).map((row) => Object.fromEntries(chosen.map(([name, i]) => [name, typedValue(row[i] ?? "")]))),
      rows: body.length,
      delimiter,
      columns: chosen.map(([name, i]) =>
        describe(
          name,
          body.map((row) => row[i] ?? ""),
        ),
      ),
      problems: [...new Set([...quotes, ...uneven])].slice(0, mostProblems),
    };
  },
};

type Parse = (
  csv: string,
  options: { delimiter?: string; preview: number; skipEmptyLines: "greedy" },
) => {
  readonly data: readonly (readonly string[])[];
  readonly meta: { readonly delimiter: string };
  readonly errors: readonly { readonly type: string }[];
};

/** What papaparse finds; it sees none where many rows are short: there the first line says it. */
function findDelimiter(csv: string, parse: Parse): string {
  const found = parse(csv, { preview: 1, skipEmptyLines: "greedy" });
  if (!found.errors.some(({ type }) => type === "Delimiter")) return found.meta.delimiter;
  const fieldsOf = (delimiter: string): number => parse(csv, { delimiter, preview: 1, skipEmptyLines: "greedy" }).data[0]?.length ?? 0;
  const [best = ","] = [",", ";", "\t", "|"].sort((a, b) => fieldsOf(b) - fieldsOf(a));
  return best;
}

/** A name that occurs again gets a number, so that no value is lost. */
function distinctNames(names: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return names.map((name, i) => {
    let own = name === "" ? String(i + 1) : name;
    for (let n = 2; seen.has(own); n += 1) own = `${name}_${n}`;
    seen.add(own);
    return own;
  });
}

const numeric = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const hours = String.raw`(?:[01]\d|2[0-3])`;
const date = new RegExp(
  String.raw`^(\d{4})-(\d\d)-(\d\d)(?:[T ]${hours}:[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|[+-]${hours}(?::?[0-5]\d)?)?)?$`,
);

/** One that a calendar has. */
function isDate(text: string): boolean {
  const [, year, month, day] = date.exec(text) ?? [];
  if (day === undefined) return false;
  const made = new Date(`${year}-${month}-01T00:00:00Z`);
  made.setUTCDate(Number(day));
  // NaN for a month that is none
  return Number(day) > 0 && made.getUTCMonth() + 1 === Number(month);
}

function describe(name: string, all: readonly string[]) {
  const values = all.filter((value) => value !== "");
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const type = typeOf(values);
  const numbers = type === "integer" || type === "number" ? values.map(Number) : [];
  const sum = numbers.reduce((total, value) => total + value, 0);
  const common = [...counts].filter(([, count]) => count > 1).sort(([, a], [, b]) => b - a);
  return {
    name,
    type,
    count: values.length,
    missing: all.length - values.length,
    distinct: counts.size,
    ...(numbers.length > 0 && {
      min: numbers.reduce((least, value) => Math.min(least, value)),
      max: numbers.reduce((most, value) => Math.max(most, value)),
      mean: sum / numbers.length,
      sum,
    }),
    ...(common.length > 0 && { most_common: common.slice(0, 5).map(([value, count]) => ({ value, count })) }),
  };
}

function typeOf(values: readonly string[]): string {
  if (values.length === 0) return "empty";
  if (values.every((value) => numeric.test(value))) return values.every((value) => /^[+-]?\d+$/.test(value)) ? "integer" : "number";
  if (values.every((value) => /^(?:true|false)$/i.test(value))) return "boolean";
  return values.every(isDate) ? "date" : "text";
}

/** Numbers that a double holds as they are written; others stay text, long identifiers and leading zeros among them. */
function typedValue(text: string): unknown {
  if (text === "") return null;
  if (/^(?:true|false)$/i.test(text)) return text.toLowerCase() === "true";
  return /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/.test(text) ? Number(text) : text;
}
