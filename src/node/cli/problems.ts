/** What is wrong with a value of the command line, in words. */
import { describeRange, findParameterProblem, type ParameterRule, stopLimits } from "../../core/text/parameters.ts";

/** A number as people write one; `Number` alone would also take "", "0x10" and "Infinity". */
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** @returns what is wrong with a number as typed, or undefined */
export function parameterProblem(rule: ParameterRule, text: string): string | undefined {
  if (decimal.test(text)) return findParameterProblem(rule, Number(text));
  return `expected ${rule.integer ? "" : "a number, "}${describeRange(rule)}; got ${quoteShort(text)}`;
}

export function emptyProblem(text: string): string | undefined {
  return text === "" ? "expected a name; got an empty text" : undefined;
}

export function keptNameProblem({ length }: string): string | undefined {
  return length >= 1 && length <= 60 ? undefined : `expected 1 … 60 characters; got ${length}`;
}

export function stopProblem({ length }: string): string | undefined {
  return length >= 1 && length <= stopLimits.length ? undefined : `expected 1 … ${stopLimits.length} characters; got ${length}`;
}

/** As Host names it: no scheme, no path. */
export function hostProblem(text: string): string | undefined {
  return /^[a-z0-9.-]+(:\d{1,5})?$|^\[[0-9a-f:.]+\](:\d{1,5})?$/.test(text)
    ? undefined
    : `expected a name in lower case, such as llm.example.org; got ${quoteShort(text)}`;
}

/** As Origin names it; there is no word for all. */
export function originProblem(text: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*]+$/.test(text) ? undefined : `expected such as https://app.example.org; got ${quoteShort(text)}`;
}

export function daysProblem(text: string): string | undefined {
  return /^\d{1,5}$/.test(text) ? undefined : `expected days, 0 … 99999; got ${quoteShort(text)}`;
}

export function numberProblem(text: string): string | undefined {
  return decimal.test(text) ? undefined : `expected a number; got ${quoteShort(text)}`;
}

export function integerProblem(min: number, max: number): (text: string) => string | undefined {
  return (text) => {
    const value = decimal.test(text) ? Number(text) : Number.NaN;
    const isFine = Number.isInteger(value) && value >= min && value <= max;
    return isFine ? undefined : `expected an integer, ${min} … ${max}; got ${quoteShort(text)}`;
  };
}

/** A value for an error message: quoted, and never longer than a line. */
export function quoteShort(text: string): string {
  return text.length <= 60 ? JSON.stringify(text) : `${JSON.stringify(text.slice(0, 57))}… (${text.length} characters)`;
}
