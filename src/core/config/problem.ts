/** Problems of a configuration, collected into one error. */
import { type ErrorCode, SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Action } from "../spec/action.ts";
import { mask } from "./keys.ts";
import { isInsideSecret, maskAddress, maskLine } from "./mask.ts";

export type ProblemCode = Extract<ErrorCode, `config-${string}` | "env-value">;

export interface Problem {
  readonly code: ProblemCode;
  /** dotted path of the key; absent for a text that cannot be read at all */
  readonly path?: string | undefined;
  /** says what was expected and what was found */
  readonly message: string;
  /** "llmspell.toml:3:1", "profile:candle", "env:NAME" */
  readonly where: string;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  /** the line with a caret under the mistake */
  readonly frame?: string | undefined;
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
  /** the known name closest to it */
  readonly nearest?: string | undefined;
}

/** Problems in the message; the details have all of them. */
const shownProblems = 20;

/**
 * @param source for the headline
 * @param file to check again, where the source is a file
 * @returns one error for all problems, with the code of the first
 */
export function problemsError(problems: readonly [Problem, ...Problem[]], source: string, file: string | undefined): SpellError {
  const [first] = problems;
  const variables = problems.filter(({ code }) => code === "env-value").map(({ where }) => where);
  const isEnvironment = variables.length === problems.length;
  const count = problems.length < limits.configProblems ? problems.length : `${limits.configProblems} or more`;
  const head = problems.length === 1 ? [] : [`${isEnvironment ? "environment" : source}: ${count} problems`];
  const more = problems.length > shownProblems ? [`and ${problems.length - shownProblems} more`] : [];
  const actions: Action[] = [];
  if (variables.length > 0) actions.push({ kind: "unset-variables", names: [...new Set(variables)] });
  if (!isEnvironment && file !== undefined) actions.push({ kind: "check-config", file });
  return new SpellError(first.code, [...head, ...problems.slice(0, shownProblems).map(textOf), ...more].join("\n\n"), {
    where: first.code === "env-value" ? first.where : first.path,
    actions,
    details: { problems },
  });
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

/** As syntaxFrameAt(), of a program: there only texts that are given to a secret name are masked. */
export function codeFrameAt(text: string, offset: number): string {
  const { number, before, target, after } = lineAround(text, [offset, offset + 1]);
  return drawFrame(number, before, target, after, (line) => maskAddress(line.replace(secretText, `$1$2${mask}$2`)));
}

const secretText = /((?:key|token|secret|passw(?:or)?d|passphrase)\w*["'\]]*\s*[:=(]\s*)(["'`])(?!\s*\2)[^"'`]*\2?/gi;

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

function drawFrame(number: number, before: string, target: string, after: string, hide: (line: string) => string = maskLine): string {
  const line = before + target + after;
  const masked = hide(line);
  const isWhole = masked.startsWith(before + target);
  // what was masked can be pointed at as a whole only
  const [at, width] = isWhole ? [before.length, Math.max(1, target.length)] : [masked.indexOf(mask), mask.length];
  const from = Math.max(0, at - shownColumns / 2);
  const shown = masked.slice(from, from + shownColumns);
  const gutter = String(number);
  const carets = "^".repeat(Math.max(1, Math.min(width, shown.length - (at - from))));
  return `  ${gutter} | ${shown}\n  ${" ".repeat(gutter.length)} | ${" ".repeat(at - from)}${carets}`;
}
