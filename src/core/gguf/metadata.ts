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
export class Metadata {
  readonly source: ByteSource;
  readonly header: GgufHeader;

  constructor(source: ByteSource, header: GgufHeader) {
    this.source = source;
    this.header = header;
  }

  text(key: string, code?: ErrorCode): string | undefined {
    const value = this.header.metadata.get(key);
    if (value !== undefined && typeof value !== "string") throw this.#wrongType(key, "text", code);
    return value;
  }

  /** Text that only describes: undefined where it is of another type. */
  described(key: string): string | undefined {
    const value = this.header.metadata.get(key);
    return typeof value === "string" ? value : undefined;
  }

  truth(key: string, code?: ErrorCode): boolean | undefined {
    const value = this.header.metadata.get(key);
    if (value !== undefined && typeof value !== "boolean") throw this.#wrongType(key, "true or false", code);
    return value;
  }

  /** A whole number of any integer type. */
  integer(key: string, range: NumberRange, code?: ErrorCode): number | undefined {
    const value = this.header.metadata.get(key);
    if (value === undefined) return undefined;
    if (!/^u?int/.test(this.header.types.get(key) ?? "")) throw this.#wrongType(key, "a whole number", code);
    return this.#inRange(key, Number(value), range, code);
  }

  /** A whole number stored as UINT32: llama.cpp refuses the sizes of a model in any other type. */
  uint32(key: string, range: NumberRange, code?: ErrorCode): number | undefined {
    const value = this.header.metadata.get(key);
    if (value === undefined) return undefined;
    if (this.header.types.get(key) !== "uint32" || typeof value !== "number") throw this.#wrongType(key, "a whole number as UINT32", code);
    return this.#inRange(key, value, range, code);
  }

  /** The same, or an array with one per layer, there also of INT32. */
  uint32s(key: string, range: NumberRange): number | readonly number[] | undefined {
    const value = this.header.metadata.get(key);
    if (!isArray(value)) return this.uint32(key, range);
    if (value.type !== "uint32" && value.type !== "int32") throw this.#wrongType(key, "a whole number as UINT32, or an array of them");
    return Array.from(value.values as Uint32Array | Int32Array, (entry) => this.#inRange(key, entry, range));
  }

  /** A number with a fraction. @param isRight never asked of what is no number @param expected in words */
  fraction(key: string, isRight: (value: number) => boolean, expected: string): number | undefined {
    const value = this.header.metadata.get(key);
    if (value === undefined) return undefined;
    if (!/^float/.test(this.header.types.get(key) ?? "") || typeof value !== "number")
      throw this.#wrongType(key, "a number with a fraction");
    if (!Number.isFinite(value) || !isRight(value)) throw this.error(key, `expected ${expected}, got ${value}`);
    return value;
  }

  array(key: string, code?: ErrorCode): GgufArray | undefined {
    const value = this.header.metadata.get(key);
    if (value !== undefined && !isArray(value)) throw this.#wrongType(key, "an array", code);
    return value;
  }

  /** The error of a key. @param message expected and got */
  error(key: string, message: string, code: ErrorCode = "gguf-metadata"): SpellError {
    return ggufError(code, this.source, `${key}: ${message}`, { details: { key } });
  }

  #wrongType(key: string, expected: string, code?: ErrorCode): SpellError {
    const value = this.header.metadata.get(key);
    const type = this.header.types.get(key) ?? "nothing";
    const scalar = typeof value === "string" ? `the text ${quote(value)}` : `${String(value)} (${type})`;
    return this.error(key, `expected ${expected}, got ${isArray(value) ? `an array of ${value.type}` : scalar}`, code);
  }

  #inRange(key: string, value: number, range: NumberRange, code?: ErrorCode): number {
    if (value >= range.min && value <= range.max) return value;
    throw this.error(key, `expected ${formatCount(range.min)} … ${formatCount(range.max)}, got ${formatCount(value)}`, code);
  }
}

function isArray(value: GgufValue | undefined): value is GgufArray {
  return typeof value === "object";
}
