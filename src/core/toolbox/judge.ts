/** Inputs and outputs of tools by their schemas, and the size of what strangers send. */
import { createGrammarBuilder } from "../grammar/builder.ts";
import { createJudge, misfitText } from "../grammar/validate.ts";
import { isObject, shown } from "../json.ts";
import { limits } from "../limits.ts";
import type { ObjectSchema } from "./types.ts";

/** @returns what of a value does not keep the schema, with its place */
export type ToolJudge = (value: unknown) => string | undefined;

/** @param isForeign whether the schema is a stranger's: what cannot be judged of it is passed over */
export function judgeOf(schema: ObjectSchema, where: "input" | "output", isForeign = false): ToolJudge {
  const judge = createJudge(schema, isForeign ? undefined : createGrammarBuilder(where));
  return (value) => {
    if (!isObject(value)) return `${where}: expected an object, got ${shown(value)}`;
    const misfit = judge(value);
    return misfit === undefined ? undefined : misfitText(where, misfit);
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
