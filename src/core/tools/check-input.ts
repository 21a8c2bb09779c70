/**
 * The input of a call against the schema of its tool. Models in this process write by it anyway; servers may not. What carries a check of its own (zod, ArkType,
 * Valibot) is asked; of plain schemas types, members, lists, bounds and values are looked at, and what else stands there is left to the tool.
 */
import { isObject } from "../json.ts";
import type { Tool } from "../spec/generate.ts";
import { shown } from "../text/check-call.ts";

const depthLimit = 32;

/** @returns what is wrong, with its place, or undefined */
export function inputProblem(schema: Tool["inputSchema"], input: unknown): string | undefined {
  if (!isObject(input)) return `input: expected an object, got ${shown(input)}`;
  const standard = isObject(schema) ? schema["~standard"] : undefined;
  if (isObject(standard)) return typeof standard["validate"] === "function" ? standardProblem(standard["validate"](input)) : undefined;
  return problem(schema, input, "input", 0);
}

/** Of https://standardschema.dev; checks that take time are left to the tool. */
function standardProblem(result: unknown): string | undefined {
  const [issue] = isObject(result) && Array.isArray(result["issues"]) ? (result["issues"] as readonly unknown[]) : [];
  if (!isObject(issue)) return undefined;
  const path = Array.isArray(issue["path"]) ? issue["path"].map((key: unknown) => String(isObject(key) ? key["key"] : key)) : [];
  return `${["input", ...path].join(".")}: ${String(issue["message"]).slice(0, 500)}`;
}

function problem(schema: unknown, value: unknown, where: string, depth: number): string | undefined {
  if (!isObject(schema) || depth > depthLimit) return undefined;
  const wrong = (expected: string): string => `${where}: expected ${expected}, got ${value === undefined ? "nothing" : shown(value)}`;
  const { type, enum: words, properties, required, additionalProperties, items, minimum, maximum } = schema;
  if ("const" in schema && !isSame(schema["const"], value)) return wrong(shown(schema["const"]));
  if (Array.isArray(words) && !words.some((word) => isSame(word, value)))
    return wrong(`one of ${words.map(shown).join(", ").slice(0, 300)}`);
  const types = (Array.isArray(type) ? type : [type]).filter((each) => typeof each === "string");
  if (types.length > 0 && !types.some((each) => isOfType(each, value))) return wrong(types.join(" or "));
  if (typeof value === "number") {
    if (typeof minimum === "number" && value < minimum) return wrong(`at least ${minimum}`);
    if (typeof maximum === "number" && value > maximum) return wrong(`at most ${maximum}`);
  }
  if (Array.isArray(value)) return first(value, (item, i) => problem(items, item, `${where}[${i}]`, depth + 1));
  if (!isObject(value)) return undefined;
  const missing = Array.isArray(required) ? required.find((name) => !Object.hasOwn(value, String(name))) : undefined;
  if (missing !== undefined) return `${where}.${String(missing)}: expected a value, got none`;
  const known = isObject(properties) ? properties : {};
  return first(Object.entries(value), ([name, inner]) => {
    if (Object.hasOwn(known, name)) return problem(known[name], inner, `${where}.${name}`, depth + 1);
    return additionalProperties === false ? `${where} has no ${name.slice(0, 64)}; names: ${Object.keys(known).join(", ")}` : undefined;
  });
}

function first<T>(values: readonly T[], find: (value: T, index: number) => string | undefined): string | undefined {
  for (const [i, value] of values.entries()) {
    const found = find(value, i);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isOfType(type: unknown, value: unknown): boolean {
  if (type === "integer") return Number.isInteger(value);
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isObject(value);
  if (type === "null") return value === null;
  return ["string", "number", "boolean"].includes(String(type)) ? typeof value === type : true;
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b));
}
