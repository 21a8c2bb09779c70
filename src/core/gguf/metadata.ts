/** Typed access to the metadata of one file. A value of an unexpected type is an error that names the key; engines throw or abort on it. */
import type { ErrorCode, SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { formatCount } from "../formats/format-count.ts";
import { ggufError, quote } from "./defect.ts";
import type { GgufHeader } from "./header.ts";
import type { GgufArray, GgufValue } from "./values.ts";

export interface NumberRange {
  readonly min: number;
  readonly max: number;
}

/** Reads keys of one header; the errors name its file. */
export interface Metadata {
  readonly header: GgufHeader;
  readonly source: ByteSource;
  text(key: string, code?: ErrorCode): string | undefined;
  truth(key: string, code?: ErrorCode): boolean | undefined;
  /** A whole number of any integer type. */
  integer(key: string, range: NumberRange, code?: ErrorCode): number | undefined;
  /** A whole number stored as UINT32: llama.cpp refuses the sizes of a model in any other type. */
  uint32(key: string, range: NumberRange, code?: ErrorCode): number | undefined;
  /** The same, or an array with one per layer, there also of INT32. */
  uint32s(key: string, range: NumberRange): number | readonly number[] | undefined;
  array(key: string, code?: ErrorCode): GgufArray | undefined;
  /** The error of a key. @param message expected and got */
  error(key: string, message: string, code?: ErrorCode): SpellError;
}

export function metadataOf(source: ByteSource, header: GgufHeader): Metadata {
  const error = (key: string, message: string, code: ErrorCode = "gguf-metadata"): SpellError =>
    ggufError(code, source, `${key}: ${message}`, { details: { key } });
  const wrongType = (key: string, expected: string, code: ErrorCode | undefined): SpellError =>
    error(key, `expected ${expected}, got ${describe(header, key)}`, code);
  const inRange = (key: string, value: number, range: NumberRange, code: ErrorCode | undefined): number => {
    if (value >= range.min && value <= range.max) return value;
    throw error(key, `expected ${formatCount(range.min)} … ${formatCount(range.max)}, got ${formatCount(value)}`, code);
  };
  return {
    header,
    source,
    error,
    text(key, code) {
      const value = header.metadata.get(key);
      if (value !== undefined && typeof value !== "string") throw wrongType(key, "text", code);
      return value;
    },
    truth(key, code) {
      const value = header.metadata.get(key);
      if (value !== undefined && typeof value !== "boolean") throw wrongType(key, "true or false", code);
      return value;
    },
    integer(key, range, code) {
      const value = header.metadata.get(key);
      if (value === undefined) return undefined;
      const type = header.types.get(key) ?? "";
      if (!/^u?int/.test(type)) throw wrongType(key, "a whole number", code);
      return inRange(key, Number(value), range, code);
    },
    uint32(key, range, code) {
      const value = header.metadata.get(key);
      if (value === undefined) return undefined;
      if (header.types.get(key) !== "uint32" || typeof value !== "number") throw wrongType(key, "a whole number as UINT32", code);
      return inRange(key, value, range, code);
    },
    uint32s(key, range) {
      const value = header.metadata.get(key);
      if (!isArray(value)) return this.uint32(key, range);
      if (value.type !== "uint32" && value.type !== "int32")
        throw wrongType(key, "a whole number as UINT32, or an array of them", undefined);
      return Array.from(value.values as Uint32Array | Int32Array, (entry) => inRange(key, entry, range, undefined));
    },
    array(key, code) {
      const value = header.metadata.get(key);
      if (value !== undefined && !isArray(value)) throw wrongType(key, "an array", code);
      return value;
    },
  };
}

function isArray(value: GgufValue | undefined): value is GgufArray {
  return typeof value === "object";
}

function describe(header: GgufHeader, key: string): string {
  const value = header.metadata.get(key);
  if (isArray(value)) return `an array of ${value.type}`;
  const type = header.types.get(key) ?? "nothing";
  return typeof value === "string" ? `the text ${quote(value)}` : `${String(value)} (${type})`;
}
