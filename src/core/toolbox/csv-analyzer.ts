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
    rows: integer("in all", 0, Number.MAX_SAFE_INTEGER),
    delimiter: text("what stands between values"),
    columns: list("in their order", column),
    problems: list("rows that are not as the others", { type: "string" }),
  }),
  async run({ csv, delimiter = "", header = true, limit = 10, columns: wanted }: Input) {
    const { default: papa } = await import("papaparse");
    const { data, meta, errors } = papa.parse<string[]>(csv, { delimiter, skipEmptyLines: "greedy" });
    const rows = data.map((row) => row.map((value) => value.trim()));
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
      delimiter: meta.delimiter,
      columns: chosen.map(([name, i]) =>
        describe(
          name,
          body.map((row) => row[i] ?? ""),
        ),
      ),
      problems: [
        ...errors.filter(({ type }) => type === "Quotes").map(({ message, row }) => `row ${(row ?? 0) + 1}: ${message}`),
        ...uneven,
      ].slice(0, 20),
    };
  },
};

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
const date = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

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
  return values.every((value) => date.test(value)) ? "date" : "text";
}

/** Numbers that a double holds as they are written; others stay text, long identifiers and leading zeros among them. */
function typedValue(text: string): unknown {
  if (text === "") return null;
  if (/^(?:true|false)$/i.test(text)) return text.toLowerCase() === "true";
  return /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/.test(text) ? Number(text) : text;
}
