/** The form of an answer, from the flags of `generate`. */
import { readFileSync } from "node:fs";
import { messageOf, SpellError } from "../../core/errors.ts";
import type { GenerateOptions } from "../../core/spec/generate.ts";
import type { JsonSchema } from "../../core/spec/schema.ts";
import { flagText, type GivenFlags } from "./args.ts";

/** @throws SpellError usage-value for a file that cannot be read, and for what is no JSON */
export function readAnswerForm(flags: GivenFlags): Pick<GenerateOptions, "jsonSchema" | "choices" | "regex" | "grammar"> {
  const schema = flagText(flags, "schema");
  const choices = flagText(flags, "choices");
  const grammar = flagText(flags, "grammar");
  return {
    jsonSchema: schema === undefined ? undefined : readSchema(schema),
    choices: choices?.split(",").map((choice) => choice.trim()),
    regex: flagText(flags, "regex"),
    grammar: grammar === undefined ? undefined : readText(grammar, "--grammar"),
  };
}

function readSchema(given: string): JsonSchema {
  const text = /^\s*[{tf]/.test(given) && !/\.json$/i.test(given) ? given : readText(given, "--schema");
  try {
    return JSON.parse(text) as JsonSchema;
  } catch (error) {
    throw new SpellError("usage-value", `--schema: expected JSON, got a mistake: ${messageOf(error)}`, { where: "--schema", cause: error });
  }
}

function readText(path: string, flag: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new SpellError("usage-value", `${flag}: expected a file that can be read, got ${messageOf(error)}`, {
      where: flag,
      cause: error,
    });
  }
}
