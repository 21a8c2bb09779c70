/** An ArtifactStore in memory: for edge runtimes, pages whose browser keeps no files, and tests. It ends with the process or the page. */
import { blobPath } from "../download/address.ts";
import { checkComplete, createPrefixHash } from "../download/prefix-hash.ts";
import { spanBytes } from "../download/spans.ts";
import { SpellError } from "../errors.ts";
import { blobSource } from "../formats/byte-source.ts";
import type { ArtifactStore, BlobFacts, ManifestKey, Part, PartRecord } from "../platform.ts";
import { createQueue, type Queue } from "../text/queue.ts";
import { checkPartKey, compareKeys } from "./store-keys.ts";
import { wasmHash } from "./wasm-hash.ts";

export interface MemoryStoreOptions {
  /** bytes it holds at most; default: no limit */
  readonly quota?: number | undefined;
  /** milliseconds since the epoch; default: Date.now */
  readonly clock?: (() => number) | undefined;
}

interface MemoryPart {
  readonly key: string;
  bytes: Uint8Array<ArrayBuffer>;
  size: number;
  record: PartRecord | undefined;
  inUse: boolean;
  modifiedMs: number;
}

export function memoryStore({ quota, clock = Date.now }: MemoryStoreOptions = {}): ArtifactStore {
  const blobs = new Map<string, { readonly blob: Blob; readonly facts: BlobFacts }>();
  /** JSON of the value by JSON of the key */
  const manifests = new Map<string, string>();
  const parts = new Map<string, MemoryPart>();
  const locks = new Map<string, { readonly queue: Queue; users: number }>();
  let made = 0;

  const used = (): number =>
    [...blobs.values()].reduce((sum, { blob }) => sum + blob.size, 0) + [...parts.values()].reduce((sum, { size }) => sum + size, 0);

  async function ownPart(id: string, part: MemoryPart): Promise<Part> {
    part.inUse = true;
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      if (offset + length > part.size) throw new SpellError("store-corrupt", `the part ends at byte ${part.size}`, { where: id });
      return part.bytes.subarray(offset, offset + length);
    };
    const hash = await createPrefixHash(() => wasmHash("sha256"), read);
    return {
      kept: part.record,
      async write(offset, bytes) {
        const end = offset + bytes.byteLength;
        const needed = Math.max(0, end - part.size);
        const details = { used: used(), quota, needed };
        if (quota !== undefined && details.used + needed > quota) {
          throw new SpellError("store-quota", `the store holds ${details.used} of ${quota} bytes; ${needed} more are needed`, { details });
        }
        if (end > part.bytes.byteLength) {
          const grown = new Uint8Array(Math.max(end, part.bytes.byteLength * 2));
          grown.set(part.bytes);
          part.bytes = grown;
        }
        part.bytes.set(bytes, offset);
        part.size = Math.max(part.size, end);
        part.modifiedMs = clock();
        hash.wrote(offset, bytes);
      },
      read,
      async truncate(size) {
        part.bytes.fill(0, size);
        part.size = Math.min(part.size, size);
        await hash.cut(size);
      },
      async save(record) {
        part.record = record;
      },
      async commit(expected, signal) {
        const digest = blobPath(`sha256:${await checkComplete(hash, part.size, expected, signal)}`);
        const facts = { digest, size: part.size, modifiedMs: clock() };
        blobs.set(digest, { blob: new Blob([part.bytes.subarray(0, part.size)]), facts });
        parts.delete(id);
        return facts;
      },
      async release() {
        part.inUse = false;
      },
      async discard() {
        parts.delete(id);
      },
    };
  }

  return {
    place: "memory",
    createHash: wasmHash,
    lookBlob: async (digest) => blobs.get(blobPath(digest))?.facts,
    async openBlob(digest, name) {
      const version = blobPath(digest);
      const found = blobs.get(version);
      if (found === undefined) throw new SpellError("store-evicted", `${name}: ${digest} is not in the store`, { where: name });
      return { ...blobSource(name, found.blob), version, modifiedMs: found.facts.modifiedMs };
    },
    listBlobs: async () => [...blobs.keys()].sort().flatMap((digest) => blobs.get(digest)?.facts ?? []),
    async removeBlob(digest) {
      const size = blobs.get(blobPath(digest))?.blob.size ?? 0;
      blobs.delete(blobPath(digest));
      return size;
    },
    async readManifest(key) {
      const text = manifests.get(JSON.stringify(key));
      return text === undefined ? undefined : (JSON.parse(text) as unknown);
    },
    async writeManifest(key, value) {
      manifests.set(JSON.stringify(key), JSON.stringify(value));
    },
    async removeManifest(key) {
      manifests.delete(JSON.stringify(key));
    },
    listManifests: async () => [...manifests.keys()].map((key) => JSON.parse(key) as ManifestKey).sort(compareKeys),
    async openPart(key) {
      checkPartKey(key);
      const orphan = [...parts].find(([, part]) => part.key === key && !part.inUse);
      if (orphan !== undefined) return ownPart(...orphan);
      made += 1;
      const part = { key, bytes: new Uint8Array(0), size: 0, record: undefined, inUse: true, modifiedMs: clock() };
      parts.set(`${key}.${made}`, part);
      return ownPart(`${key}.${made}`, part);
    },
    listParts: async () =>
      [...parts].map(([id, { key, size, record, modifiedMs, inUse }]) => {
        return { id, key, size, kept: spanBytes(record?.done ?? []), modifiedMs, inUse };
      }),
    async removePart(id) {
      const part = parts.get(id);
      if (part === undefined || part.inUse) return 0;
      parts.delete(id);
      return part.size;
    },
    space: async () => (quota === undefined ? undefined : { free: Math.max(0, quota - used()), quota }),
    persist: async () => true,
    async withLock(name, work, { onWait, signal } = {}) {
      const lock = locks.get(name) ?? {
        queue: createQueue({ maxConcurrent: 1, maxPerModel: 1, maxWaiting: Number.POSITIVE_INFINITY }),
        users: 0,
      };
      locks.set(name, lock);
      if (lock.users > 0) onWait?.();
      lock.users += 1;
      try {
        const turn = await lock.queue.take(lock, signal);
        return await work().finally(turn.end);
      } finally {
        lock.users -= 1;
        if (lock.users === 0) locks.delete(name);
      }
    },
  };
}
