/**
 * Weights that stay in their Blob until the engine copies them into its own memory: a file is never held twice.
 * onnxruntime-web asks an entry of `externalData` for nothing but `byteLength` and `subarray`, so bytes may be read when it asks.
 * That is undocumented; test/browser/engines/lazy-weights.test.ts holds the package to it.
 */
import type { WeightRange } from "../../core/spec/onnx.ts";

/** Smaller weights are read ahead, several at a time: a thread that waits for them one by one waits longer than for all the large ones. */
const leastBytes = 1024 * 1024;

/**
 * @returns bytes that are read when `subarray` is called; undefined where they are few, do not lie in a Blob, or this thread may not wait for a
 *   file (only workers may)
 */
export function lazyWeight({ file, length }: WeightRange): Uint8Array | undefined {
  const blob = file?.source.blob;
  if (length < leastBytes || file === undefined || blob === undefined || typeof FileReaderSync !== "function") return undefined;
  return new LazyBytes(blob, file.offset, length);
}

/** ES2024, which browsers have since 2023. */
interface Detachable extends ArrayBuffer {
  readonly detached: boolean;
  transfer(newByteLength: number): ArrayBuffer;
}
type Transferable = ArrayBuffer & Partial<Detachable>;

let handedOut: Detachable | undefined;

class LazyBytes extends Uint8Array {
  readonly #blob: Blob;
  readonly #offset: number;
  readonly #length: number;

  constructor(blob: Blob, offset: number, length: number) {
    super(0);
    this.#blob = blob;
    this.#offset = offset;
    this.#length = length;
  }

  override get byteLength(): number {
    return this.#length;
  }

  /** The bytes handed out before were copied by now; given back at once, they do not wait for a collector beside the next ones. */
  override subarray(begin = 0, end: number = this.#length): Uint8Array<ArrayBuffer> {
    if (handedOut !== undefined && !handedOut.detached) handedOut.transfer(0);
    const slice = this.#blob.slice(this.#offset + begin, this.#offset + end);
    const buffer: Transferable = new FileReaderSync().readAsArrayBuffer(slice);
    handedOut = typeof buffer.transfer === "function" ? (buffer as Detachable) : undefined;
    return new Uint8Array(buffer);
  }
}
