/**
 * The input of a call against the schema of its tool. Models in this process write by it anyway; servers may not. What carries a check of its own (zod, ArkType,
 * Valibot) is asked; what cannot be judged of a plain schema is left to the tool.
 */
import { standardOf } from "../grammar/standard-schema.ts";
import { createJudge, misfitText } from "../grammar/validate.ts";
import { isObject, shown } from "../json.ts";
import type { Tool } from "../spec/generate.ts";
import type { JsonSchema } from "../spec/schema.ts";

/** @returns what is wrong, with its place, or undefined */
export function inputProblem(schema: Tool["inputSchema"], input: unknown): string | undefined {
  if (!isObject(input)) return `input: expected an object, got ${shown(input)}`;
  const standard = standardOf(schema);
  if (standard !== undefined) return typeof standard["validate"] === "function" ? standardProblem(standard["validate"](input)) : undefined;
  const misfit = createJudge(schema as JsonSchema)(input);
  return misfit === undefined ? undefined : misfitText("input", misfit);
}

/** Of https://standardschema.dev; checks that take time are left to the tool. */
function standardProblem(result: unknown): string | undefined {
  const [issue] = isObject(result) && Array.isArray(result["issues"]) ? (result["issues"] as readonly unknown[]) : [];
  if (!isObject(issue)) return undefined;
  const path = Array.isArray(issue["path"]) ? issue["path"].map((key: unknown) => String(isObject(key) ? key["key"] : key)) : [];
  return `${["input", ...path].join(".")}: ${String(issue["message"]).slice(0, 500)}`;
}
