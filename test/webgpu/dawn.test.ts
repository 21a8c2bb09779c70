/** E16: what Dawn's queue refuses, and what reaches it. The queue here refuses as Dawn 0.6.2 does; with the package installed its own is asked too. */
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { acceptSharedMemory, type Dawn } from "../../src/node/engines/dawn.ts";

interface Written {
  readonly offset: number;
  readonly bytes: readonly number[];
}

function queueLikeDawns() {
  const written: Written[] = [];
  const queue = {
    writeBuffer(_buffer: unknown, offset: number, source: ArrayBufferView | ArrayBufferLike, sourceOffset = 0, size?: number) {
      const memory = ArrayBuffer.isView(source) ? source.buffer : source;
      if (memory instanceof SharedArrayBuffer) throw new Error("Invalid argument");
      const unit = (source as { readonly BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
      const begin = (ArrayBuffer.isView(source) ? source.byteOffset : 0) + sourceOffset * unit;
      const length = size === undefined ? source.byteLength - sourceOffset * unit : size * unit;
      written.push({ offset, bytes: [...new Uint8Array(memory, begin, length)] });
    },
  };
  return { queue, written };
}

/** 0, 1, 2 … in memory of either kind. */
const count = (bytes: number, shared: boolean): ArrayBufferLike => {
  const memory = shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
  new Uint8Array(memory).forEach((_, index, all) => {
    all[index] = index;
  });
  return memory;
};

describe("E16 writeBuffer", () => {
  it("refuses shared memory before the change, as Dawn does", () => {
    expect(() => queueLikeDawns().queue.writeBuffer({}, 0, count(4, true))).toThrow("Invalid argument");
  });

  it("gets the same bytes from shared memory as from plain, whatever the view, offset and size", () => {
    const views: readonly ((memory: ArrayBufferLike) => Parameters<ReturnType<typeof queueLikeDawns>["queue"]["writeBuffer"]>)[] = [
      (memory) => [{}, 0, memory],
      (memory) => [{}, 8, memory, 4],
      (memory) => [{}, 8, memory, 4, 8],
      (memory) => [{}, 0, new Uint8Array(memory, 3, 9)],
      (memory) => [{}, 16, new Uint8Array(memory, 3, 9), 2, 4],
      (memory) => [{}, 0, new Uint32Array(memory, 4, 3), 1],
      (memory) => [{}, 4, new Float32Array(memory, 4, 4), 1, 2],
      (memory) => [{}, 0, new DataView(memory, 2, 8), 1, 4],
    ];
    for (const view of views) {
      const plain = queueLikeDawns();
      plain.queue.writeBuffer(...view(count(24, false)));
      const shared = queueLikeDawns();
      acceptSharedMemory(shared.queue);
      shared.queue.writeBuffer(...view(count(24, true)));
      expect(shared.written).toEqual(plain.written);
    }
  });

  it("writes long ranges in pieces, one after the other", () => {
    const { queue, written } = queueLikeDawns();
    let calls = 0;
    const lengths: number[] = [];
    queue.writeBuffer = (_buffer, offset, source) => {
      calls += 1;
      written.push({ offset, bytes: [] });
      lengths.push(source.byteLength);
    };
    acceptSharedMemory(queue);
    queue.writeBuffer({}, 4, new SharedArrayBuffer(150 * 1024 * 1024));
    expect(written.map(({ offset }) => offset)).toEqual([4, 4 + 64 * 1024 * 1024, 4 + 128 * 1024 * 1024]);
    expect(lengths).toEqual([64, 64, 22].map((size) => size * 1024 * 1024));
    expect(calls).toBe(3);
  });

  it("changes Dawn's own class, where the package is installed", ({ skip }) => {
    let dawn: Dawn;
    try {
      dawn = createRequire(import.meta.url)("webgpu") as Dawn;
    } catch {
      skip("the optional package webgpu is not installed");
      return;
    }
    const before = dawn.globals.GPUQueue.prototype.writeBuffer;
    acceptSharedMemory(dawn.globals.GPUQueue.prototype);
    expect(dawn.globals.GPUQueue.prototype.writeBuffer).not.toBe(before);
  });
});
