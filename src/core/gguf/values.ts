/** Metadata values: how they are kept, and how they are read. Arrays stay compact; nothing is allocated by a count from the file alone. */
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import { ggufError, quote } from "./defect.ts";
import type { HeaderWindow } from "./header-window.ts";
import { createStringArray, type GgufStringArray, hashFirst, hashSecond, hashStart, joinHashes, type StringBatch } from "./string-array.ts";
import { type GgufNumberType, valueBytes, valueTypes } from "./types.ts";

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

/** A value and its type; or an array of strings that comes next, which is read in stretches. */
export type ReadValue = { readonly type: string; readonly value: GgufValue } | { readonly type: "array"; readonly strings: number };

/**
 * Reads type and value; of an array of strings the count only, readStrings reads on from there.
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
  return element === "string" ? { type, strings: count } : { type, value: readNumbers(window, key, element, count) };
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
  // Not by slice(): what a caller handed in may be a Buffer of Node, whose slice() is a view.
  const { buffer } = new Uint8Array(window.take(count * valueBytes[type]));
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

/**
 * Reads the strings of an array.
 * @throws SpellError gguf-string, gguf-truncated
 */
export async function readStrings(window: HeaderWindow, key: string, count: number): Promise<GgufStringArray> {
  const batches: StringBatch[] = [];
  let done = 0;
  while (done < count) {
    const batch = await window.attempt(() => readBatch(window, key, done, count));
    batches.push(batch);
    done += batch.ends.length;
  }
  return createStringArray(batches);
}

/**
 * As many strings as the window holds, at least one. The bytes are put side by side and decoded in one go, which is ten times faster than
 * one by one. That is the same as decoding each: the whole is valid and no string begins inside a character, so each string is valid.
 */
function readBatch(window: HeaderWindow, key: string, done: number, count: number): StringBatch {
  window.require(8);
  const { bytes, view } = window;
  const end = bytes.length;
  let from = window.position - window.base;
  const joined = new Uint8Array(end - from);
  const most = Math.min(count - done, Math.ceil((end - from) / 8));
  const ends = new Uint32Array(most);
  const hashes = new Float64Array(most);
  let strings = 0;
  let at = 0;
  let units = 0;
  while (strings < most && from + 8 <= end) {
    const length = view.getUint32(from, true);
    if (length > limits.ggufStringBytes || view.getUint32(from + 4, true) !== 0) break;
    const next = from + 8 + length;
    if (next > end) break;
    let first = hashStart;
    let second = hashStart;
    for (let i = from + 8; i < next; i++) {
      const byte = bytes[i] ?? 0;
      joined[at++] = byte;
      first = hashFirst(first, byte);
      second = hashSecond(second, byte);
      // Each character is one unit, counted at its first byte, or two beyond the basic plane.
      if ((byte & 0xc0) !== 0x80) units += byte >= 0xf0 ? 2 : 1;
      else if (i === from + 8) invalidText(window, key, `element ${formatCount(done + strings)}`);
    }
    ends[strings] = units;
    hashes[strings] = joinHashes(first, second);
    strings += 1;
    from = next;
  }
  // Not even one: it is too long, or the rest of it is not here yet, or nowhere.
  if (strings === 0) window.require(readLength(window, key));
  window.position = window.base + from;
  const text = decodeUtf8(joined.subarray(0, at));
  if (text === undefined || text.length !== units) {
    return invalidText(window, key, `one of the elements ${formatCount(done)} … ${formatCount(done + strings - 1)}`);
  }
  return { text, ends: ends.subarray(0, strings), hashes: hashes.subarray(0, strings) };
}

// ignoreBOM: U+FEFF is a token like others, not a mark to drop
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @returns undefined for anything that is not UTF-8 */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  if (bytes.length < 64 && isAscii(bytes)) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Keys and tensor names are short and ASCII, and there may be a million: this is quicker than a call out of JavaScript for each. */
function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] ?? 0x80) >= 0x80) return false;
  return true;
}

function invalidText(window: HeaderWindow, key: string, what: string): never {
  throw valueError(window, "gguf-string", key, `${what} is not UTF-8`);
}

function valueError(window: HeaderWindow, code: "gguf-type" | "gguf-array" | "gguf-string", key: string, message: string): Error {
  return ggufError(code, window.source, `key ${quote(key)} before byte ${formatCount(window.position)}: ${message}`, {
    details: { key, offset: window.position },
  });
}
