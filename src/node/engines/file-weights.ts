/**
 * Weights that stay in their file until the engine copies them into its own memory: a file is never held twice.
 * onnxruntime-web asks an entry of `externalData` for nothing but `byteLength` and `subarray`, one after the other, so bytes may be read when it asks.
 * That is undocumented; test/node/engines/file-weights.test.ts holds the package to it.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { WeightRange } from "../../core/spec/onnx.ts";

/** @returns makes bytes that are read when `subarray` is called, all into one buffer; undefined for weights that lie in no local file */
export function fileWeights(): (weight: WeightRange) => Uint8Array | undefined {
  let buffer = new Uint8Array(0);
  const room = (bytes: number): Uint8Array => {
    if (buffer.byteLength < bytes) buffer = new Uint8Array(bytes);
    return buffer.subarray(0, bytes);
  };
  return ({ file, length }) => {
    const { path, size = 0 } = file?.source ?? {};
    return file === undefined || path === undefined ? undefined : new FileBytes(path, size, file.offset, length, room);
  };
}

class FileBytes extends Uint8Array {
  readonly #path: string;
  readonly #size: number;
  readonly #offset: number;
  readonly #length: number;
  readonly #room: (bytes: number) => Uint8Array;

  constructor(path: string, size: number, offset: number, length: number, room: (bytes: number) => Uint8Array) {
    super(0);
    this.#path = path;
    this.#size = size;
    this.#offset = offset;
    this.#length = length;
    this.#room = room;
  }

  override get byteLength(): number {
    return this.#length;
  }

  /** The engine takes whatever is thrown here for weights that are not there. */
  override subarray(begin = 0, end: number = this.#length): Uint8Array<ArrayBuffer> {
    const bytes = this.#room(end - begin) as Uint8Array<ArrayBuffer>;
    const file = openSync(this.#path, "r");
    try {
      if (fstatSync(file).size !== this.#size) throw new Error("the file changed since its header was read");
      for (let at = 0; at < bytes.byteLength; ) {
        const count = readSync(file, bytes, at, bytes.byteLength - at, this.#offset + begin + at);
        if (count === 0) throw new Error("the file ended early");
        at += count;
      }
    } finally {
      closeSync(file);
    }
    return bytes;
  }
}
