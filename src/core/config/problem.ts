/** What is wrong with a configuration, collected: a person gets every problem in one go. */
import { type ErrorCode, SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import { maskLine } from "./mask.ts";

export type ProblemCode = Extract<ErrorCode, `config-${string}` | "env-value">;

export interface Problem {
  readonly code: ProblemCode;
  /** dotted path of the key; absent for a text that cannot be read at all */
  readonly path?: string;
  /** says wanted and got */
  readonly message: string;
  /** "llmspell.toml:3:1", "profile:candle", "env:NAME" */
  readonly where: string;
  readonly line?: number;
  readonly column?: number;
  /** the line with a caret under the mistake */
  readonly frame?: string;
  readonly expected?: string;
  readonly got?: string;
  /** a name that may have been meant */
  readonly nearest?: string;
}

/** More would not be read; all of them are in the details. */
const shownProblems = 20;

/** @returns one error for all problems; the first one gives the code */
export function problemsError(problems: readonly [Problem, ...Problem[]], source: string, commands: readonly string[]): SpellError {
  const [first] = problems;
  const texts = problems.slice(0, shownProblems).map(textOf);
  const more = problems.length > shownProblems ? `\n\nand ${problems.length - shownProblems} more` : "";
  return new SpellError(
    first.code,
    problems.length === 1
      ? (texts[0] ?? "")
      : `${source}: ${problems.length < limits.configProblems ? problems.length : `${limits.configProblems} or more`} problems\n\n${texts.join("\n\n")}${more}`,
    {
      ...(first.code === "env-value" ? { where: first.where } : first.path === undefined ? {} : { where: first.path }),
      commands: first.code === "env-value" ? [`unset ${first.where}`] : commands,
      details: { problems },
    },
  );
}

function textOf({ where, path, message, frame }: Problem): string {
  const head = `${where}: ${path === undefined ? "" : `${path}: `}${message}`;
  return frame === undefined ? head : `${head}\n${frame}`;
}

/** Columns of a line that are shown around the mistake. */
const shownColumns = 100;

/** Line and column, from 1, of an offset; columns count UTF-16 units. */
export function lineAndColumn(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: offset - start + 1 };
}

/**
 * The line of a range with carets below it:
 *   3 | temprature = 0.5
 *     | ^^^^^^^^^^
 */
export function frameAt(text: string, [start, end]: readonly [number, number]): string {
  const { line, column } = lineAndColumn(text, start);
  const lineStart = start - column + 1;
  const newline = text.indexOf("\n", start);
  const whole = text.slice(lineStart, newline < 0 ? text.length : newline).replace(/\r$/, "");
  const from = Math.max(0, column - 1 - shownColumns / 2);
  const raw = whole.slice(from, from + shownColumns).replaceAll("\t", " ");
  const shown = maskLine(raw);
  // where a secret was masked nothing behind it stands where it stood
  const width = shown === raw ? Math.max(1, Math.min(end - start, raw.length - (column - 1 - from))) : 1;
  const caretAt = Math.min(column - 1 - from, shown.length);
  const gutter = String(line).length;
  return `  ${line} | ${shown}\n  ${" ".repeat(gutter)} | ${" ".repeat(caretAt)}${"^".repeat(width)}`;
}
