/**
 * Whether a value keeps a schema, and where it does not: of the keywords that the compiler holds. For answers of servers, which say that they keep one, for
 * inputs of tools, and for values within schemas.
 */
import { SpellError } from "../errors.ts";
import { isObject, shown } from "../json.ts";
import { limits } from "../limits.ts";
import type { JsonSchema } from "../spec/schema.ts";
import { createGrammarBuilder, type GrammarBuilder } from "./builder.ts";
import { isNever, isOpen, modern, resolveRef, type SchemaRecord, typeOf } from "./keywords.ts";
import { createMatcher } from "./matcher.ts";
import { regexItems } from "./regex.ts";

/** What does not keep a schema. */
export interface Misfit {
  /** of the value: ".tags[2]", or empty */
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}

/** @returns undefined for a value that keeps the schema */
export type Judge = (value: unknown) => Misfit | undefined;

/** @param where what is judged: "input" */
export function misfitText(where: string, { path, expected, got }: Misfit): string {
  return `${where}${path}: expected ${expected}, got ${got}`;
}

/**
 * @param builder tells of patterns and references that cannot be judged, as the compiler does; absent: they are passed over, and so is a schema that takes too long
 * @param document where references are resolved; default: the schema itself
 * @throws SpellError run-option where there is a builder, by the calls of the result too
 */
export function createJudge(schema: JsonSchema, builder?: GrammarBuilder, document: JsonSchema = schema, at = ""): Judge {
  const patient = builder === undefined;
  const b = builder ?? createGrammarBuilder("schema");
  const patterns = new Map<string, (text: string) => boolean>();
  const matches = (source: string, text: string): boolean => {
    try {
      const known = patterns.get(source) ?? matcherOf(source, b, at);
      patterns.set(source, known);
      return known(text);
    } catch (error) {
      if (!patient) throw error;
      patterns.set(source, () => true);
      return true;
    }
  };
  const referred = (ref: string): JsonSchema => {
    try {
      return resolveRef(document, ref, at, b.fail);
    } catch (error) {
      if (!patient) throw error;
      return true;
    }
  };
  let steps = 0;
  const judge = (given: JsonSchema, value: unknown, path: string, depth: number): Misfit | undefined => {
    const misfit = (expected: string, got = shown(value)): Misfit => ({ path, expected, got });
    // references within several forms could be followed for ever
    steps += 1;
    if (steps > limits.schemaSteps) b.fail(`expected a schema that is judged in ${limits.schemaSteps} steps, got one that takes more`, at);
    if (isOpen(given)) return undefined;
    if (depth > 4 * limits.schemaDepth) return patient ? undefined : misfit("fewer nested levels");
    if (!isObject(given) || isNever(given)) return patient && !isNever(given) ? undefined : misfit("no value");
    const s = modern(given);
    const branches = (name: string): readonly (Misfit | undefined)[] =>
      listOf(s[name]).map((each) => judge(each as JsonSchema, value, path, depth + 1));
    const { $ref, enum: values, type } = s;
    const found =
      (typeof $ref === "string" ? judge(referred($ref), value, path, depth + 1) : undefined) ??
      branches("allOf").find((each) => each !== undefined);
    if (found !== undefined) return found;
    for (const name of ["anyOf", "oneOf"]) {
      if (!Array.isArray(s[name])) continue;
      const all = branches(name);
      const kept = all.filter((each) => each === undefined).length;
      if (kept === 0) return nearest(all, path) ?? misfit(`a value of one of ${all.length} forms`);
      if (kept > 1 && name === "oneOf") return misfit(`a value of one form alone, of ${all.length}`);
    }
    if ("const" in s && !isEqual(s["const"], value)) return misfit(shown(s["const"]));
    if (Array.isArray(values) && !values.some((each) => isEqual(each, value)))
      return misfit(values.length === 1 ? shown(values[0]) : `one of ${values.map(shown).join(", ").slice(0, 300)}`);
    const wanted = [type].flat().filter((each) => typeof each === "string");
    const own = typeOf(value);
    if (wanted.length > 0 && !wanted.includes(own) && !(own === "integer" && wanted.includes("number"))) return misfit(wanted.join(" or "));
    const inner = (each: JsonSchema, item: unknown, step: string): Misfit | undefined => judge(each, item, `${path}${step}`, depth + 1);
    const wrong =
      typeof value === "string"
        ? textProblem(s, value, matches)
        : typeof value === "number"
          ? boundProblem(s, value)
          : Array.isArray(value)
            ? (countProblem(s, "Items", value.length) ?? listMisfit(s, value, inner))
            : isObject(value)
              ? (countProblem(s, "Properties", Object.keys(value).length) ?? objectMisfit(s, value, path, inner))
              : undefined;
    return typeof wrong === "string" ? misfit(wrong) : wrong;
  };
  return (value) => {
    steps = 0;
    try {
      return judge(schema, value, "", 0);
    } catch (error) {
      // a stranger's schema that cannot be judged is left to its owner
      if (patient && error instanceof SpellError) return undefined;
      throw error;
    }
  };
}

/** As createJudge(), where nobody asks for the place. */
export function validator(
  schema: JsonSchema,
  builder: GrammarBuilder,
  document: JsonSchema = schema,
  at = "",
): (value: unknown) => boolean {
  const judge = createJudge(schema, builder, document, at);
  return (value) => judge(value) === undefined;
}

/** Of several forms the one that the value comes nearest to: what is wrong lies deepest in it, alone. */
function nearest(all: readonly (Misfit | undefined)[], path: string): Misfit | undefined {
  const deepest = all.filter((each) => each !== undefined && each.path.length > path.length);
  return all.length === 1 || deepest.length === 1 ? (deepest[0] ?? all[0]) : undefined;
}

type Inner = (schema: JsonSchema, value: unknown, step: string) => Misfit | undefined;

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

const unitOf = { Length: "characters", Items: "items", Properties: "members" } as const;

function countProblem(s: SchemaRecord, name: keyof typeof unitOf, count: number): string | undefined {
  const { [`min${name}`]: min, [`max${name}`]: max } = s;
  if (typeof min === "number" && count < min) return `at least ${min} ${unitOf[name]}`;
  if (typeof max === "number" && count > max) return `at most ${max} ${unitOf[name]}`;
  return undefined;
}

function textProblem(s: SchemaRecord, value: string, matches: (source: string, text: string) => boolean): string | undefined {
  const { pattern, format } = s;
  const count = countProblem(s, "Length", [...value].length);
  if (count !== undefined) return count;
  const loose = typeof format === "string" && Object.hasOwn(looseFormats, format) ? looseFormats[format] : undefined;
  if (loose?.test(value) === false || (loose !== undefined && /^date/.test(String(format)) && !isDay(value)))
    return `text of the format ${String(format)}`;
  // A pattern with look-around stands beside a format alone.
  if (typeof pattern !== "string" || (loose !== undefined && pattern.includes("(?!")) || matches(pattern, value)) return undefined;
  return `text of the pattern ${pattern.slice(0, 100)}`;
}

function boundProblem(s: SchemaRecord, value: number): string | undefined {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = s;
  if (typeof minimum === "number" && value < minimum) return `at least ${minimum}`;
  if (typeof maximum === "number" && value > maximum) return `at most ${maximum}`;
  if (typeof exclusiveMinimum === "number" && value <= exclusiveMinimum) return `more than ${exclusiveMinimum}`;
  if (typeof exclusiveMaximum === "number" && value >= exclusiveMaximum) return `less than ${exclusiveMaximum}`;
  return undefined;
}

function listMisfit({ prefixItems, items = true }: SchemaRecord, value: readonly unknown[], inner: Inner): Misfit | undefined {
  const first = listOf(prefixItems);
  return firstMisfit(value, (item, i) => inner((i < first.length ? first[i] : items) as JsonSchema, item, `[${i}]`));
}

function objectMisfit(
  { properties, required, additionalProperties = true, propertyNames = true, patternProperties }: SchemaRecord,
  value: SchemaRecord,
  path: string,
  inner: Inner,
): Misfit | undefined {
  const known = isObject(properties) ? properties : {};
  const missing = listOf(required).find((name) => !Object.hasOwn(value, String(name)));
  if (missing !== undefined) return { path: `${path}.${String(missing)}`, expected: "a value", got: "none" };
  return firstMisfit(Object.entries(value), ([name, item]) => {
    const short = name.slice(0, 64);
    const named = inner(propertyNames as JsonSchema, name, "");
    if (named !== undefined) return { path, expected: `names of members: ${named.expected}`, got: shown(short) };
    if (Object.hasOwn(known, name)) return inner(known[name] as JsonSchema, item, `.${short}`);
    // patterns of names are not judged, so nobody knows what the rest is
    if (patternProperties !== undefined) return undefined;
    if (!isNever(additionalProperties as JsonSchema)) return inner(additionalProperties as JsonSchema, item, `.${short}`);
    const names = Object.keys(known);
    return { path, expected: names.length === 0 ? "no members" : `no members but ${names.join(", ").slice(0, 300)}`, got: short };
  });
}

function firstMisfit<T>(values: readonly T[], find: (value: T, index: number) => Misfit | undefined): Misfit | undefined {
  for (const [i, value] of values.entries()) {
    const misfit = find(value, i);
    if (misfit !== undefined) return misfit;
  }
  return undefined;
}

/** Equal as JSON; the order of members does not count. */
function isEqual(a: unknown, c: unknown): boolean {
  if (typeof a !== "object" || a === null || typeof c !== "object" || c === null) return a === c;
  const [left, right] = [a as SchemaRecord, c as SchemaRecord];
  const names = Object.keys(left);
  return (
    Array.isArray(a) === Array.isArray(c) &&
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && isEqual(left[name], right[name]))
  );
}

/** Judged over the same machine as answers are: a pattern of a stranger cannot cost more than its length times the text's. */
function matcherOf(source: string, builder: GrammarBuilder, path: string): (text: string) => boolean {
  const own = createGrammarBuilder("");
  // first by the builder that tells of it
  regexItems(source, { builder, path, isExact: true });
  return createMatcher(own.finish([regexItems(source, { builder: own, isExact: true }).items])).accepts;
}

/** Whether a month has such a day. @param text begins with YYYY-MM-DD */
function isDay(text: string): boolean {
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split("-").map(Number);
  // of years below 100 Date has its own idea; every 400 years are alike
  return new Date(Date.UTC(2000 + (year % 400), month - 1, day)).getUTCDate() === day;
}

/** What any writer of these formats writes; time offsets and hosts of every kind. */
const looseFormats: Readonly<Record<string, RegExp>> = {
  date: /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/,
  time: /^(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i,
  "date-time": /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i,
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
  email: /^[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+$/,
  uri: /^[A-Za-z][A-Za-z0-9+.-]*:[^\s]+$/,
  ipv4: /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/,
};
