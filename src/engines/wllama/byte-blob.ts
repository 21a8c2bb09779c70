/** A ByteSource in the shape wllama reads: the few members of Blob it touches. Bytes are read when asked for; nothing is held. */
import type { ByteSource } from "../../core/formats/byte-source.ts";

/** Bytes of one read where the whole file is streamed into wasm memory. */
const streamChunkBytes = 8 * 1024 * 1024;

/**
 * @param onRead told the end of each range read; ranges come more than once, so only the highest says how far a load is
 * @returns an object that wllama takes for a Blob
 */
export function byteBlob(source: ByteSource, onRead: (end: number) => void): Blob {
  const slice = (from: number, to: number): Blob => {
    const size = Math.max(0, to - from);
    const read = async (offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
      const bytes = await source.read(from + offset, length);
      onRead(from + offset + length);
      // wllama transfers the buffer to its worker, so it must be a plain one that holds nothing else
      return bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
        ? (bytes as Uint8Array<ArrayBuffer>)
        : new Uint8Array(bytes);
    };
    let position = 0;
    return {
      size,
      type: "",
      slice: (start = 0, end = size) => slice(from + Math.min(start, size), from + Math.min(end, size)),
      arrayBuffer: async () => (await read(0, size)).buffer,
      bytes: () => read(0, size),
      text: () => Promise.reject(new TypeError("a model file is not text")),
      stream: () =>
        new ReadableStream<Uint8Array<ArrayBuffer>>({
          async pull(controller) {
            const length = Math.min(streamChunkBytes, size - position);
            if (length > 0) controller.enqueue(await read(position, length));
            position += length;
            if (position >= size) controller.close();
          },
        }),
    } satisfies Blob;
  };
  return slice(0, source.size);
}
