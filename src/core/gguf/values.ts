/** Metadata values: how they are kept, and how they are read. Arrays stay compact; nothing is allocated by a count from the file alone. */
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import { ggufError, quote } from "./defect.ts";
import type { HeaderWindow } from "./header-window.ts";
import { createStringArray, type GgufStringArray, markDistance, type StringStretch } from "./string-array.ts";
import { type GgufNumberType, valueBytes, valueTypes } from "./types.ts";
import { decodeUtf8, isUtf8 } from "./utf8.ts";

export type GgufScalar = number | bigint | boolean | string;
export type GgufValue = GgufScalar | GgufArray;
export type GgufArray = GgufStringArray | GgufNumberArray;

export interface GgufNumberArray {
  readonly type: GgufNumberType;
  readonly length: number;
  /** `bool` as 0 and 1. */
  readonly values: NumberValues;
}

type NumberValues =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | BigUint64Array
  | BigInt64Array
  | Float64Array;

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
  if (element === "array") {
    throw valueError(window, "gguf-array", key, "an array of arrays; wanted one of numbers, truth values or strings");
  }
  const count = window.uint64();
  if (count === undefined || count > limits.ggufArrayElements) {
    throw valueError(
      window,
      "gguf-array",
      key,
      `an array of ${formatCount(count ?? window.lastUint64())} elements; wanted at most ${formatCount(limits.ggufArrayElements)}`,
    );
  }
  return { type, readArray: () => (element === "string" ? readStrings(window, key, count) : readNumbers(window, key, element, count)) };
}

function readType(window: HeaderWindow, key: string): GgufNumberType | "string" | "array" {
  const id = window.uint32();
  const type = valueTypes[id];
  if (type === undefined) throw valueError(window, "gguf-type", key, `value type ${formatCount(id)}; wanted 0 … ${valueTypes.length - 1}`);
  return type;
}

function readScalar(window: HeaderWindow, key: string, type: GgufNumberType | "string"): GgufScalar {
  if (type === "string") return readText(window, key);
  const { view, at } = window.fixed(valueBytes[type]);
  switch (type) {
    case "uint8":
      return view.getUint8(at);
    case "int8":
      return view.getInt8(at);
    case "uint16":
      return view.getUint16(at, true);
    case "int16":
      return view.getInt16(at, true);
    case "uint32":
      return view.getUint32(at, true);
    case "int32":
      return view.getInt32(at, true);
    case "float32":
      return view.getFloat32(at, true);
    case "uint64":
      return view.getBigUint64(at, true);
    case "int64":
      return view.getBigInt64(at, true);
    case "float64":
      return view.getFloat64(at, true);
    case "bool": {
      const value = view.getUint8(at);
      if (value > 1) throw valueError(window, "gguf-type", key, `truth value ${value}; wanted 0 or 1`);
      return value === 1;
    }
    default:
      return type satisfies never;
  }
}

async function readNumbers(window: HeaderWindow, key: string, type: GgufNumberType, count: number): Promise<GgufNumberArray> {
  // A copy, because typed arrays want their first byte aligned. Hosts of JavaScript are little-endian, as the file is.
  const { buffer } = await window.copy(count * valueBytes[type]);
  const values = toTyped(type, buffer);
  if (type === "bool") {
    const bad = (values as Uint8Array).find((value) => value > 1);
    if (bad !== undefined) throw valueError(window, "gguf-type", key, `truth value ${bad} in an array; wanted 0 or 1`);
  }
  return { type, length: count, values };
}

function toTyped(type: GgufNumberType, buffer: ArrayBufferLike): NumberValues {
  switch (type) {
    case "uint8":
    case "bool":
      return new Uint8Array(buffer);
    case "int8":
      return new Int8Array(buffer);
    case "uint16":
      return new Uint16Array(buffer);
    case "int16":
      return new Int16Array(buffer);
    case "uint32":
      return new Uint32Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "float32":
      return new Float32Array(buffer);
    case "uint64":
      return new BigUint64Array(buffer);
    case "int64":
      return new BigInt64Array(buffer);
    case "float64":
      return new Float64Array(buffer);
    default:
      return type satisfies never;
  }
}

function readText(window: HeaderWindow, key: string): string {
  const length = readLength(window, key);
  const bytes = window.take(length);
  return decodeUtf8(bytes) ?? invalidText(window, key, "the value");
}

function readLength(window: HeaderWindow, key: string): number {
  const length = window.uint64();
  if (length === undefined || length > limits.ggufStringBytes) {
    throw valueError(
      window,
      "gguf-string",
      key,
      `a string of ${formatCount(length ?? window.lastUint64())} bytes; wanted at most ${formatCount(limits.ggufStringBytes)}`,
    );
  }
  return length;
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
      return invalidText(window, key, `element ${formatCount(done + count)}`);
    }
    if (count % markDistance === 0) marks.push(at - start);
    count += 1;
    at = end;
  }
  // Not even one: it is too long, or the rest of it is not here yet, or nowhere.
  if (count === 0) window.require(readLength(window, key));
  window.position = window.base + at;
  return { count, bytes: bytes.subarray(start, at), marks };
}

function invalidText(window: HeaderWindow, key: string, what: string): never {
  throw valueError(window, "gguf-string", key, `${what} is not UTF-8`);
}

function valueError(window: HeaderWindow, code: "gguf-type" | "gguf-array" | "gguf-string", key: string, message: string): Error {
  return ggufError(code, window.source, `key ${quote(key)} before byte ${formatCount(window.position)}: ${message}`, {
    details: { key, offset: window.position },
  });
}
