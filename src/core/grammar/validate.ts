/** Whether a value keeps a schema: of the keywords that the compiler holds. For answers of servers, which say that they keep one, and for values within schemas. */
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { JsonSchema } from "../spec/schema.ts";
import { createGrammarBuilder, type GrammarBuilder } from "./builder.ts";
import { isNever, isOpen, modern, resolveRef, type SchemaRecord, typeOf } from "./keywords.ts";
import { createMatcher } from "./matcher.ts";
import { regexItems } from "./regex.ts";

type Validate = (value: unknown) => boolean;

/**
 * @param builder tells of patterns that cannot be judged, as the compiler does
 * @param document where references are resolved; default: the schema itself
 * @throws SpellError run-option, by the calls of the result too
 */
export function validator(schema: JsonSchema, builder: GrammarBuilder, document: JsonSchema = schema, at = ""): Validate {
  const patterns = new Map<string, (text: string) => boolean>();
  const matches = (source: string, text: string): boolean => {
    const known = patterns.get(source) ?? matcherOf(source, builder, at);
    patterns.set(source, known);
    return known(text);
  };
  let steps = 0;
  const keeps = (given: JsonSchema, value: unknown, depth: number): boolean => {
    // references within several forms could be followed for ever
    steps += 1;
    if (steps > limits.schemaSteps)
      builder.fail(`expected a schema that is judged in ${limits.schemaSteps} steps, got one that takes more`, at);
    if (isOpen(given)) return true;
    if (!isObject(given) || isNever(given) || depth > 4 * limits.schemaDepth) return false;
    const s = modern(given);
    const all = (name: string): readonly JsonSchema[] => (s[name] ?? []) as readonly JsonSchema[];
    const inner = (each: JsonSchema): boolean => keeps(each, value, depth + 1);
    if (typeof s["$ref"] === "string" && !inner(resolveRef(document, s["$ref"], at, builder.fail))) return false;
    if (!all("allOf").every(inner)) return false;
    if (s["anyOf"] !== undefined && !all("anyOf").some(inner)) return false;
    if (s["oneOf"] !== undefined && all("oneOf").filter(inner).length !== 1) return false;
    if ("const" in s && !isEqual(s["const"], value)) return false;
    if (s["enum"] !== undefined && !all("enum").some((each) => isEqual(each, value))) return false;
    const type = typeOf(value);
    const wanted = s["type"] === undefined ? undefined : ([s["type"]].flat() as string[]);
    if (wanted !== undefined && !wanted.includes(type) && !(type === "integer" && wanted.includes("number"))) return false;
    if (typeof value === "string") return isWithin(s, "Length", [...value].length) && keepsText(s, value, matches);
    if (typeof value === "number") return keepsBounds(s, value);
    if (Array.isArray(value)) return keepsList(s, value, (each, item) => keeps(each, item, depth + 1));
    return !isObject(value) || keepsObject(s, value, (each, item) => keeps(each, item, depth + 1));
  };
  return (value) => {
    steps = 0;
    return keeps(schema, value, 0);
  };
}

type Keeps = (schema: JsonSchema, value: unknown) => boolean;

function isWithin(s: SchemaRecord, name: string, count: number): boolean {
  const { [`min${name}`]: min = 0, [`max${name}`]: max = Number.POSITIVE_INFINITY } = s;
  return count >= (min as number) && count <= (max as number);
}

function keepsText({ pattern, format }: SchemaRecord, value: string, matches: (source: string, text: string) => boolean): boolean {
  const loose = typeof format === "string" && Object.hasOwn(looseFormats, format) ? looseFormats[format] : undefined;
  if (loose?.test(value) === false) return false;
  // A pattern with look-around stands beside a format alone.
  return typeof pattern !== "string" || (loose !== undefined && pattern.includes("(?!")) || matches(pattern, value);
}

function keepsBounds(s: SchemaRecord, value: number): boolean {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = s as Readonly<Record<string, number | undefined>>;
  return !(
    value < (minimum ?? value) ||
    value > (maximum ?? value) ||
    value <= (exclusiveMinimum ?? Number.NEGATIVE_INFINITY) ||
    value >= (exclusiveMaximum ?? Number.POSITIVE_INFINITY)
  );
}

function keepsList(s: SchemaRecord, value: readonly unknown[], keeps: Keeps): boolean {
  const { prefixItems = [], items = true } = s as { readonly prefixItems?: readonly JsonSchema[]; readonly items?: JsonSchema };
  return isWithin(s, "Items", value.length) && value.every((item, i) => keeps(prefixItems[i] ?? items, item));
}

function keepsObject(s: SchemaRecord, value: SchemaRecord, keeps: Keeps): boolean {
  const {
    properties = {},
    required = [],
    additionalProperties = true,
    propertyNames = true,
  } = s as {
    readonly properties?: Readonly<Record<string, JsonSchema>>;
    readonly required?: readonly string[];
    readonly additionalProperties?: JsonSchema;
    readonly propertyNames?: JsonSchema;
  };
  const entries = Object.entries(value);
  return (
    isWithin(s, "Properties", entries.length) &&
    required.every((name) => Object.hasOwn(value, name)) &&
    entries.every(
      ([name, item]) =>
        keeps(propertyNames, name) &&
        keeps(Object.hasOwn(properties, name) ? (properties[name] as JsonSchema) : additionalProperties, item),
    )
  );
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
