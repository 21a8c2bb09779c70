/** Weights in a Blob, for an engine that copies them (late-bytes.ts). */
import type { WeightRange } from "../../core/spec/onnx.ts";
import type { LateRead } from "../../engines/ort/late-bytes.ts";

/** Smaller weights are read ahead, several at a time: a thread that waits for them one by one waits longer than for all the large ones. */
const leastBytes = 1024 * 1024;

/** @returns undefined where they are few, do not lie in a Blob, or this thread may not wait for a file (only workers may) */
export function blobWeight({ file, length }: WeightRange): LateRead | undefined {
  const blob = file?.source.blob;
  if (length < leastBytes || file === undefined || blob === undefined || typeof FileReaderSync !== "function") return undefined;
  return (begin, end) => readFrom(blob, file.offset + begin, file.offset + end);
}

/** ES2024, which browsers have since 2023. */
interface Detachable extends ArrayBuffer {
  readonly detached: boolean;
  transfer(newByteLength: number): ArrayBuffer;
}
type Transferable = ArrayBuffer & Partial<Detachable>;

let handedOut: Detachable | undefined;

/** The bytes handed out before were copied by now; given back at once, they do not wait for a collector beside the next ones. */
function readFrom(blob: Blob, begin: number, end: number): Uint8Array<ArrayBuffer> {
  if (handedOut !== undefined && !handedOut.detached) handedOut.transfer(0);
  const buffer: Transferable = new FileReaderSync().readAsArrayBuffer(blob.slice(begin, end));
  handedOut = typeof buffer.transfer === "function" ? (buffer as Detachable) : undefined;
  return new Uint8Array(buffer);
}
