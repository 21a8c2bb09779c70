/** Metadata values: how they are kept, and how they are read. Arrays stay compact; nothing is allocated by a count from the file alone. */
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import { ggufError, quote } from "./defect.ts";
import type { HeaderWindow } from "./header-window.ts";
import { type GgufNumberType, valueBytes, valueTypes } from "./types.ts";

export type GgufScalar = number | bigint | boolean | string;
export type GgufValue = GgufScalar | GgufArray;
export type GgufArray = GgufStringArray | GgufNumberArray;

export interface GgufStringArray {
  readonly type: "string";
  readonly length: number;
  readonly values: readonly string[];
}

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

/** What is known of a value before its bytes: its type, and of an array the element type and count. */
export type ValueHead =
  | { readonly kind: "scalar"; readonly type: GgufNumberType | "string" }
  | { readonly kind: "array"; readonly element: GgufNumberType | "string"; readonly count: number };

/**
 * Reads type and count of a value.
 * @throws SpellError gguf-type, gguf-array
 */
export function readValueHead(window: HeaderWindow, key: string): ValueHead {
  const type = readType(window, key);
  if (type !== "array") return { kind: "scalar", type };
  const element = readType(window, key);
  if (element === "array")
    throw valueError(window, "gguf-array", key, "an array of arrays; wanted one of numbers, truth values or strings");
  const count = window.uint64();
  if (count === undefined || count > limits.ggufArrayElements) {
    throw valueError(
      window,
      "gguf-array",
      key,
      `an array of ${formatCount(count ?? window.lastUint64())} elements; wanted at most ${formatCount(limits.ggufArrayElements)}`,
    );
  }
  return { kind: "array", element, count };
}

/**
 * Reads the bytes that belong to a head.
 * @throws SpellError gguf-truncated, gguf-string, gguf-type
 */
export async function readValue(window: HeaderWindow, key: string, head: ValueHead): Promise<GgufValue> {
  if (head.kind === "scalar") return window.attempt(() => readScalar(window, key, head.type));
  if (head.element === "string") return readStrings(window, key, head.count);
  const { element, count } = head;
  return window.attempt(() => readNumbers(window, key, element, count));
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

function readNumbers(window: HeaderWindow, key: string, type: GgufNumberType, count: number): GgufNumberArray {
  // A copy: the window moves on, and typed arrays want their first byte aligned. Hosts of JavaScript are little-endian, as the file is.
  const { buffer } = window.take(count * valueBytes[type]).slice();
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

/** Strings of one stretch of the window, decoded at once; cut apart only when somebody asks, since most arrays are never looked at. */
interface Batch {
  readonly text: string;
  /** i → end of the i-th string within `text`, in UTF-16 units */
  readonly ends: Uint32Array;
}

async function readStrings(window: HeaderWindow, key: string, count: number): Promise<GgufStringArray> {
  const batches: Batch[] = [];
  let done = 0;
  while (done < count) {
    const batch = await window.attempt(() => readBatch(window, key, done, count));
    batches.push(batch);
    done += batch.ends.length;
  }
  let values: readonly string[] | undefined;
  return {
    type: "string",
    length: count,
    get values() {
      values ??= cut(batches);
      return values;
    },
  };
}

function cut(batches: readonly Batch[]): readonly string[] {
  const values: string[] = [];
  for (const { text, ends } of batches) {
    let start = 0;
    for (const end of ends) {
      values.push(text.slice(start, end));
      start = end;
    }
  }
  return values;
}

/**
 * As many strings as the window holds, at least one. The bytes are put side by side and decoded in one go, which is ten times faster than
 * one by one. That is the same as decoding each: the whole is valid and no string begins inside a character, so each string is valid.
 */
function readBatch(window: HeaderWindow, key: string, done: number, count: number): Batch {
  window.require(8);
  const { bytes } = window;
  const left = bytes.length - (window.position - window.base);
  const joined = new Uint8Array(left);
  const ends = new Uint32Array(Math.min(count - done, Math.ceil(left / 8)));
  let strings = 0;
  let at = 0;
  let units = 0;
  while (strings < ends.length) {
    const start = window.position;
    const buffered = window.base + bytes.length - start;
    if (strings > 0 && buffered < 8) break;
    const length = readLength(window, key);
    if (strings > 0 && buffered < 8 + length) {
      window.position = start;
      break;
    }
    window.require(length);
    const from = window.position - window.base;
    for (let i = from; i < from + length; i++) {
      const byte = bytes[i] ?? 0;
      joined[at++] = byte;
      // Each character is one unit, counted at its first byte, or two beyond the basic plane.
      if ((byte & 0xc0) !== 0x80) units += byte >= 0xf0 ? 2 : 1;
      else if (i === from) invalidText(window, key, `element ${formatCount(done + strings)}`);
    }
    window.position += length;
    ends[strings++] = units;
  }
  const text = decodeUtf8(joined.subarray(0, at));
  if (text === undefined || text.length !== units)
    return invalidText(window, key, `one of the elements ${formatCount(done)} … ${formatCount(done + strings - 1)}`);
  return { text, ends: ends.subarray(0, strings) };
}

// ignoreBOM: U+FEFF is a token like others, not a mark to drop
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @returns undefined for anything that is not UTF-8 */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function invalidText(window: HeaderWindow, key: string, what: string): never {
  throw valueError(window, "gguf-string", key, `${what} is not UTF-8`);
}

function valueError(window: HeaderWindow, code: "gguf-type" | "gguf-array" | "gguf-string", key: string, message: string): Error {
  return ggufError(code, window.source, `key ${quote(key)} before byte ${formatCount(window.position)}: ${message}`, {
    details: { key, offset: window.position },
  });
}
