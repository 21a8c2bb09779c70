/** Inputs and outputs of tools by their schemas: a message that names the place for what it can, the whole schema for the rest. */
import { createGrammarBuilder } from "../grammar/builder.ts";
import { validator } from "../grammar/validate.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import { inputProblem } from "../tools/check-input.ts";
import type { ObjectSchema } from "./types.ts";

/** @returns whether a value keeps the schema, told as a problem */
export type Judge = (value: unknown) => string | undefined;

/** @param isForeign whether the schema is a stranger's: what cannot be judged of it is passed over */
export function judgeOf(schema: ObjectSchema, where: "input" | "output", isForeign = false): Judge {
  const keeps = isForeign ? patient(schema, where) : validator(schema, createGrammarBuilder(where));
  return (value) => {
    const problem = inputProblem(schema, value);
    if (problem !== undefined) return problem.replace(/^input/, where);
    return keeps(value) ? undefined : `${where}: expected a value that keeps the schema of the tool, got another`;
  };
}

function patient(schema: ObjectSchema, where: string): (value: unknown) => boolean {
  return (value) => {
    try {
      return validator(schema, createGrammarBuilder(where))(value);
    } catch {
      return true;
    }
  };
}

/** Data of strangers: plain JSON of bounded depth and size. @returns what is wrong, or undefined */
export function sizeProblem(value: unknown): string | undefined {
  let room: number = limits.toolInputCharacters;
  const walk = (inner: unknown, depth: number): string | undefined => {
    if (depth > limits.scriptDepth) return `input: expected data nested at most ${limits.scriptDepth} deep, got more`;
    room -= typeof inner === "string" ? inner.length + 2 : 8;
    if (room < 0) return `input: expected at most ${limits.toolInputCharacters} characters of data, got more`;
    if (typeof inner === "number" && !Number.isFinite(inner)) return `input: expected finite numbers, got ${inner}`;
    if (Array.isArray(inner)) return first(inner, (item) => walk(item, depth + 1));
    if (!isObject(inner))
      return ["undefined", "function", "symbol", "bigint"].includes(typeof inner)
        ? `input: expected JSON, got a ${typeof inner}`
        : undefined;
    return first(Object.entries(inner), ([name, item]) => {
      room -= name.length + 4;
      return item === undefined ? undefined : walk(item, depth + 1);
    });
  };
  return walk(value, 0);
}

function first<T>(values: readonly T[], find: (value: T) => string | undefined): string | undefined {
  for (const value of values) {
    const found = find(value);
    if (found !== undefined) return found;
  }
  return undefined;
}
