/**
 * What an answer is held by, from the options of a call: the one road for every backend. Engines in this process get the grammar; servers get the schema
 * (server-form.ts). Loaded with the first call that asks for a form.
 */
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { GenerateOptions } from "../spec/generate.ts";
import type { Constraint } from "../spec/grammar.ts";
import type { JsonSchema } from "../spec/schema.ts";
import { createGrammarBuilder } from "./builder.ts";
import { checkGbnf } from "./gbnf.ts";
import { schemaGrammar } from "./json-schema.ts";
import { regexItems } from "./regex.ts";
import { standardOf } from "./standard-schema.ts";

/** @throws SpellError run-option for a form that cannot be held, with its path, and for options that stand against it */
export function constraintOf(options: GenerateOptions): Constraint {
  const { jsonSchema, choices, regex, grammar, numBeams, noRepeatNgramSize } = options;
  const given = Object.entries({ jsonSchema, choices, regex, grammar })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
  const [name = "", other] = given;
  const refuse = (where: string, what: string): never => {
    throw new SpellError("run-option", `${where}: ${what}`, { where });
  };
  if (other !== undefined) refuse(other, `expected one form of an answer, got ${given.join(" and ")}`);
  if (numBeams !== undefined && numBeams > 1)
    refuse("numBeams", `expected 1 beside ${name}, got ${numBeams}; an answer with a form is searched without beams`);
  if (noRepeatNgramSize !== undefined && noRepeatNgramSize > 0)
    refuse("noRepeatNgramSize", `expected 0 beside ${name}, got ${noRepeatNgramSize}; it could forbid the only token that fits`);
  if (jsonSchema !== undefined) {
    const schema = plainSchema(jsonSchema, "jsonSchema");
    return { kind: "jsonSchema", schema, grammar: schemaGrammar(schema) };
  }
  if (choices !== undefined) return choicesOf(choices);
  if (regex !== undefined) return regexOf(regex);
  if (typeof grammar !== "string" || grammar.trim() === "" || grammar.length > limits.gbnfCharacters)
    return refuse(
      "grammar",
      `expected GBNF of 1–${limits.gbnfCharacters} characters, got ${typeof grammar === "string" ? grammar.length : typeof grammar}`,
    );
  checkGbnf(grammar);
  return { kind: "grammar", gbnf: grammar };
}

/** The JSON Schema itself, of a library's schema too. @param where the option it came with @throws SpellError run-option */
export function plainSchema(given: unknown, where: string): JsonSchema {
  const fail = (problem: string, cause?: unknown): never => {
    throw new SpellError("run-option", `${where}: ${problem}`, { where, cause });
  };
  if (typeof given === "boolean") return given;
  const standard = standardOf(given);
  let schema: unknown = given;
  if (standard !== undefined) {
    const { jsonSchema } = standard as { readonly jsonSchema?: { readonly output?: unknown } };
    if (typeof jsonSchema?.output !== "function")
      return fail(
        "expected a schema that gives its JSON Schema (zod 4.2, ArkType 2.1.28, Valibot through @valibot/to-json-schema), got another",
      );
    try {
      schema = (jsonSchema.output as (options: object) => unknown)({ target: "draft-2020-12" });
    } catch (error) {
      return fail(
        `the schema gives no JSON Schema of itself: ${error instanceof Error ? error.message.slice(0, 300) : "it failed"}`,
        error,
      );
    }
  }
  if (!isObject(schema))
    return fail(`expected a JSON Schema, got ${schema === null ? "null" : Array.isArray(schema) ? "a list" : typeof schema}`);
  let text: string | undefined;
  let left = limits.schemaCharacters;
  // counted on the way: what one object holds in many places is written once for each
  const counted = (key: string, value: unknown): unknown => {
    left -= key.length + 1 + (typeof value === "string" ? value.length : 0);
    if (left < 0) throw new RangeError("too long");
    return value;
  };
  try {
    text = JSON.stringify(schema, counted);
  } catch (error) {
    // a stack that ended is a schema too deep
    if (left >= 0 && !(error instanceof RangeError)) return fail("expected plain data, got something that JSON cannot say", error);
    if (left >= 0) return fail(tooDeep);
  }
  if (text === undefined || text.length > limits.schemaCharacters)
    return fail(`expected a schema of at most ${limits.schemaCharacters.toLocaleString("en-US")} characters, got more`);
  if (depthOf(text) > mostBrackets) return fail(tooDeep);
  // a copy: nothing that changes or calls
  return withLists(JSON.parse(text) as JsonSchema);
}

const tooDeep = `expected at most ${limits.schemaDepth} nested levels, got more`;
/** Of a schema as deep as may be, each level in a list or under a name, and of a value within it. */
const mostBrackets = 4 * limits.schemaDepth;

/** Brackets within brackets of JSON. */
function depthOf(json: string): number {
  let depth = 0;
  let most = 0;
  for (const [found] of json.matchAll(/"(?:\\.|[^"\\])*"|[[{]|[\]}]/g)) {
    if (found === "{" || found === "[") depth += 1;
    if (found === "}" || found === "]") depth -= 1;
    most = Math.max(most, depth);
  }
  return most;
}

/** An empty list of Lua comes as an empty object. */
function withLists(schema: JsonSchema): JsonSchema {
  if (!isObject(schema)) return schema;
  const inner = (value: unknown): unknown => (Array.isArray(value) ? value.map((each) => withLists(each)) : withLists(value as JsonSchema));
  const named = (value: unknown): unknown =>
    isObject(value) ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, inner(each)])) : value;
  const read = ([key, value]: [string, unknown]): [string, unknown] => {
    if (key === "required") return [key, isObject(value) && Object.keys(value).length === 0 ? [] : value];
    if (["properties", "$defs", "definitions"].includes(key)) return [key, named(value)];
    return [key, ["items", "prefixItems", "anyOf", "oneOf", "allOf", "additionalProperties"].includes(key) ? inner(value) : value];
  };
  return Object.fromEntries(Object.entries(schema).map(read));
}

function choicesOf(choices: readonly string[]): Constraint {
  const expected = `1–${limits.choices} different texts of 1–${limits.choiceCharacters} characters, none of them NUL or half of a pair`;
  const fits = (text: unknown): boolean =>
    typeof text === "string" && text.length > 0 && text.length <= limits.choiceCharacters && !/[\0\p{Surrogate}]/u.test(text);
  if (
    !Array.isArray(choices) ||
    choices.length === 0 ||
    choices.length > limits.choices ||
    !choices.every(fits) ||
    new Set(choices).size < choices.length
  )
    throw new SpellError("run-option", `choices: expected ${expected}, got ${String(JSON.stringify(choices)).slice(0, 80)}`, {
      where: "choices",
    });
  const b = createGrammarBuilder("choices");
  return { kind: "choices", choices: [...choices], grammar: b.finish([b.either("choice", choices.map(b.text))]) };
}

function regexOf(regex: string | RegExp): Constraint {
  const b = createGrammarBuilder("regex");
  const { source, flags } = regex instanceof RegExp ? regex : { source: regex, flags: "u" };
  if (typeof source !== "string") return b.fail("expected a regular expression or its text, got another");
  const other = [...flags].find((flag) => !"dgiuy".includes(flag));
  if (other !== undefined) b.fail(`expected flags g, i, u and y, got ${other}`);
  const ignoresCase = flags.includes("i");
  // Only with the flag u is a letter beyond U+FFFF one letter.
  const needsPlain = ignoresCase || !flags.includes("u");
  if (needsPlain && /[^\0-\x7f]/.test(source) && (ignoresCase || /[\ud800-\udfff]/.test(source)))
    b.fail("expected the flag u, and no i, beside letters beyond ASCII");
  if (!flags.includes("u") && /\\u(?:\{|d[89a-f])/i.test(source)) b.fail("expected the flag u beside \\u{…} and surrogate pairs");
  const { items } = regexItems(source, { builder: b, isWhole: true, ignoresCase });
  return { kind: "regex", source, grammar: b.finish([items]) };
}
