/** Texts through shared memory, for a worker that blocks while it waits: counts of bytes written and read, and a ring of bytes. */

const headBytes = 8;
export const ringBytes: number = headBytes + 1024 * 1024;

const parts = (shared: SharedArrayBuffer) => ({ counts: new Int32Array(shared, 0, 2), ring: new Uint8Array(shared, headBytes) });

/** The worker's end. @returns the next text, as soon as it is there */
export function ringReader(shared: SharedArrayBuffer): () => string {
  const { counts, ring } = parts(shared);
  let read = 0;
  const take = (length: number): Uint8Array => {
    const out = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const ready = (Atomics.load(counts, 0) - read) | 0;
      if (ready === 0) {
        Atomics.wait(counts, 0, read | 0);
        continue;
      }
      const at = (read >>> 0) % ring.length;
      const some = Math.min(ready, length - done, ring.length - at);
      out.set(ring.subarray(at, at + some), done);
      done += some;
      read = (read + some) | 0;
      Atomics.store(counts, 1, read);
    }
    return out;
  };
  return () => {
    const { buffer } = take(4);
    return new TextDecoder().decode(take(new DataView(buffer).getUint32(0)));
  };
}

/** The page's end. It cannot block: while the ring is full it looks again later. */
export function ringWriter(shared: SharedArrayBuffer): { post(text: string): void; end(): void } {
  const { counts, ring } = parts(shared);
  const waiting: Uint8Array[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const pump = (): void => {
    timer = undefined;
    for (let data = waiting[0]; data !== undefined; data = waiting[0]) {
      const written = Atomics.load(counts, 0);
      const free = ring.length - ((written - Atomics.load(counts, 1)) | 0);
      if (free === 0) {
        timer = setTimeout(pump, 1);
        return;
      }
      const at = (written >>> 0) % ring.length;
      const some = Math.min(data.length, free, ring.length - at);
      ring.set(data.subarray(0, some), at);
      Atomics.store(counts, 0, (written + some) | 0);
      Atomics.notify(counts, 0);
      if (some === data.length) waiting.shift();
      else waiting[0] = data.subarray(some);
    }
  };
  return {
    post(text) {
      const data = new TextEncoder().encode(text);
      const head = new Uint8Array(4);
      new DataView(head.buffer).setUint32(0, data.length);
      waiting.push(head, data);
      if (timer === undefined) pump();
    },
    end() {
      clearTimeout(timer);
      waiting.length = 0;
    },
  };
}
