/** Schemas as they come: keywords that are known, their kinds, references, and the join of two schemas where it is exact. */
import { isCount, isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { JsonSchema } from "../spec/schema.ts";

export type SchemaRecord = Readonly<Record<string, unknown>>;
/** @param path of what is refused: "/properties/a" */
export type Refuse = (problem: string, path: string) => never;

const annotations = new Set(
  "$schema $id $comment $defs definitions title description default examples deprecated readOnly writeOnly contentEncoding contentMediaType nullable $anchor".split(
    " ",
  ),
);
const list = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.length <= limits.schemaAlternatives;
const schemas = (value: unknown): boolean => list(value) && (value as readonly unknown[]).every(isSchema);
const number = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value);
const kinds: Readonly<Record<string, readonly [kind: string, fits: (value: unknown) => boolean]>> = {
  type: [
    "a type or a list of types",
    (value) => [value].flat().length > 0 && [value].flat().every((each) => types.includes(each as never)),
  ],
  enum: [`1–${limits.schemaAlternatives} values`, list],
  const: ["a value", () => true],
  properties: ["schemas by name", (value) => isObject(value) && Object.values(value).every(isSchema)],
  required: ["names", (value) => Array.isArray(value) && value.every((name) => typeof name === "string")],
  additionalProperties: ["a schema", isSchema],
  propertyNames: ["a schema", isSchema],
  items: ["a schema", (value) => isSchema(value) || schemas(value)],
  additionalItems: ["a schema", isSchema],
  prefixItems: ["schemas", schemas],
  pattern: ["a regular expression", (value) => typeof value === "string"],
  format: ["a name", (value) => typeof value === "string"],
  anyOf: [`1–${limits.schemaAlternatives} schemas`, schemas],
  oneOf: [`1–${limits.schemaAlternatives} schemas`, schemas],
  allOf: [`1–${limits.schemaAlternatives} schemas`, schemas],
  $ref: ["a reference", (value) => typeof value === "string"],
  ...Object.fromEntries(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"].map((name) => [name, ["a number", number]])),
  ...Object.fromEntries(
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"].map((name) => [
      name,
      [`a count of at most ${limits.schemaCount}`, (value: unknown) => isCount(value) && value <= limits.schemaCount],
    ]),
  ),
};

export const types = ["object", "array", "string", "number", "integer", "boolean", "null"] as const;

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "boolean" || isObject(value);
}

/** Says anything about values, beside telling of them. */
export function isTelling(name: string): boolean {
  return !annotations.has(name);
}

export function isOpen(schema: JsonSchema): boolean {
  return schema === true || (isObject(schema) && !Object.keys(schema).some(isTelling));
}

/** `{ not: {} }`, as zod writes what may not be there. */
export function isNever(schema: JsonSchema): boolean {
  return schema === false || (isObject(schema) && isObject(schema["not"]) && isOpen(schema["not"]));
}

/** @throws by `refuse` for keywords that cannot be held, and for wrong ones */
export function checkKeywords(schema: SchemaRecord, path: string, refuse: Refuse): void {
  for (const [name, value] of Object.entries(schema)) {
    if (name === "$id" && path !== "") refuse("a document within a document cannot be held", `${path}/$id`);
    if (!isTelling(name)) continue;
    const known = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (known === undefined) refuse("this keyword cannot be held", `${path}/${pointer(name)}`);
    const [kind, fits] = known ?? ["", () => true];
    if (!fits(value)) refuse(`expected ${kind}, got ${JSON.stringify(value)?.slice(0, 60)}`, `${path}/${name}`);
  }
}

/** Draft-07 says of lists what 2020-12 says with prefixItems. */
export function modern(schema: SchemaRecord): SchemaRecord {
  const { items, additionalItems, ...rest } = schema;
  if (!Array.isArray(items)) return additionalItems === undefined ? schema : definedItems(rest, items);
  return { ...definedItems(rest, additionalItems), prefixItems: items };
}

function definedItems(rest: SchemaRecord, items: unknown): SchemaRecord {
  return items === undefined ? rest : { ...rest, items };
}

/** What a `$ref` names: within the document alone. */
export function resolveRef(document: JsonSchema, ref: string, path: string, refuse: Refuse): JsonSchema {
  if (ref !== "#" && !ref.startsWith("#/")) return refuse("expected a reference within the schema, by its path", `${path}/$ref`);
  let found: unknown = document;
  for (const part of ref.split("/").slice(1)) {
    let key = part;
    try {
      key = decodeURIComponent(part);
    } catch {
      // a lone % stands for itself
    }
    key = key.replaceAll("~1", "/").replaceAll("~0", "~");
    const holder = typeof found === "object" && found !== null ? (found as Readonly<Record<string, unknown>>) : {};
    found = Object.hasOwn(holder, key) ? holder[key] : undefined;
  }
  return isSchema(found) ? found : refuse(`expected a schema at ${ref.slice(0, 80)}, got none`, `${path}/$ref`);
}

/** A name within a path. */
export function pointer(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1").slice(0, 60);
}

/** Both at once, as allOf and the neighbours of $ref and anyOf mean it. @throws by `refuse` where the join is not exact */
export function joinSchemas(a: JsonSchema, c: JsonSchema, path: string, refuse: Refuse): JsonSchema {
  if (a === false || c === false) return false;
  if (a === true || c === true) return a === true ? c : a;
  for (const each of [a, c]) checkKeywords(each, path, isNever(each) ? () => undefined as never : refuse);
  if (isNever(a) || isNever(c)) return false;
  const out = new Map(Object.entries(a));
  for (const [name, value] of Object.entries(c)) {
    const other = out.get(name);
    if (name === "properties" || name === "additionalProperties") continue;
    if (other === undefined || !isTelling(name)) out.set(name, value);
    else if (name === "required") out.set(name, [...new Set([...(other as string[]), ...(value as string[])])]);
    else if (name === "type") out.set(name, commonTypes([other].flat() as string[], [value].flat() as string[], path, refuse));
    else if (/^(min|exclusiveMin)/.test(name)) out.set(name, Math.max(other as number, value as number));
    else if (/^(max|exclusiveMax)/.test(name)) out.set(name, Math.min(other as number, value as number));
    else if (JSON.stringify(other) !== JSON.stringify(value)) refuse("two different values cannot be joined", `${path}/${name}`);
  }
  const names = new Set([a, c].flatMap(({ properties = {} }) => Object.keys(properties as object)));
  if (names.size > 0) {
    out.set(
      "properties",
      Object.fromEntries(
        [...names].map((name) => [name, joinSchemas(memberOf(a, name), memberOf(c, name), `${path}/properties/${pointer(name)}`, refuse)]),
      ),
    );
  }
  const more = joinSchemas(restOf(a), restOf(c), `${path}/additionalProperties`, refuse);
  if (more !== true) out.set("additionalProperties", more);
  return Object.fromEntries(out);
}

/** What a schema says of a member. */
export function memberOf(schema: SchemaRecord, name: string): JsonSchema {
  const properties = (schema["properties"] ?? {}) as Readonly<Record<string, JsonSchema>>;
  return Object.hasOwn(properties, name) ? (properties[name] as JsonSchema) : restOf(schema);
}

function restOf({ additionalProperties = true }: SchemaRecord): JsonSchema {
  return additionalProperties as JsonSchema;
}

function commonTypes(a: readonly string[], c: readonly string[], path: string, refuse: Refuse): readonly string[] {
  const isIn = (type: string, all: readonly string[]): boolean => all.includes(type) || (type === "integer" && all.includes("number"));
  const common = [...new Set([...a.filter((type) => isIn(type, c)), ...c.filter((type) => isIn(type, a))])];
  return common.length > 0 ? common : refuse("no type is allowed by both", `${path}/type`);
}

export function typeOf(value: unknown): (typeof types)[number] {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value === "object" ? "object" : (typeof value as "string" | "boolean");
}

/** Told apart by type, or by a member that both require, with different constants. */
export function areApart(a: JsonSchema, c: JsonSchema): boolean {
  if (!isObject(a) || !isObject(c)) return a === false || c === false;
  const [left, right] = [valuesOf(a), valuesOf(c)];
  if (left !== undefined && right !== undefined) return !left.some((value) => right.includes(value));
  const others = typesOf(c);
  if (!typesOf(a).some((type) => others.includes(type))) return true;
  if ([a, c].some((each) => typesOf(each).some((type) => type !== "object"))) return false;
  const required = (each: SchemaRecord): readonly string[] => (each["required"] ?? []) as readonly string[];
  return required(a).some((name) => {
    if (!required(c).includes(name)) return false;
    const [x, y] = [memberOf(a, name), memberOf(c, name)].map((each) => (isObject(each) ? valuesOf(each) : undefined));
    return x !== undefined && y !== undefined && !x.some((value) => y.includes(value));
  });
}

function valuesOf(schema: SchemaRecord): readonly string[] | undefined {
  if ("const" in schema) return [JSON.stringify(schema["const"])];
  return (schema["enum"] as readonly unknown[] | undefined)?.map((value) => JSON.stringify(value));
}

/** A number may be an integer. */
function typesOf(schema: SchemaRecord): readonly string[] {
  const { type, enum: values } = schema;
  const given = "const" in schema ? [typeOf(schema["const"])] : Array.isArray(values) ? values.map(typeOf) : [type ?? types].flat();
  return given.flatMap((each) => (each === "number" ? ["number", "integer"] : [String(each)]));
}
