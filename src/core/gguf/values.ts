/** Metadata values: how they are kept, and how they are read. Arrays stay compact; nothing is allocated by a count from the file alone. */
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import { quote } from "./defect.ts";
import type { HeaderWindow } from "./header-window.ts";
import { createStringArray, type GgufStringArray, markDistance, type StringStretch } from "./string-array.ts";
import { type GgufNumberType, type NumberValues, numberTypes, valueTypes } from "./types.ts";
import { decodeUtf8, isUtf8, repairUtf8 } from "./utf8.ts";

export type GgufScalar = number | bigint | boolean | string;
export type GgufValue = GgufScalar | GgufArray;
export type GgufArray = GgufStringArray | GgufNumberArray;

export interface GgufNumberArray {
  readonly type: GgufNumberType;
  readonly length: number;
  /** `bool` as 0 and 1. */
  readonly values: NumberValues;
}

/** A value and its type; or what reads the array that comes next, in stretches. */
export type ReadValue =
  | { readonly type: string; readonly value: GgufScalar }
  | { readonly type: "array"; readonly readArray: () => Promise<GgufArray> };

/**
 * Reads type and value; of an array only what comes before its elements.
 * @throws SpellError gguf-type, gguf-array, gguf-string, gguf-truncated
 */
export function readValue(window: HeaderWindow, key: string): ReadValue {
  const type = readType(window, key);
  if (type !== "array") return { type, value: readScalar(window, key, type) };
  const element = readType(window, key);
  if (element === "array") throw valueError(window, "gguf-array", key, "an array of arrays is not supported");
  const count = readLength(window, key, "gguf-array", limits.ggufArrayElements, "elements");
  return { type, readArray: () => (element === "string" ? readStrings(window, key, count) : readNumbers(window, key, element, count)) };
}

function readType(window: HeaderWindow, key: string): GgufNumberType | "string" | "array" {
  const id = window.uint32();
  const type = valueTypes[id];
  if (type === undefined)
    throw valueError(window, "gguf-type", key, `expected value type 0 … ${valueTypes.length - 1}, got ${formatCount(id)}`);
  return type;
}

function readScalar(window: HeaderWindow, key: string, type: GgufNumberType | "string"): GgufScalar {
  if (type === "string") return readText(window, key);
  const { view, at } = window.fixed(numberTypes[type].bytes);
  const value = numberTypes[type].read(view, at);
  return type === "bool" ? toTruth(window, key, Number(value)) : value;
}

function toTruth(window: HeaderWindow, key: string, value: number): boolean {
  if (value > 1) throw valueError(window, "gguf-type", key, `expected truth value 0 or 1, got ${value}`);
  return value === 1;
}

async function readNumbers(window: HeaderWindow, key: string, type: GgufNumberType, count: number): Promise<GgufNumberArray> {
  // A copy, because typed arrays need their first byte aligned. Hosts of JavaScript are little-endian, as the file is.
  const { buffer } = await window.copy(count * numberTypes[type].bytes);
  const values: NumberValues = numberTypes[type].array(buffer);
  if (type === "bool") for (const value of values) toTruth(window, key, Number(value));
  return { type, length: count, values };
}

function readText(window: HeaderWindow, key: string): string {
  const bytes = window.take(readStringLength(window, key));
  const text = decodeUtf8(bytes);
  if (text !== undefined) return text;
  noteBrokenText(window, key, "the value");
  return repairUtf8(bytes);
}

function readStringLength(window: HeaderWindow, key: string): number {
  return readLength(window, key, "gguf-string", limits.ggufStringBytes, "bytes");
}

function readLength(window: HeaderWindow, key: string, code: "gguf-array" | "gguf-string", limit: number, unit: string): number {
  const length = window.uint64();
  if (length !== undefined && length <= limit) return length;
  throw valueError(window, code, key, `expected at most ${formatCount(limit)} ${unit}, got ${formatCount(length ?? window.lastUint64())}`);
}

async function readStrings(window: HeaderWindow, key: string, count: number): Promise<GgufStringArray> {
  const stretches: StringStretch[] = [];
  let done = 0;
  while (done < count) {
    const stretch = await window.attempt(() => readStretch(window, key, done, count));
    stretches.push(stretch);
    done += stretch.count;
  }
  return createStringArray(stretches);
}

/** As many strings as the window holds, at least one. */
function readStretch(window: HeaderWindow, key: string, done: number, total: number): StringStretch {
  window.require(8);
  const { bytes, view } = window;
  const start = window.position - window.base;
  const marks: number[] = [];
  let count = 0;
  let at = start;
  while (done + count < total && at + 8 <= bytes.length) {
    const length = view.getUint32(at, true);
    const end = at + 8 + length;
    if (end > bytes.length || length > limits.ggufStringBytes || view.getUint32(at + 4, true) !== 0) break;
    if (!isUtf8(bytes, at + 8, end)) {
      window.position = window.base + end;
      noteBrokenText(window, key, `element ${formatCount(done + count)}`);
    }
    if (count % markDistance === 0) marks.push(at - start);
    count += 1;
    at = end;
  }
  // Not even one: it is too long, or the rest of it is not here yet, or nowhere.
  if (count === 0) window.require(readStringLength(window, key));
  window.position = window.base + at;
  return { count, bytes: bytes.subarray(start, at), marks };
}

/** What an engine or a prompt reads must be text; what only describes may be in any encoding, and is noted. */
function noteBrokenText(window: HeaderWindow, key: string, what: string): void {
  if (key === "general.architecture" || key.startsWith("tokenizer.")) throw valueError(window, "gguf-string", key, `${what} is not UTF-8`);
  window.notes.add(`${window.source.name}: ${quote(key)}: ${what} is not UTF-8; the bytes that are not text are shown as U+FFFD`);
}

function valueError(window: HeaderWindow, code: "gguf-type" | "gguf-array" | "gguf-string", key: string, message: string): Error {
  const place = `key ${quote(key)} before byte ${formatCount(window.position)}`;
  return window.error(code, `${place}: ${message}`, { key, offset: window.position });
}
