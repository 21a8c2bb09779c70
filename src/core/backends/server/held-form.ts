/** The form of an answer in the words of services: they take a schema of an object, so other forms are its one member, and come out of it again. */
import { isObject } from "../../json.ts";
import type { Constraint } from "../../spec/grammar.ts";
import type { JsonSchema } from "../../spec/schema.ts";
import { type Json, parsed } from "../answer-values.ts";
import type { ServedForm, WirePart } from "./wire.ts";

/** Forms that a service can be asked for. */
export const servedForms = ["jsonSchema", "choices", "regex"] as const;

const member = "answer";

/** @returns undefined for a grammar of the caller's own, which the pool refuses before */
export function servedForm(held: Constraint | undefined): ServedForm | undefined {
  switch (held?.kind) {
    case "jsonSchema":
      return isObject(held.schema) && held.schema["type"] === "object"
        ? { schema: plainPatterns(held.schema) as Json, isInside: false }
        : inside(plainPatterns(held.schema) as JsonSchema);
    case "choices":
      return inside({ type: "string", enum: held.choices });
    case "regex":
      return inside({ type: "string", pattern: plainPattern(`^(${held.source})$`) });
    default:
      return undefined;
  }
}

/** Keywords whose value is data, where nothing is a pattern. */
const dataKeywords: ReadonlySet<string> = new Set(["const", "default", "enum", "examples"]);
/** Keywords whose members have names of the caller's own. */
const namedKeywords: ReadonlySet<string> = new Set(["properties", "$defs", "definitions", "dependentSchemas"]);

/**
 * A schema whose patterns have plain groups: `(?` ends the process of Ollama 0.6.5. A look-around that stands beside a format is left out, since the format says
 * it, and the answer is judged by all of it here.
 */
export function plainPatterns(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(plainPatterns);
  if (!isObject(schema)) return schema;
  const members = Object.entries(schema).flatMap(([key, value]): readonly (readonly [string, unknown])[] => {
    if (dataKeywords.has(key)) return [[key, value]];
    if (namedKeywords.has(key) && isObject(value))
      return [[key, Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plainPatterns(inner)]))]];
    if (key !== "pattern" || typeof value !== "string") return [[key, plainPatterns(value)]];
    const pattern = plainPattern(value);
    return pattern.includes("(?") && typeof schema["format"] === "string" ? [] : [[key, pattern]];
  });
  return Object.fromEntries(members);
}

/** What a group captures counts for nothing in a schema. Escapes and classes stay as they are. */
function plainPattern(source: string): string {
  return source.replace(/\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?::|<\w+>)/gsu, (found) => (found.startsWith("(?") ? "(" : found));
}

function inside(schema: JsonSchema): ServedForm {
  // references point to the top
  const { $defs, definitions, $schema: _, ...own } = isObject(schema) ? schema : {};
  const inner = isObject(schema) ? own : schema;
  const top = { ...($defs !== undefined && { $defs }), ...(definitions !== undefined && { definitions }) };
  return {
    isInside: true,
    schema: { type: "object", properties: { [member]: inner }, required: [member], additionalProperties: false, ...top },
  };
}

/** Whether OpenAI holds an answer to it by force: every object names all its members as required, and allows no others. */
export function isStrict(schema: unknown, depth = 0): boolean {
  if (depth > 32) return false;
  if (Array.isArray(schema)) return schema.every((each) => isStrict(each, depth + 1));
  if (!isObject(schema)) return true;
  const { properties, required, additionalProperties } = schema;
  if (schema["type"] === "object" || properties !== undefined) {
    const names = isObject(properties) ? Object.keys(properties) : [];
    if (additionalProperties !== false || !Array.isArray(required) || names.some((name) => !required.includes(name))) return false;
  }
  return Object.values(schema).every((inner) => isStrict(inner, depth + 1));
}

/** The answer out of its object, once that is whole; what is none stays as it came, for the judge. */
export async function* takenOut(parts: AsyncIterable<WirePart>): AsyncGenerator<WirePart, void, undefined> {
  let text = "";
  for await (const part of parts) {
    if (part.type === "text-delta") text += part.text;
    else if (part.type === "ended") {
      const shown = part.finishReason === "length" ? text : memberIn(text);
      if (shown !== "") yield { type: "text-delta", text: shown };
      yield part;
    } else yield part;
  }
}

/** The answer that stands in an object; what is none comes back as it is. */
export function memberIn(text: string): string {
  const value = parsed(text);
  const own = isObject(value) ? value[member] : undefined;
  if (own === undefined) return text;
  return typeof own === "string" ? own : JSON.stringify(own);
}
