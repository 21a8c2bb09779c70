/** A configuration before the schema has seen it: parsed, bounded, with the place of each key. */
import type { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import { once } from "../values.ts";
import { frameAt, lineAndColumn, type Problem, problemsError, syntaxFrameAt } from "./problem.ts";

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
  /** The prototypes of its tables have no effect. */
  readonly values: Readonly<Record<string, unknown>>;
  /** shown as the source of the configuration */
  readonly name: string;
  /** @param part what the message is about: an unknown key, or a wrong value */
  place(parts: readonly string[], part: "key" | "value"): Place;
}

/**
 * An object of a program; every key has one origin.
 * @throws SpellError config-syntax: too deep, or too many keys
 */
export function plainDocument(values: Readonly<Record<string, unknown>>, name: string, origin: string): Document {
  const excess = findExcess(values);
  if (excess !== undefined) throw syntaxError(excess, name);
  return { values, name, place: () => ({ origin, where: name }) };
}

/**
 * TOML to a document. The parser is imported with the first text: programs that name a profile do without.
 * @param name path of the file, or what to call the text
 * @param origin what stands before the line in an origin: "file:PATH", "text"
 * @throws SpellError config-syntax
 */
export async function parseDocument(text: string, name: string, origin: string): Promise<Document> {
  const file = origin.startsWith("file:") ? name : undefined;
  // one character is at least one byte
  if (text.length > limits.configBytes) throw syntaxError(`expected at most ${limits.configBytes} bytes, got more`, name, file);
  // Every key has a "="; the parser would take seconds for as many keys as fit into the bytes.
  if (text.split("=", limits.configKeys + 2).length > limits.configKeys + 1) throw syntaxError(tooManyKeys, name, file);
  if (deepKey.test(text)) throw syntaxError(tooDeep, name, file);
  const [{ parse, TomlError }, { locateKeys, pathId }] = await Promise.all([import("smol-toml"), import("./positions.ts")]);
  let values: Record<string, unknown>;
  try {
    values = parse(text, { integersAsBigInt: true, maxDepth: limits.configDepth });
  } catch (error) {
    if (!(error instanceof TomlError)) throw syntaxError(error instanceof Error ? error.message : String(error), name, file);
    const { line, column } = error;
    const [what = ""] = error.message.replace("Invalid TOML document: ", "").split("\n", 1);
    const at = offsetOf(text, line, column);
    const isBare = what === "invalid value" && /^[A-Za-z~/]/.test(text.slice(at));
    throw syntaxError(isBare ? "invalid value; a text needs quotes" : what, name, file, { line, column, frame: syntaxFrameAt(text, at) });
  }
  const excess = findExcess(values);
  if (excess !== undefined) throw syntaxError(excess, name, file);
  const positions = once(() => locateKeys(text));
  const place: Document["place"] = (parts, part) => {
    const found = positions().get(pathId(parts));
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
  return { values, name, place };
}

const tooDeep: string = `expected at most ${limits.configDepth} nested levels, got more`;
const tooManyKeys: string = `expected at most ${limits.configKeys} keys, got more`;

/** A line that begins with a dotted key deeper than any schema: the parser would first make a table of every part. */
const deepKey: RegExp = new RegExp(`^[ \\t[]*(?:[\\w-]+[ \\t]*\\.[ \\t]*){${limits.configDepth + 1}}`, "m");

function syntaxError(message: string, name: string, file?: string, at?: Required<Pick<Problem, "line" | "column" | "frame">>): SpellError {
  const where = at === undefined ? name : `${name}:${at.line}:${at.column}`;
  return problemsError([{ code: "config-syntax", message, where, ...at }], name, file);
}

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
    if (depth > limits.configDepth) return tooDeep;
    const next: object[] = [];
    for (const table of level) {
      for (const inner of Object.values(table)) {
        keys += 1;
        if (typeof inner === "object" && inner !== null && !(inner instanceof Date)) next.push(inner);
      }
      if (keys > limits.configKeys) return tooManyKeys;
    }
    level = next;
  }
  return undefined;
}
