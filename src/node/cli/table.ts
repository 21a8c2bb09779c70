/** Lists in columns. On a terminal they keep its width: lines that break anywhere are no table. */
import { wrap } from "./format.ts";
import type { Screen } from "./render.ts";

/** A last column of text is not worth less. */
const leastProse = 30;

interface TableOptions {
  /** columns that a narrow terminal does without, the first of them first */
  readonly drops?: readonly string[] | undefined;
  /** the last column is text, and wraps under itself */
  readonly isProse?: boolean | undefined;
}

/** Columns as wide as they need; the last one takes what is left. */
export function table(
  screen: Pick<Screen, "out" | "outIsTerminal" | "columns" | "clean">,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { drops = [], isProse = false }: TableOptions = {},
): string {
  const all = rows.map((row) => row.map((cell) => screen.clean(cell).replace(/[\r\n\t]+/g, " ")));
  const widths = head.map((title, column) => Math.max(title.length, ...all.map((row) => row[column]?.length ?? 0)));
  const last = head.length - 1;
  if (isProse) widths[last] = Math.min(widths[last] ?? 0, leastProse);
  const room = screen.outIsTerminal ? screen.columns : Number.POSITIVE_INFINITY;
  const shown = new Set(head.keys());
  const widthOf = (): number => [...shown].reduce((sum, column) => sum + (widths[column] ?? 0) + 2, -2);
  for (const title of drops) if (widthOf() > room) shown.delete(head.indexOf(title));
  const before = widthOf() - (widths[last] ?? 0);
  const line = (row: readonly string[]): string => {
    const cells = [...shown].filter((column) => column !== last).map((column) => (row[column] ?? "").padEnd(widths[column] ?? 0));
    const texts = isProse ? wrap(row[last] ?? "", Math.max(16, room - before)) : [shown.has(last) ? (row[last] ?? "") : ""];
    const [first = "", ...more] = texts;
    return [[...cells, first].join("  ").trimEnd(), ...more.map((text) => " ".repeat(before) + text)].join("\n");
  };
  return [screen.out.dim(line(head)), ...all.map(line)].map((text) => `${text}\n`).join("");
}
