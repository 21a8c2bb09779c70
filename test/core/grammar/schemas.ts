/** Schemas that the tests of grammars share, and random texts of a grammar. */
import type { Grammar, GrammarItems } from "../../../src/core/spec/grammar.ts";
import type { JsonSchema } from "../../../src/core/spec/schema.ts";

export const heldSchemas: Readonly<Record<string, JsonSchema>> = {
  person: {
    type: "object",
    properties: {
      name: { type: "string" },
      age: { type: "integer", minimum: 0, maximum: 150 },
      tags: { type: "array", items: { enum: ["a", "b"] }, maxItems: 3 },
    },
    required: ["name", "age"],
    additionalProperties: false,
  },
  optional: {
    type: "object",
    properties: { a: { type: "boolean" }, b: { type: "null" }, c: { type: "integer", minimum: -12, exclusiveMaximum: 7 } },
    additionalProperties: false,
  },
  recursive: {
    $ref: "#/$defs/node",
    $defs: {
      node: {
        type: "object",
        properties: { value: { type: "integer" }, next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } },
        required: ["value", "next"],
        additionalProperties: false,
      },
    },
  },
  union: {
    oneOf: [
      { type: "object", properties: { kind: { const: "a" }, x: { type: "number" } }, required: ["kind", "x"] },
      { type: "object", properties: { kind: { const: "b" }, y: { type: "string", minLength: 2, maxLength: 4 } }, required: ["kind", "y"] },
    ],
  },
  tuple: {
    type: "array",
    prefixItems: [
      { type: "string", pattern: "^[A-Z]{2}-\\d{3}$" },
      { type: "number", minimum: 0, maximum: 1 },
    ],
    items: false,
    minItems: 2,
  },
  older: { type: "array", items: [{ type: "integer" }, { type: "boolean" }], additionalItems: { type: "null" }, minItems: 3, maxItems: 4 },
  bounds: {
    type: "object",
    properties: {
      p: { type: "number", minimum: -1.5, maximum: 2.5 },
      q: { type: "number", exclusiveMinimum: 0 },
      r: { type: "integer", minimum: 98, maximum: 1203 },
      s: { type: "number", exclusiveMinimum: 0.25, exclusiveMaximum: 0.5 },
    },
    required: ["p", "q", "r", "s"],
  },
  free: {},
  anyObject: { type: "object" },
  record: { type: "object", propertyNames: { type: "string" }, additionalProperties: { type: "integer" } },
  named: { type: "object", propertyNames: { enum: ["x", "y"] }, additionalProperties: { type: "boolean" }, required: ["x"] },
  nested: { type: "array", minItems: 1, maxItems: 2, items: { type: "array", items: { type: ["string", "null"] }, maxItems: 2 } },
  all: {
    allOf: [
      { type: "object", properties: { a: { type: "string" } }, required: ["a"] },
      { properties: { b: { type: "integer" } }, required: ["b"] },
    ],
  },
  closed: {
    allOf: [
      { type: "object", properties: { a: { type: "string" } }, additionalProperties: false },
      { properties: { a: { maxLength: 3 }, b: { type: "integer" } } },
    ],
  },
  around: { type: "string", maxLength: 2, enum: ["a", "bb", "ccc", 4] },
  odd: {
    type: "object",
    properties: {
      'quote"back\\slash': { const: { x: [1, "é", null] } },
      日本: { enum: ["ß", "😀", "\u2028"] },
      ["__proto__"]: { type: "string", pattern: '^a"b\\\\c[^x]$' },
    },
    required: ['quote"back\\slash', "日本"],
  },
  loose: {
    type: "object",
    properties: { a: { type: "string", pattern: "b+c" }, d: { type: "string", pattern: "a|b$" }, n: { not: {} } },
    required: ["a", "d"],
  },
  classes: {
    type: "object",
    properties: {
      s: { type: "string", pattern: "^\\S\\s\\S$" },
      w: { type: "string", pattern: "^\\w{1,3}[^\\w\\s]?\\D$", maxLength: 1000 },
    },
    required: ["s"],
  },
  formats: {
    type: "object",
    properties: {
      w: { type: "string", format: "uri", pattern: "^https?://[^ ]+$" },
      d: { type: "string", format: "date-time" },
      u: { type: "string", format: "uuid", maxLength: 40 },
      e: { type: "string", format: "email" },
      i: { type: "string", format: "ipv4" },
      t: { type: "string", format: "time" },
    },
    required: ["d", "u", "e", "i", "t"],
  },
};
// an own member of that name, which a literal cannot have
Object.defineProperty((heldSchemas["odd"] as { properties: object }).properties, "__proto__", {
  enumerable: true,
  value: { type: "string", pattern: '^a"b\\\\c[^x]$' },
});

const nest = (times: number, inner: JsonSchema, wrap: (inner: JsonSchema) => JsonSchema): JsonSchema =>
  times === 0 ? inner : wrap(nest(times - 1, inner, wrap));

/** What is refused, and the path it is refused by. */
export const refusedSchemas: Readonly<Record<string, readonly [schema: JsonSchema, path: string]>> = {
  not: [{ type: "string", not: { const: "a" } }, "/not"],
  uniqueItems: [{ type: "object", properties: { a: { type: "array", uniqueItems: true } } }, "/properties/a/uniqueItems"],
  multipleOf: [{ type: "integer", multipleOf: 5 }, "/multipleOf"],
  unknown: [{ type: "string", "x/y": 1 }, "/x~1y"],
  outside: [{ $ref: "https://x.example/y" }, "/$ref"],
  missing: [{ $ref: "#/$defs/x" }, "/$ref"],
  anchor: [{ $ref: "#x", $defs: { x: { $anchor: "x" } } }, "/$ref"],
  lookahead: [{ type: "string", pattern: "^(?=a)b$" }, "/pattern"],
  boundary: [{ type: "string", pattern: "\\bword" }, "/pattern"],
  format: [{ type: "string", format: "hostname" }, "/format"],
  lengths: [{ type: "string", pattern: "^a+$", maxLength: 4 }, "/pattern"],
  apart: [{ type: "string", format: "email", pattern: "^[^@]+@example[.]com$" }, "/pattern"],
  huge: [{ type: "string", maxLength: 1e6 }, "/maxLength"],
  enum: [{ enum: Array.from({ length: 1e5 }, (_, i) => i) }, "/enum"],
  kind: [{ type: "integer", minimum: "1" }, "/minimum"],
  older: [{ type: "integer", minimum: 1, exclusiveMinimum: true }, "/exclusiveMinimum"],
  false: [false, ""],
  backwards: [{ type: "integer", minimum: 5, maximum: 4 }, ""],
  overlap: [{ oneOf: [{ type: "string" }, { type: "string", maxLength: 3 }] }, "/oneOf"],
  required: [{ type: "object", required: ["a"], additionalProperties: false }, "/required"],
  deep: [nest(200, {}, (items) => ({ type: "array", items })), "/items".repeat(65)],
};

/** Definitions that each speak twice of the next: a tree that doubles with each of them. */
const chain = (times: number, make: (next: object) => object): JsonSchema => ({
  $ref: "#/$defs/d0",
  $defs: Object.fromEntries(
    Array.from({ length: times + 1 }, (_, i) => [`d${i}`, i === times ? { type: "object" } : make({ $ref: `#/$defs/d${i + 1}` })]),
  ),
});

/** Schemas of strangers: refused or compiled, but soon. */
export const hostileSchemas: Readonly<Record<string, JsonSchema>> = {
  self: { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } },
  circle: {
    $ref: "#/$defs/a",
    $defs: { a: { anyOf: [{ $ref: "#/$defs/b" }] }, b: { allOf: [{ $ref: "#/$defs/a" }, { type: "string" }] } },
  },
  endless: { $ref: "#/$defs/n", $defs: { n: { type: "object", properties: { next: { $ref: "#/$defs/n" } }, required: ["next"] } } },
  cube: nest(6, { type: "string", minLength: 900 }, (items) => ({ type: "array", minItems: 900, items })),
  power: { type: "string", pattern: `^${"(".repeat(5)}a{1,900}${"){900}".repeat(5)}$` },
  doubled: nest(60, { type: "string" }, (inner) => ({ type: "array", items: inner, minItems: 1 })),
  branches: chain(30, (next) => ({ anyOf: [next, { type: "array", items: { ...next, minItems: 0 } }] })),
  joined: chain(40, (next) => ({ allOf: [next, next] })),
  stars: { type: "string", pattern: "^(a*)*$" },
  wide: {
    type: "object",
    properties: Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`name${i}`, { type: "string", maxLength: 50 }])),
  },
  values: { enum: Array.from({ length: 1000 }, (_, i) => `${"x".repeat(900)}${i}`) },
  empty: { type: "string", pattern: "^(a?){900}$" },
};

/** A random text: wide at first, the shortest way out once it is long. */
export function sampler({ root, rules }: Grammar, random: () => number): () => string {
  const shortest = new Map<string, number>();
  const cost = (items: GrammarItems): number =>
    items.reduce((sum, item) => sum + ("rule" in item ? (shortest.get(item.rule) ?? Number.POSITIVE_INFINITY) : 1), 0);
  for (let changed = true; changed; ) {
    changed = false;
    for (const [name, alternatives] of Object.entries(rules)) {
      const best = Math.min(...alternatives.map(cost));
      if (best < (shortest.get(name) ?? Number.POSITIVE_INFINITY)) {
        shortest.set(name, best);
        changed = true;
      }
    }
  }
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  return () => {
    let text = "";
    const write = (name: string, depth: number): void => {
      const list = rules[name] ?? [];
      const isLong = depth > 40 || text.length > 300;
      const items = isLong ? list.reduce((best, each) => (cost(each) < cost(best) ? each : best)) : pick(list);
      for (const item of items) {
        if ("rule" in item) write(item.rule, depth + 1);
        else {
          const [from, to] = pick(item.chars);
          text += String.fromCodePoint(from + Math.floor(random() * Math.min(to - from + 1, 200)));
        }
      }
    };
    write(root, 0);
    return text;
  };
}
