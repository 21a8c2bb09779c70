/** The form of an answer, from the flags of `generate` and `chat`. */
import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { messageOf, SpellError, toSpellError } from "../../core/errors.ts";
import { constraintOf } from "../../core/grammar/constraint.ts";
import { limits } from "../../core/limits.ts";
import type { GenerateOptions } from "../../core/spec/generate.ts";
import type { JsonSchema } from "../../core/spec/schema.ts";
import { flagText, type GivenFlags } from "./args.ts";
import { quoteShort } from "./problems.ts";

/** What a flag gives the option of its kind. */
const forms = {
  schema: (text: string) => ({ jsonSchema: readSchema(text) }),
  choices: (text: string) => ({ choices: readChoices(text) }),
  regex: (text: string) => ({ regex: text }),
  // a rule is no file's name: a file of such a name is written ./…
  grammar: (text: string) => ({ grammar: text.includes("::=") && !text.startsWith("./") ? text : readText(text, "--grammar", gbnfWords) }),
};

const gbnfWords = 'GBNF, as in \'root ::= "a" | "b"\', or ';

/** Checked here already: a wrong command line must not cost a load. @throws SpellError usage-value */
export function readAnswerForm(flags: GivenFlags): Pick<GenerateOptions, "jsonSchema" | "choices" | "regex" | "grammar"> {
  const given = (Object.keys(forms) as (keyof typeof forms)[]).filter((name) => flags.has(name));
  const [name, other] = given;
  if (name === undefined) return {};
  if (other !== undefined)
    throw new SpellError("usage-value", `--${name} and --${other} exclude each other`, {
      where: `--${other}`,
      hint: "Leave one of them out.",
    });
  const where = `--${name}`;
  const form = forms[name](flagText(flags, name) ?? "");
  try {
    constraintOf(form);
  } catch (error) {
    const problem = toSpellError(error).message.replace(/^\w+[/:]? ?/, "");
    throw new SpellError("usage-value", `${where}: ${problem}`, { where, hint: "Correct it, or leave it out.", cause: error });
  }
  return form;
}

function readSchema(given: string): JsonSchema {
  // what is JSON is no file's name, right or wrong as a schema: a file of such a name is written ./…
  const text = /^\s*(?:[{["]|(?:true|false|null|-?\d+)\s*$)/.test(given) ? given : readText(given, "--schema", "JSON or ");
  try {
    return JSON.parse(text.replace(/^\ufeff/, "")) as JsonSchema;
  } catch (error) {
    throw new SpellError("usage-value", `--schema: expected JSON, got a mistake: ${messageOf(error)}`, {
      where: "--schema",
      hint: "Correct it, or name a file.",
      cause: error,
    });
  }
}

/** Commas part the choices; a list in JSON may hold some with commas. */
function readChoices(given: string): readonly string[] {
  const list = parseList(given);
  // a list whose quotes the shell took is no list of texts with brackets
  if (list === undefined && !/^\s*\[(?:\s*["']|[^\][]*,[^\][]*\]\s*$)/.test(given)) return given.split(",").map((choice) => choice.trim());
  if (list?.every((choice) => typeof choice === "string") === true) return list;
  throw new SpellError("usage-value", `--choices: expected a list of texts, got ${quoteShort(given)}`, {
    where: "--choices",
    hint: `Write --choices yes,no or --choices '["yes", "no"]'.`,
  });
}

/** @returns undefined for what is no list in JSON */
function parseList(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** @param others what the flag takes besides a file */
function readText(path: string, flag: string, others = ""): string {
  try {
    const facts = statSync(path);
    if (!facts.isFile() || facts.size > limits.gbnfCharacters)
      throw new Error(facts.isFile() ? `one of ${facts.size} bytes; at most ${limits.gbnfCharacters} are read` : "no regular file");
    const bytes = readFileSync(path);
    if (!isUtf8(bytes)) throw new Error("one that is not UTF-8");
    return bytes.toString("utf8");
  } catch (error) {
    throw new SpellError("usage-value", `${flag}: expected ${others}a file that can be read, got ${messageOf(error)}`, {
      where: flag,
      hint: "Check the path.",
      cause: error,
    });
  }
}
