/** Weights in local files, for an engine that copies them (late-bytes.ts). */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { WeightRange } from "../../core/spec/onnx.ts";
import type { LateRead } from "../../engines/ort/late-bytes.ts";

/** @returns reads weights into one buffer; undefined for those that lie in no local file */
export function fileWeights(): (weight: WeightRange) => LateRead | undefined {
  let buffer = new Uint8Array(0);
  return ({ file }) => {
    const path = file?.source.path;
    if (file === undefined || path === undefined) return undefined;
    return (begin, end) => {
      if (buffer.byteLength < end - begin) buffer = new Uint8Array(end - begin);
      const bytes = buffer.subarray(0, end - begin);
      readFrom(path, file.source.size, file.offset + begin, bytes);
      return bytes;
    };
  };
}

function readFrom(path: string, size: number, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, "r");
  try {
    if (fstatSync(file).size !== size) throw new Error("the file changed since its header was read");
    for (let at = 0; at < bytes.byteLength; ) {
      const count = readSync(file, bytes, at, bytes.byteLength - at, offset + at);
      if (count === 0) throw new Error("the file ended early");
      at += count;
    }
  } finally {
    closeSync(file);
  }
}
