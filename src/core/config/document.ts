/** A configuration before the schema has seen it: parsed, bounded, and able to say where each key stands. */
import { limits } from "../limits.ts";
import type { Position } from "./positions.ts";
import { frameAt, lineAndColumn, type Problem, syntaxFrameAt } from "./problem.ts";

/** The place of a key, for origins and errors. */
export interface Place {
  /** "file:PATH:3", "profile:candle", "object" */
  readonly origin: string;
  /** "PATH:3:1", or the origin where there are no lines */
  readonly where: string;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  readonly frame?: string | undefined;
}

export interface Document {
  /** an object; prototypes of its tables are nobody's business */
  readonly values: Readonly<Record<string, unknown>>;
  /** shown as the source of the configuration */
  readonly name: string;
  /** @param part what the message is about: an unknown key, or a bad value */
  place(parts: readonly string[], part: "key" | "value"): Place;
}

export type Parsed = { readonly ok: true; readonly document: Document } | { readonly ok: false; readonly problem: Problem };

/** A profile or an object of a program: every key has one origin. */
export function plainDocument(values: Readonly<Record<string, unknown>>, name: string, origin: string): Parsed {
  const problem = findExcess(values);
  if (problem !== undefined) return { ok: false, problem: { code: "config-syntax", message: problem, where: name } };
  return { ok: true, document: { values, name, place: () => ({ origin, where: name }) } };
}

/**
 * TOML to a document. The parser is imported with the first text: programs that name a profile do without.
 * @param name path of the file, or what to call the text
 * @param origin what stands before the line in an origin: "file:PATH", "toml"
 */
export async function parseDocument(text: string, name: string, origin: string): Promise<Parsed> {
  const fail = (message: string, at?: { readonly line: number; readonly column: number; readonly frame: string }): Parsed => ({
    ok: false,
    problem: { code: "config-syntax", message, where: at === undefined ? name : `${name}:${at.line}:${at.column}`, ...at },
  });
  // one character is at least one byte
  if (text.length > limits.configBytes) return fail(`wanted at most ${limits.configBytes} bytes; got more`);
  // Every key has one; the parser itself would take seconds for as many keys as fit into the bytes.
  if (text.split("=", limits.configKeys + 2).length > limits.configKeys + 1)
    return fail(`wanted at most ${limits.configKeys} keys; got more`);
  if (deepKey.test(text)) return fail(`wanted at most ${limits.configDepth} nested levels; got more`);
  const [{ parse, TomlError }, { locateKeys, pathId }] = await Promise.all([import("smol-toml"), import("./positions.ts")]);
  let values: Record<string, unknown>;
  try {
    values = parse(text, { integersAsBigInt: true, maxDepth: limits.configDepth });
  } catch (error) {
    if (!(error instanceof TomlError)) return fail(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    const { line, column } = error;
    const offset = offsetOf(text, line, column);
    const [what = ""] = error.message.replace("Invalid TOML document: ", "").split("\n", 1);
    return fail(what, { line, column, frame: syntaxFrameAt(text, offset) });
  }
  const excess = findExcess(values);
  if (excess !== undefined) return fail(excess);
  let positions: ReadonlyMap<string, Position> | undefined;
  const place: Document["place"] = (parts, part) => {
    positions ??= locateKeys(text);
    const found = positions.get(pathId(parts));
    if (found === undefined) return { origin, where: name };
    const range = part === "value" ? (found.value ?? found.key) : found.key;
    const { line, column } = lineAndColumn(text, range[0]);
    return {
      origin: `${origin}:${line}`,
      where: `${name}:${line}:${column}`,
      line,
      column,
      get frame() {
        return frameAt(text, range);
      },
    };
  };
  return { ok: true, document: { values, name, place } };
}

/** A line that begins with a dotted key no schema has: the parser would first make a table of every part. */
const deepKey: RegExp = new RegExp(`^[ \\t[]*(?:[\\w-]+[ \\t]*\\.[ \\t]*){${limits.configDepth + 1}}`, "m");

function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let i = 1; i < line; i++) start = text.indexOf("\n", start) + 1;
  return Math.min(text.length, start + column - 1);
}

/** Depth and number of keys, without recursion: dotted keys nest as deep as a line is long. */
function findExcess(values: object): string | undefined {
  let level: readonly object[] = [values];
  let keys = 0;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limits.configDepth) return `wanted at most ${limits.configDepth} nested levels; got more`;
    const next: object[] = [];
    for (const table of level) {
      for (const inner of Object.values(table)) {
        keys += 1;
        if (typeof inner === "object" && inner !== null && !(inner instanceof Date)) next.push(inner);
      }
      if (keys > limits.configKeys) return `wanted at most ${limits.configKeys} keys; got more`;
    }
    level = next;
  }
  return undefined;
}
