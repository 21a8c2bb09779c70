/** An ArtifactStore in memory: for tests, and for pages whose browser keeps nothing. It ends with the process or the page. */
import { blobPath } from "../download/address.ts";
import { checkComplete, createPrefixHash } from "../download/prefix-hash.ts";
import { spanBytes } from "../download/spans.ts";
import { abortedError, SpellError } from "../errors.ts";
import { blobSource } from "../formats/byte-source.ts";
import type { ArtifactStore, Hash, ManifestKey, Part, PartFacts, PartRecord } from "../platform.ts";

export interface MemoryStoreOptions {
  /** bytes it holds at most; default: no limit */
  readonly quota?: number | undefined;
  /** milliseconds since the epoch */
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

export function memoryStore(options: MemoryStoreOptions = {}): ArtifactStore {
  const clock = options.clock ?? Date.now;
  const blobs = new Map<string, { readonly blob: Blob; readonly modifiedMs: number }>();
  const manifests = new Map<string, { readonly key: ManifestKey; readonly text: string }>();
  const parts = new Map<string, MemoryPart>();
  const locks = new Map<string, Promise<unknown>>();
  let made = 0;

  const used = (): number =>
    [...blobs.values()].reduce((sum, { blob }) => sum + blob.size, 0) + [...parts.values()].reduce((sum, { size }) => sum + size, 0);

  async function createHash(algorithm: "sha256" | "sha1"): Promise<Hash> {
    const { createSHA1, createSHA256 } = await import("hash-wasm");
    const hash = await (algorithm === "sha256" ? createSHA256() : createSHA1());
    return {
      update: (bytes) => {
        hash.update(bytes);
      },
      digest: () => hash.digest(),
    };
  }

  async function ownPart(id: string, part: MemoryPart): Promise<Part> {
    part.inUse = true;
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      if (offset + length > part.size) throw new SpellError("store-corrupt", `a part ends at byte ${part.size}`, { where: id });
      return part.bytes.subarray(offset, offset + length);
    };
    const hash = await createPrefixHash(() => createHash("sha256"), read);
    return {
      kept: part.record,
      async write(offset, bytes) {
        const end = offset + bytes.byteLength;
        const more = Math.max(0, end - part.size);
        const taken = used();
        if (options.quota !== undefined && taken + more > options.quota) {
          throw new SpellError("store-quota", `the store holds ${taken} of ${options.quota} bytes; ${more} more are needed`, {
            details: { used: taken, quota: options.quota, needed: more },
          });
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
      async commit(wanted, signal) {
        const digest = blobPath(`sha256:${await checkComplete(hash, part.size, wanted, signal)}`);
        const modifiedMs = clock();
        blobs.set(digest, { blob: new Blob([part.bytes.subarray(0, part.size)]), modifiedMs });
        parts.delete(id);
        return { digest, size: wanted.size, modifiedMs };
      },
      async release() {
        part.inUse = false;
      },
      async discard() {
        parts.delete(id);
      },
    };
  }

  const factsOf = (digest: string) => {
    const found = blobs.get(blobPath(digest));
    return found === undefined ? undefined : { digest: blobPath(digest), size: found.blob.size, modifiedMs: found.modifiedMs };
  };

  return {
    place: "memory",
    createHash,
    lookBlob: async (digest) => factsOf(digest),
    async openBlob(digest, name) {
      const found = blobs.get(blobPath(digest));
      if (found === undefined) throw new SpellError("store-evicted", `${name}: ${digest} is not in the store`, { where: name });
      return { ...blobSource(name, found.blob), version: blobPath(digest), modifiedMs: found.modifiedMs };
    },
    listBlobs: async () => [...blobs.keys()].sort().flatMap((digest) => factsOf(digest) ?? []),
    async removeBlob(digest) {
      const size = factsOf(digest)?.size ?? 0;
      blobs.delete(blobPath(digest));
      return size;
    },
    async readManifest(key) {
      const found = manifests.get(JSON.stringify(key));
      return found === undefined ? undefined : (JSON.parse(found.text) as unknown);
    },
    async writeManifest(key, value) {
      manifests.set(JSON.stringify(key), { key, text: JSON.stringify(value) });
    },
    async removeManifest(key) {
      manifests.delete(JSON.stringify(key));
    },
    listManifests: async () => [...manifests.values()].map(({ key }) => key).sort((a, b) => (a.join("\0") < b.join("\0") ? -1 : 1)),
    async openPart(key) {
      const orphan = [...parts].find(([, part]) => part.key === key && !part.inUse);
      if (orphan !== undefined) return ownPart(...orphan);
      made += 1;
      const part = { key, bytes: new Uint8Array(0), size: 0, record: undefined, inUse: true, modifiedMs: clock() };
      parts.set(`${key}.${made}`, part);
      return ownPart(`${key}.${made}`, part);
    },
    listParts: async () =>
      [...parts].map(([id, { key, size, record, modifiedMs, inUse }]): PartFacts => {
        return { id, key, size, kept: spanBytes(record?.done ?? []), modifiedMs, inUse };
      }),
    async removePart(id) {
      const part = parts.get(id);
      if (part === undefined || part.inUse) return 0;
      parts.delete(id);
      return part.size;
    },
    space: async () => (options.quota === undefined ? undefined : { free: Math.max(0, options.quota - used()), quota: options.quota }),
    persist: async () => true,
    async withLock(name, work, { onWait, signal } = {}) {
      const before = locks.get(name);
      if (before !== undefined) onWait?.();
      const turn = (async () => {
        await before?.catch(() => undefined);
        if (signal?.aborted === true) throw abortedError();
        return work();
      })();
      locks.set(name, turn);
      const leave = (): void => {
        if (locks.get(name) === turn) locks.delete(name);
      };
      turn.then(leave, leave);
      return await abortable(turn, before !== undefined, signal);
    },
  };
}

/** A waiter leaves at once when it is told to; its turn then does nothing. */
function abortable<T>(turn: Promise<T>, waits: boolean, signal: AbortSignal | undefined): Promise<T> {
  if (!waits || signal === undefined) return turn;
  return new Promise<T>((resolve, reject) => {
    if (signal.aborted) reject(abortedError());
    signal.addEventListener("abort", () => reject(abortedError()), { once: true });
    turn.then(resolve, reject);
  });
}
