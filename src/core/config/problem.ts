/** What is wrong with a configuration, collected: a person gets every problem in one go. */
import { type ErrorCode, SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import { shellQuote } from "../shell-quote.ts";
import { mask } from "./keys.ts";
import { isInsideSecret, maskLine } from "./mask.ts";

export type ProblemCode = Extract<ErrorCode, `config-${string}` | "env-value">;

export interface Problem {
  readonly code: ProblemCode;
  /** dotted path of the key; absent for a text that cannot be read at all */
  readonly path?: string | undefined;
  /** says wanted and got */
  readonly message: string;
  /** "llmspell.toml:3:1", "profile:candle", "env:NAME" */
  readonly where: string;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  /** the line with a caret under the mistake */
  readonly frame?: string | undefined;
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
  /** a name that may have been meant */
  readonly nearest?: string | undefined;
}

/** More would not be read; all of them are in the details. */
const shownProblems = 20;

/**
 * @param source named in the headline
 * @param file which to validate, where it is one
 * @returns one error for all problems; the first one gives the code
 */
export function problemsError(problems: readonly [Problem, ...Problem[]], source: string, file: string | undefined): SpellError {
  const [first] = problems;
  const variables = problems.filter(({ code }) => code === "env-value").map(({ where }) => where);
  const named = variables.length === problems.length ? "environment" : source;
  const texts = problems.slice(0, shownProblems).map(textOf);
  const more = problems.length > shownProblems ? `\n\nand ${problems.length - shownProblems} more` : "";
  return new SpellError(
    first.code,
    problems.length === 1
      ? (texts[0] ?? "")
      : `${named}: ${problems.length < limits.configProblems ? problems.length : `${limits.configProblems} or more`} problems\n\n${texts.join("\n\n")}${more}`,
    {
      ...(first.code === "env-value" ? { where: first.where } : first.path === undefined ? {} : { where: first.path }),
      commands: [
        ...(variables.length === 0 ? [] : [`unset ${[...new Set(variables)].join(" ")}`]),
        ...(variables.length === problems.length || file === undefined ? [] : [`llmspell config validate --file ${shellQuote(file)}`]),
      ],
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
 * Other texts of that line are left out: a key whose name is wrong may be a secret all the same.
 */
export function frameAt(text: string, range: readonly [number, number]): string {
  const { number, before, target, after } = lineAround(text, range);
  return drawFrame(number, withoutTexts(before), target, withoutTexts(after));
}

/** As frameAt(), of a text that cannot be read: everything is shown that is not behind the name of a secret. */
export function syntaxFrameAt(text: string, offset: number): string {
  const { number, before, target, after } = lineAround(text, [offset, offset + 1]);
  return isInsideSecret(text.slice(0, offset - before.length)) ? drawFrame(number, "", mask, "") : drawFrame(number, before, target, after);
}

function lineAround(text: string, [start, end]: readonly [number, number]) {
  const { line, column } = lineAndColumn(text, start);
  const lineStart = start - column + 1;
  const newline = text.indexOf("\n", start);
  const whole = text
    .slice(lineStart, newline < 0 ? text.length : newline)
    .replace(/\r$/, "")
    .replaceAll("\t", " ");
  const [from, to] = [column - 1, column - 1 + end - start];
  return { number: line, before: whole.slice(0, from), target: whole.slice(from, to), after: whole.slice(to) };
}

function withoutTexts(part: string): string {
  return part.replace(/"(?:\\.|[^"\\])*"?|'[^']*'?/g, (found) => (found.length <= 2 ? found : `${found[0]}…${found[0]}`));
}

function drawFrame(number: number, before: string, target: string, after: string): string {
  const line = before + target + after;
  const masked = maskLine(line);
  const isWhole = masked.startsWith(before + target);
  // what was masked can be pointed at as a whole only
  const [at, width] = isWhole ? [before.length, Math.max(1, target.length)] : [masked.indexOf(mask), mask.length];
  const from = Math.max(0, at - shownColumns / 2);
  const shown = masked.slice(from, from + shownColumns);
  const gutter = String(number);
  const carets = "^".repeat(Math.max(1, Math.min(width, shown.length - (at - from))));
  return `  ${gutter} | ${shown}\n  ${" ".repeat(gutter.length)} | ${" ".repeat(at - from)}${carets}`;
}
