/** The input of a call as a grammar. What of a schema no grammar can hold is left out of it alone: the input is judged by the whole schema before its tool runs. */
import { SpellError } from "../errors.ts";
import { hasManyWays } from "../grammar/gbnf-ways.ts";
import { schemaGrammar } from "../grammar/json-schema.ts";
import { isObject } from "../json.ts";
import type { Grammar } from "../spec/grammar.ts";
import type { JsonSchema } from "../spec/schema.ts";
import type { PlainTool } from "./messages.ts";

/** Parts that are left out of one schema; more leave any object. */
const mostLeftOut = 32;

/** @param where the schema in messages: "tools[0].inputSchema" */
export function inputGrammar({ schema }: PlainTool, where: string): Grammar {
  const held = JSON.parse(JSON.stringify({ type: "object", ...schema })) as Record<string, unknown>;
  for (let n = 0; n <= mostLeftOut; n += 1) {
    try {
      const grammar = schemaGrammar(held as JsonSchema, where);
      if (hasManyWays(grammar)) break;
      return grammar;
    } catch (error) {
      if (!(error instanceof SpellError && error.code === "run-option")) throw error;
      if (!leaveOut(held, (error.where ?? "").slice(where.length))) break;
    }
  }
  return schemaGrammar({ type: "object" });
}

/** Lists and records of schemas: what stands in one keeps its place. */
const holders = new Set(["properties", "$defs", "definitions"]);

/** Keywords whose value is one schema. */
const inner = new Set(["items", "additionalItems", "additionalProperties", "propertyNames"]);

/** What goes first where a schema is refused as a whole: what its other keywords say stays. */
const isBound = (keyword: string): boolean => /^(min|max|exclusive)[A-Z]|^(min|max)imum$/.test(keyword);

/** @param path of a keyword, or of a schema; what is behind a reference ends at it @returns whether something was left out */
function leaveOut(schema: Record<string, unknown>, path: string): boolean {
  let node: unknown = schema;
  let last: { readonly holder: Record<string, unknown>; readonly key: string; readonly isPlace: boolean } | undefined;
  let before = "";
  for (const part of path.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (!(isObject(node) || Array.isArray(node)) || !Object.hasOwn(node, key)) break;
    const holder = node as Record<string, unknown>;
    last = { holder, key, isPlace: Array.isArray(node) || holders.has(before) };
    before = key;
    node = holder[key];
  }
  if (isObject(node) && (last === undefined || last.isPlace || inner.has(before))) {
    const refused = node as Record<string, unknown>;
    const bounds = Object.keys(refused).filter(isBound);
    for (const keyword of bounds) delete refused[keyword];
    if (bounds.length > 0) return true;
  }
  if (last === undefined || (last.holder === schema && last.key === "type")) return false;
  const { holder, key, isPlace } = last;
  if (isPlace) {
    if (holder[key] === true) return false;
    holder[key] = true;
  } else delete holder[key];
  return true;
}
