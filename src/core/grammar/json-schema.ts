/**
 * JSON Schema to a grammar: every text of it is JSON that validates. Compact, one optional space where people put one, members in the order of `properties`.
 * What a grammar cannot hold is refused by its path; docs/structured-output.md lists it.
 */
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { CharRange, Grammar, GrammarItems } from "../spec/grammar.ts";
import type { JsonSchema } from "../spec/schema.ts";
import { createGrammarBuilder, type GrammarBuilder } from "./builder.ts";
import { formats, freeFormats, keptPatterns } from "./formats.ts";
import {
  areApart,
  checkKeywords,
  isNever,
  isOpen,
  isTelling,
  joinSchemas,
  memberOf,
  modern,
  pointer,
  type Refuse,
  resolveRef,
  type SchemaRecord,
  types,
} from "./keywords.ts";
import { has, minus } from "./letters.ts";
import { isWithin } from "./matcher.ts";
import { type NumberBounds, numbersWithin } from "./numbers.ts";
import { type RegexItems, regexItems } from "./regex.ts";
import { validator } from "./validate.ts";

/** @param where the option it came with @throws SpellError run-option, with the path of what cannot be held */
export function schemaGrammar(schema: JsonSchema, where = "jsonSchema"): Grammar {
  const builder = createGrammarBuilder(where);
  return builder.finish([schemaItems(builder, schema)]);
}

/** A schema as part of a larger grammar. @param at path in messages @throws SpellError run-option */
export function schemaItems(b: GrammarBuilder, document: JsonSchema, at = ""): GrammarItems {
  const refuse: Refuse = (problem, path) => b.fail(problem, `${at}${path}`);
  const json = jsonParts(b);
  const { value, string, quoted, list, member, wrap, comma } = json;
  const refs = new Map<string, GrammarItems>();
  let visits = 0;

  const deref = (schema: JsonSchema, path: string): JsonSchema => {
    let found = schema;
    for (
      let n = 0;
      n < limits.schemaDepth && isObject(found) && typeof found["$ref"] === "string" && Object.keys(found).length === 1;
      n += 1
    )
      found = resolveRef(document, found["$ref"], path, refuse);
    return found;
  };
  const joined = (first: JsonSchema, second: JsonSchema, path: string): JsonSchema =>
    joinSchemas(isObject(first) ? modern(first) : first, isObject(second) ? modern(second) : second, path, refuse);

  const visit = (schema: JsonSchema, path: string, depth: number): GrammarItems => {
    visits += 1;
    if (depth > limits.schemaDepth) refuse(`expected at most ${limits.schemaDepth} nested levels, got more`, path);
    if (visits > limits.grammarItems) refuse("expected a smaller schema, got one that is too much to read", path);
    if (isOpen(schema)) return value();
    if (isNever(schema) || !isObject(schema))
      return refuse("expected a schema that something validates by, got one that refuses everything", path);
    checkKeywords(schema, path, refuse);
    const { $ref, allOf, ...rest } = modern(schema);
    const hasRest = Object.keys(rest).some(isTelling);
    if (typeof $ref === "string") {
      const target = (): JsonSchema => resolveRef(document, $ref, path, refuse);
      if (hasRest || allOf !== undefined)
        return visit(joined(target(), { ...rest, ...(allOf === undefined ? {} : { allOf }) }, path), path, depth + 1);
      const known = refs.get($ref);
      if (known !== undefined) return known;
      const rule = b.later(`ref-${$ref.split("/").pop() ?? ""}`);
      refs.set($ref, rule.items);
      rule.set([visit(target(), $ref.slice(1), depth + 1)]);
      return rule.items;
    }
    if (allOf !== undefined) {
      const all = (allOf as readonly JsonSchema[]).reduce((sum, each) => joined(sum, deref(each, path), path), rest as JsonSchema);
      return visit(all, path, depth + 1);
    }
    for (const name of ["anyOf", "oneOf"] as const) {
      const branches = rest[name] as readonly JsonSchema[] | undefined;
      if (branches === undefined) continue;
      const { [name]: _, ...around } = rest;
      const isAround = Object.keys(around).some(isTelling);
      const open = branches.map((branch) => deref(branch, path));
      if (name === "oneOf" && open.length <= 64 && !open.every((branch, i) => open.slice(0, i).every((other) => areApart(branch, other))))
        refuse("expected branches that a type, const or enum tells apart, got others; anyOf takes them", `${path}/oneOf`);
      if (name === "oneOf" && open.length > 64) refuse("expected at most 64 branches, got more", `${path}/oneOf`);
      const made = open.flatMap((branch, i) => {
        if (isNever(branch)) return [];
        const whole = isAround ? joined(around, branch, path) : (branches[i] as JsonSchema);
        return [visit(whole, `${path}/${name}/${i}`, depth + 1)];
      });
      return b.either(name, made);
    }
    if ("const" in rest || rest["enum"] !== undefined) return literals(rest, path);
    const given = rest["type"] === undefined ? [impliedType(rest)].flat() : ([rest["type"]].flat() as (typeof types)[number][]);
    const wanted = given.includes("number") ? given.filter((type) => type !== "integer") : given;
    return b.either(
      "type",
      [...new Set(wanted)].map((type) => byType[type](rest, path, depth)),
    );
  };

  /** The values that the other keywords let stand. */
  const literals = (schema: SchemaRecord, path: string): GrammarItems => {
    const { const: constant, enum: values, ...others } = schema;
    const isAllowed = Object.keys(others).some(isTelling) ? validator(others, b, document, `${at}${path}`) : () => true;
    const all = values === undefined ? [constant] : (values as readonly unknown[]);
    const fits = all.filter((each) => isAllowed(each) && (!("const" in schema) || JSON.stringify(each) === JSON.stringify(constant)));
    if (fits.length === 0) refuse("no value is left that the other keywords allow", path);
    return b.either(
      "enum",
      fits.map((each) => literal(each, path, 0)),
    );
  };
  const literal = (given: unknown, path: string, depth: number): GrammarItems => {
    if (depth > limits.schemaDepth) refuse(`expected at most ${limits.schemaDepth} nested levels, got more`, path);
    if (Array.isArray(given))
      return wrap(
        "[",
        given.flatMap((each, i) => [...(i > 0 ? comma() : []), ...literal(each, path, depth + 1)]),
        "]",
      );
    if (isObject(given)) {
      const entries = Object.entries(given);
      const members = entries.flatMap(([name, each], i) => [
        ...(i > 0 ? comma() : []),
        ...member(b.text(JSON.stringify(name)), literal(each, path, depth + 1)),
      ]);
      return wrap("{", members, "}");
    }
    const text = typeof given === "number" && !Number.isFinite(given) ? undefined : (JSON.stringify(given) as string | undefined);
    return text === undefined ? refuse("expected values of JSON, got another", path) : b.text(text);
  };

  const numbers = (schema: SchemaRecord, path: string, isWhole: boolean): GrammarItems => {
    const bounds = schema as NumberBounds;
    if ([bounds.minimum, bounds.maximum, bounds.exclusiveMinimum, bounds.exclusiveMaximum].every((each) => each === undefined))
      return isWhole ? json.integer() : json.number();
    const found = numbersWithin(b, bounds, isWhole);
    return found.length > 0 ? b.either("number", found) : refuse("no number between the bounds can be written", path);
  };
  const counts = (
    schema: SchemaRecord,
    name: "Length" | "Items" | "Properties",
    path: string,
  ): readonly [min: number, max: number | undefined] => {
    const [min = 0, max] = [schema[`min${name}`] as number | undefined, schema[`max${name}`] as number | undefined];
    return max !== undefined && max < min ? refuse(`min${name} is above max${name}`, path) : [min, max];
  };
  const stringOf = (source: string, path: string): RegexItems =>
    regexItems(source, { builder: b, path: `${at}${path}`, write: (set) => inJson(b, set) });

  const byType: Readonly<Record<(typeof types)[number], (schema: SchemaRecord, path: string, depth: number) => GrammarItems>> = {
    null: () => b.text("null"),
    boolean: () => json.boolean(),
    integer: (schema, path) => numbers(schema, path, true),
    number: (schema, path) => numbers(schema, path, false),
    string(schema, path) {
      const { pattern, format } = schema as { readonly pattern?: string; readonly format?: string };
      const [min, max] = counts(schema, "Length", path);
      const known = format === undefined || !Object.hasOwn(formats, format) ? undefined : formats[format];
      if (format !== undefined && known === undefined && pattern === undefined && !freeFormats.has(format))
        refuse(`the format ${format.slice(0, 60)} cannot be held`, `${path}/format`);
      const source = known === undefined || pattern === undefined ? (known ?? pattern) : narrower(known, pattern, `${path}/pattern`);
      if (source === undefined) {
        if (min === 0 && max === undefined) return string();
        return quoted(b.repeat("letters", json.letter(), min, max));
      }
      const made = stringOf(source, `${path}/${source === pattern ? "pattern" : "format"}`);
      if (made.least < min || made.most > (max ?? Number.POSITIVE_INFINITY))
        refuse("a length beside it cannot be held", `${path}/${pattern === undefined ? "format" : "pattern"}`);
      return quoted(made.items);
    },
    array(schema, path, depth) {
      const [min, max] = counts(schema, "Items", path);
      const { items = true, prefixItems = [] } = schema as { readonly items?: JsonSchema; readonly prefixItems?: readonly JsonSchema[] };
      const isEnd = isNever(items);
      const first = prefixItems.length;
      if (min > first && isEnd) refuse("minItems is above what may stand there", path);
      if (max !== undefined && max < first) refuse("maxItems is below prefixItems", path);
      if (first === 0) return wrap("[", isEnd ? [] : list("items", () => visit(items, `${path}/items`, depth + 1), min, max), "]");
      // All of prefixItems are written: that is what people mean by a tuple.
      const head = prefixItems.flatMap((each, i) => [...(i > 0 ? comma() : []), ...visit(each, `${path}/prefixItems/${i}`, depth + 1)]);
      if (isEnd || max === first) return wrap("[", head, "]");
      const more = [...comma(), ...visit(items, `${path}/items`, depth + 1)];
      return wrap("[", [...head, ...b.repeat("items", more, Math.max(0, min - first), max === undefined ? undefined : max - first)], "]");
    },
    object(schema, path, depth) {
      const { propertyNames = true, additionalProperties = true } = schema as {
        readonly propertyNames?: JsonSchema;
        readonly additionalProperties?: JsonSchema;
      };
      const required = new Set((schema["required"] ?? []) as readonly string[]);
      const isNamed = isOpen(propertyNames) ? () => true : validator(propertyNames, b, document, `${at}${path}/propertyNames`);
      const names = [...new Set([...Object.keys((schema["properties"] ?? {}) as object), ...required])].filter((name) => {
        if (!isNever(memberOf(schema, name)) && isNamed(name)) return true;
        // A member that nobody may write is left out.
        return required.has(name)
          ? refuse(`${JSON.stringify(name.slice(0, 60))} is required, and nothing may stand there`, `${path}/required`)
          : false;
      });
      const [min, max] = counts(schema, "Properties", path);
      if (names.length > 0 || isNever(additionalProperties)) {
        if (min > required.size || (max !== undefined && max < names.length))
          refuse("minProperties and maxProperties cannot be held here", path);
        return wrap("{", members(names, required, schema, path, depth), "}");
      }
      // Twice the same name would be one member less after parsing.
      if (min > 1) refuse("minProperties above 1 cannot be held", path);
      const name = isOpen(propertyNames)
        ? string()
        : visit(joined({ type: "string" }, deref(propertyNames, path), path), `${path}/propertyNames`, depth + 1);
      return wrap(
        "{",
        list("members", () => member(name, visit(additionalProperties, `${path}/additionalProperties`, depth + 1)), min, max),
        "}",
      );
    },
  };

  const members = (
    names: readonly string[],
    required: ReadonlySet<string>,
    schema: SchemaRecord,
    path: string,
    depth: number,
  ): GrammarItems => {
    const parts = names.map((name) => ({
      isRequired: required.has(name),
      items: b.rule(
        `m-${name}`,
        member(b.text(JSON.stringify(name)), visit(memberOf(schema, name), `${path}/properties/${pointer(name)}`, depth + 1)),
      ),
    }));
    // From the last one on: what follows where something was written before it, and where it is the first.
    let [after, first]: [GrammarItems, GrammarItems] = [[], []];
    for (let end = parts.length; end > 0; ) {
      let from = end;
      while (from > 0 && parts[from - 1]?.isRequired === false) from -= 1;
      if (end - from > longRun) {
        const some = someOf(parts.slice(from, end).map(({ items }) => items));
        after = b.rule("rest", after);
        first = b.either("first", [[...some, ...after], first]);
        after = b.rule("rest", [...b.maybe("more", [...comma(), ...some]), ...after]);
        end = from;
        continue;
      }
      end -= 1;
      const { isRequired, items } = parts[end] ?? { isRequired: true, items: [] };
      const begun = isRequired ? [...items, ...after] : b.either("first", [[...items, ...after], first]);
      after = isRequired ? [...comma(), ...items, ...after] : b.either("more", [[...comma(), ...items, ...after], after]);
      first = begun;
    }
    return first;
  };

  /**
   * One or more of many members, in their order, as a tree: llama.cpp calls itself for each rule that begins with another, and in WebAssembly its stack
   * ends with some 260 in a row.
   */
  const someOf = (all: readonly GrammarItems[]): GrammarItems => {
    if (all.length === 1) return all[0] ?? [];
    const size = Math.ceil(all.length / Math.min(all.length, 4));
    const groups = Array.from({ length: Math.ceil(all.length / size) }, (_, i) => someOf(all.slice(i * size, (i + 1) * size)));
    const laters = groups.map((some, i) => (i === 0 ? [] : b.maybe("more", [...comma(), ...some])));
    return b.either(
      "some",
      groups.map((some, i) => [...some, ...laters.slice(i + 1).flat()]),
    );
  };

  /** Of a format and the pattern beside it, the one whose every text keeps the other. */
  const narrower = (format: string, pattern: string, path: string): string => {
    if (keptPatterns.has(pattern)) return format;
    const alone = (source: string): Grammar => {
      const own = createGrammarBuilder("");
      return own.finish([regexItems(source, { builder: own }).items]);
    };
    stringOf(pattern, path);
    const [a, c] = [alone(format), alone(pattern)];
    if (isWithin(a, c)) return format;
    return isWithin(c, a) ? pattern : refuse("a pattern that says something else than the format beside it cannot be held", path);
  };

  return visit(document, "", 0);
}

/** What the keywords are about, where no type is named. */
function impliedType(schema: SchemaRecord): (typeof types)[number] | readonly (typeof types)[number][] {
  const names = Object.keys(schema);
  if (names.some((name) => /propert|required/i.test(name))) return "object";
  if (names.some((name) => /items/i.test(name))) return "array";
  if (names.some((name) => /length|pattern|format/i.test(name))) return "string";
  if (names.some((name) => /m(in|ax)imum/i.test(name))) return "number";
  return types;
}

/** Optional members in a row that are written one behind another; more of them are a tree. */
const longRun = 16;

type Make = () => GrammarItems;

/** Parts of JSON that every schema shares; each is made with its first use. */
function jsonParts(b: GrammarBuilder) {
  const space: Make = () => b.once("ws", () => [b.text(" "), []]);
  const comma: Make = () => [...b.text(","), ...space()];
  const digit = b.chars("0-9");
  const hex = b.chars("0-9", "a-f", "A-F");
  // No lone surrogates: what JSON.parse makes of it must survive as UTF-8.
  const letter: Make = () =>
    b.once("letter", () => [
      b.chars([0x20, 0x21], [0x23, 0x5b], [0x5d, 0x7e], [0xa0, 0xd7ff], [0xe000, 0xfffd], [0x10000, 0x10ffff]),
      [...b.text("\\"), ...b.chars('"', "\\", "/", "b", "f", "n", "r", "t")],
      [...b.text("\\u"), ...b.chars("0-9", "a-c", "A-C", "e-f", "E-F"), ...hex, ...hex, ...hex],
      [...b.text("\\u"), ...b.chars("d", "D"), ...b.chars("0-7"), ...hex, ...hex],
    ]);
  const quoted = (items: GrammarItems): GrammarItems => [...b.text('"'), ...items, ...b.text('"')];
  const string: Make = () => b.once("string", () => [quoted(b.repeat("letters", letter(), 0))]);
  const integer: Make = () =>
    b.once("integer", () => {
      const natural = b.either("natural", [b.text("0"), [...b.chars("1-9"), ...b.repeat("digits", digit, 0, 14)]]);
      return [[...b.maybe("minus", b.text("-")), ...natural]];
    });
  const number: Make = () =>
    b.once("number", () => {
      const fraction = b.maybe("fraction", [...b.text("."), ...b.repeat("digits", digit, 1, 16)]);
      const exponent = b.maybe("exponent", [
        ...b.chars("e", "E"),
        ...b.maybe("sign", b.chars("+", "-")),
        ...b.repeat("digits", digit, 1, 2),
      ]);
      return [[...integer(), ...fraction, ...exponent]];
    });
  const boolean: Make = () => b.once("boolean", () => [b.text("true"), b.text("false")]);
  const member = (name: GrammarItems, value: GrammarItems): GrammarItems => [...name, ...b.text(":"), ...space(), ...value];
  const wrap = (open: string, items: GrammarItems, shut: string): GrammarItems => [
    ...b.text(open),
    ...space(),
    ...items,
    ...space(),
    ...b.text(shut),
  ];
  const list = (hint: string, make: Make, min: number, max?: number): GrammarItems => {
    if (max === 0) return [];
    const unit = b.rule(hint, make());
    const some = [...unit, ...b.repeat(hint, [...comma(), ...unit], Math.max(0, min - 1), max === undefined ? undefined : max - 1)];
    return min > 0 ? some : b.maybe(hint, some);
  };
  const value: Make = () =>
    b.once("value", () => [
      wrap(
        "{",
        list("members", () => member(string(), value()), 0),
        "}",
      ),
      wrap("[", list("items", value, 0), "]"),
      string(),
      number(),
      boolean(),
      b.text("null"),
    ]);
  return { space, comma, letter, quoted, string, integer, number, boolean, member, wrap, list, value };
}

/** Letters of a string's value, as JSON writes them. */
function inJson(b: GrammarBuilder, set: readonly CharRange[]): GrammarItems {
  const escapes: readonly (readonly [code: number, written: string])[] = [
    [0x22, '\\"'],
    [0x5c, "\\\\"],
    [8, "\\b"],
    [9, "\\t"],
    [10, "\\n"],
    [12, "\\f"],
    [13, "\\r"],
  ];
  const plain = minus(set, [
    [0, 0x1f],
    [0x22, 0x22],
    [0x5c, 0x5c],
  ]);
  const written = escapes.filter(([code]) => has(set, code)).map(([, text]) => b.text(text));
  return b.either("letter", [...(plain.length > 0 || written.length === 0 ? [[{ chars: plain }]] : []), ...written]);
}
