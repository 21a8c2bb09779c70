/** Random schemas of what the compiler knows, nested, joined and referred to; some of them cannot be held. */
import { z } from "zod";
import type { JsonSchema } from "../../../src/core/spec/schema.ts";

type Random = () => number;
type Made = Exclude<JsonSchema, boolean>;

const names = ["a", "b", "name", "x y", 'q"t', "é", "日本", "constructor", "0", "$ref", "type", "\\", "a/b", "😀"];
const patterns = [
  "^[a-c]{1,4}$",
  "^(?:yes|no)$",
  "^\\d{2,3}-[A-Z]$",
  '^[^"x]*$',
  "b+c",
  "^a|b$",
  "^\\S+$",
  "^(?:[0-9a-f]{2}:){1,3}[0-9a-f]{2}$",
  "^é?à{0,2}$",
];
const formats = ["date", "time", "date-time", "uuid", "email", "uri", "ipv4"];
const constants = [null, true, false, 0, -1, 1.5, 1e21, "", "a", 'q"\\', "\u2028", "😀", [], {}, [1, [2]], { a: { b: null } }];
/** What no grammar can hold. */
const foreign = [{ not: {} }, { uniqueItems: true }, { multipleOf: 3 }, { if: true }, { format: "hostname" }, { pattern: "(?=a)" }];

/** @param random of [0, 1) */
export function randomSchema(random: Random): JsonSchema {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const chance = (share: number): boolean => random() < share;
  const whole = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1));
  const definitions = chance(0.25) ? whole(1, 2) : 0;
  const some = <T>(list: readonly T[], share: number): readonly T[] => list.filter(() => chance(share));

  const range = (least: string, most: string, from: number, to: number, step: () => number): object => {
    const low = whole(from, to);
    return { ...(chance(0.5) ? { [least]: low } : {}), ...(chance(0.6) ? { [most]: low + step() } : {}) };
  };
  const text = (): Made => {
    if (chance(0.2)) return { type: "string", pattern: pick(patterns) };
    if (chance(0.2)) return { type: "string", format: pick(formats) };
    return { type: "string", ...range("minLength", "maxLength", 0, 3, () => whole(0, 12)) };
  };
  const number = (): Made => {
    const type = pick(["integer", "number"]);
    const scale = pick([1, 10, 1000, 1e6]);
    const round = (value: number): number => (type === "integer" ? Math.round(value) : Number(value.toFixed(whole(0, 3))));
    const low = round((random() - 0.5) * scale);
    const [least, most] = [pick(["minimum", "exclusiveMinimum"]), pick(["maximum", "exclusiveMaximum"])];
    return { type, ...(chance(0.5) ? { [least]: low } : {}), ...(chance(0.5) ? { [most]: round(low + random() * scale + 2) } : {}) };
  };
  const list = (depth: number): Made => {
    const bounds = range("minItems", "maxItems", 0, 2, () => whole(0, 3));
    if (chance(0.3)) {
      const prefixItems = Array.from({ length: whole(1, 3) }, () => schema(depth - 1));
      return { type: "array", prefixItems, minItems: prefixItems.length, items: chance(0.5) ? false : schema(depth - 1) };
    }
    return { type: "array", ...(chance(0.8) ? { items: schema(depth - 1) } : {}), ...bounds };
  };
  const object = (depth: number): Made => {
    if (chance(0.15)) return { type: "object", additionalProperties: schema(depth - 1) };
    const own = [...new Set(Array.from({ length: whole(0, 4) }, () => pick(names)))];
    const properties = Object.fromEntries(own.map((name) => [name, schema(depth - 1)]));
    return {
      type: "object",
      properties,
      required: some(own, 0.6),
      ...(chance(0.4) ? { additionalProperties: false } : {}),
    };
  };
  const union = (depth: number): Made => {
    const branch = (kind: string): Made => ({
      type: "object",
      properties: { kind: { const: kind }, v: schema(depth - 1) },
      required: ["kind", "v"],
    });
    switch (whole(0, 3)) {
      case 0:
        return { oneOf: ["p", "q"].map(branch) };
      case 1:
        return { oneOf: [text(), number(), { type: "null" }] };
      case 2:
        return { allOf: [object(depth - 1), { properties: { extra: schema(depth - 1) } }] };
      default:
        return { anyOf: Array.from({ length: whole(1, 3) }, () => schema(depth - 1)) };
    }
  };
  const schema = (depth: number): JsonSchema => {
    if (chance(0.01)) return { type: "string", ...pick(foreign) };
    if (definitions > 0 && chance(0.15)) return { $ref: `#/$defs/d${whole(0, definitions - 1)}` };
    const kind = whole(0, depth > 0 ? 9 : 5);
    if (kind <= 1) return text();
    if (kind <= 3) return number();
    if (kind === 4) return chance(0.5) ? { enum: Array.from({ length: whole(1, 4) }, () => pick(constants)) } : { const: pick(constants) };
    if (kind === 5) return chance(0.3) ? pick([true, {}]) : { type: chance(0.3) ? ["boolean", "null"] : pick(["boolean", "null"]) };
    if (kind === 6) return list(depth);
    return kind === 7 ? union(depth) : object(depth);
  };
  const top = schema(whole(1, 3));
  if (definitions === 0) return top;
  const $defs = Object.fromEntries(Array.from({ length: definitions }, (_, i) => [`d${i}`, object(2)]));
  return { ...(typeof top === "boolean" ? { type: "object" } : top), $defs };
}

/** zod as a judge, undefined where it cannot be: it reads a part of JSON Schema, counts inherited members as given, and compares lists and objects by identity. */
export function zodOf(schema: JsonSchema): z.ZodType | undefined {
  if (/"constructor":|"const":[[{]|"enum":\[[^\]]*[[{]/.test(JSON.stringify(schema))) return undefined;
  try {
    return z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  } catch {
    return undefined;
  }
}
