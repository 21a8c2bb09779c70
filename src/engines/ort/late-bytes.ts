/**
 * Weights that stay where they lie until the engine copies them into its own memory: a file is never held twice.
 * onnxruntime-web asks an entry of `externalData` for nothing but `byteLength` and `subarray`, one after the other, so bytes may be read when it asks.
 * That is undocumented; the tests of file-weights.ts and blob-weights.ts hold the package to it.
 */
import { toFloat32 } from "../../core/onnx/quantize.ts";
import type { WeightRange } from "../../core/spec/onnx.ts";

/** Reads bytes of a weight as they are stored, at once. What was read before may be overwritten. */
export type LateRead = (begin: number, end: number) => Uint8Array<ArrayBuffer>;

/** @returns bytes that are read when `subarray` is called */
export function lateBytes({ length, file }: Pick<WeightRange, "length" | "file">, read: LateRead): Uint8Array {
  const stored = file?.stored;
  return new LateBytes(length, stored === undefined ? read : (begin, end) => widen(read(begin / 2, end / 2), stored));
}

/** 16-bit floats as f32. */
export function widen(bytes: Uint8Array, stored: "F16" | "BF16"): Uint8Array<ArrayBuffer> {
  return new Uint8Array(toFloat32(bytes, stored).buffer as ArrayBuffer);
}

class LateBytes extends Uint8Array {
  readonly #length: number;
  readonly #read: LateRead;

  constructor(length: number, read: LateRead) {
    super(0);
    this.#length = length;
    this.#read = read;
  }

  override get byteLength(): number {
    return this.#length;
  }

  /** The engine takes whatever is thrown here for weights that are not there. */
  override subarray(begin = 0, end: number = this.#length): Uint8Array<ArrayBuffer> {
    return this.#read(begin, end);
  }
}
