/**
 * WebGPU in Node through the optional package `webgpu` (Dawn). It has been seen to end the process it lives in, so it is loaded only inside the child
 * of engine-child.ts, never in the user's own.
 */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import type { GpuAdapter } from "../../engines/adapter.ts";

/** What is used of Dawn. */
export interface Dawn {
  readonly globals: Readonly<Record<string, unknown>> & { readonly GPUQueue: { readonly prototype: GpuQueue } };
  create(flags: readonly string[]): DawnGpu;
}

export interface DawnGpu {
  requestAdapter(): Promise<GpuAdapter | null>;
}

interface GpuQueue {
  writeBuffer(buffer: unknown, offset: number, source: ArrayBufferView | ArrayBufferLike, sourceOffset?: number, size?: number): void;
}

/** @param from file or address whose packages are looked through */
export function loadDawn(from: string): Dawn {
  return createRequire(from.startsWith("file:") ? from : pathToFileURL(from).href)("webgpu") as Dawn;
}

/**
 * Dawn withholds shader-f16 on NVIDIA's cards under Vulkan, for failures in its conformance tests (crbug.com/42251215). GGUF needs it, and is asked the stored questions of the
 * self-test before a card is used (verified on an H200, driver 580).
 */
const flags = ["enable-dawn-features=vulkan_enable_f16_on_nvidia"];

/** @returns what `navigator.gpu` is in a page */
export function openGpu(dawn: Dawn): DawnGpu {
  return dawn.create(flags);
}

/** Shared memory is written in pieces: each is copied once. */
const pieceBytes = 64 * 1024 * 1024;

/**
 * Lets a queue take views of shared memory, which threaded WebAssembly has and Dawn refuses ("Invalid argument"): they are copied first (E16).
 * @param queue the prototype of GPUQueue, changed in place
 */
export function acceptSharedMemory(queue: GpuQueue): void {
  const write = queue.writeBuffer;
  queue.writeBuffer = function writeBuffer(buffer, offset, source, sourceOffset = 0, size) {
    const memory = ArrayBuffer.isView(source) ? source.buffer : source;
    if (!(memory instanceof SharedArrayBuffer)) {
      if (size === undefined) write.call(this, buffer, offset, source, sourceOffset);
      else write.call(this, buffer, offset, source, sourceOffset, size);
      return;
    }
    // Offset and size count elements of a typed array, bytes of anything else.
    const unit = (source as { readonly BYTES_PER_ELEMENT?: number | undefined }).BYTES_PER_ELEMENT ?? 1;
    const begin = (ArrayBuffer.isView(source) ? source.byteOffset : 0) + sourceOffset * unit;
    const length = size === undefined ? source.byteLength - sourceOffset * unit : size * unit;
    for (let done = 0; done < length; done += pieceBytes) {
      const piece = new Uint8Array(Math.min(pieceBytes, length - done));
      piece.set(new Uint8Array(memory, begin + done, piece.length));
      write.call(this, buffer, offset + done, piece);
    }
  };
}
