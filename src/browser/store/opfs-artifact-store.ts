/**
 * ArtifactStore of a page: bytes in the origin's private file system, small records in IndexedDB, Web Locks between tabs.
 * Every open part holds a lock, which ends with its tab: a part whose lock is free is an orphan.
 */
import { createStore, del, entries, get, set } from "idb-keyval";
import { blobPath } from "../../core/download/address.ts";
import { spanBytes } from "../../core/download/spans.ts";
import { abortedError, SpellError, throwIfAborted } from "../../core/errors.ts";
import { blobSource } from "../../core/formats/byte-source.ts";
import type { ArtifactStore, BlobFacts, ManifestKey, Part, PartFacts, PartRecord } from "../../core/platform.ts";
import { checkPartKey, compareKeys } from "../../core/store/store-keys.ts";
import { wasmHash } from "../../core/store/wasm-hash.ts";
import { once } from "../../core/values.ts";
import { workers } from "../addresses.ts";
import { opfsFile, opfsFolder, opfsNames, removeOpfsFile, storageError } from "./opfs-files.ts";
import type { OpfsAnswer, OpfsRequest } from "./opfs-protocol.ts";

const partName = /^([0-9a-f]{64})\.[0-9a-f-]{36}\.part$/;
const partLock = (name: string): string => `llmspell part ${name}`;

/** Whether this browser keeps files for the page: some private windows, old versions and pages without a secure origin do not. */
export async function findOpfs(): Promise<{ readonly available: true } | { readonly available: false; readonly reason: string }> {
  try {
    if (navigator.storage?.getDirectory === undefined) return { available: false, reason: "it has no private file system" };
    if (navigator.locks === undefined) return { available: false, reason: "it has no Web Locks" };
    await opfsFolder("parts");
    await get("probe", records());
    return { available: true };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** One connection for all stores of a page. */
const records = once(() => createStore("llmspell", "records"));

/** Starts nothing: the worker starts with the first part. */
export function opfsArtifactStore(): ArtifactStore {
  let client: CallWorker | undefined;
  const callWorker: CallWorker = (part, request) => {
    client ??= startWorker(() => {
      client = undefined;
    });
    return client(part, request);
  };
  let made = 0;

  async function lookBlob(digest: string): Promise<BlobFacts | undefined> {
    const name = blobPath(digest);
    const file = await opfsFile("blobs", name);
    return file === undefined ? undefined : { digest: name, size: file.size, modifiedMs: file.lastModified };
  }

  const recordOf = (name: string) => idb(() => get<PartRecord>(["part", name], records()));
  const removeRecord = (name: string) => idb(() => del(["part", name], records()));

  /** @returns undefined where another tab holds it */
  async function ownPart(name: string, isNew: boolean): Promise<Part | undefined> {
    const unlock = await hold(partLock(name), { ifAvailable: true });
    if (unlock === undefined) return undefined;
    made += 1;
    const number = made;
    const call = <T>(request: OpfsRequest): Promise<T> => callWorker(number, request) as Promise<T>;
    let kept: PartRecord | undefined;
    try {
      const size = await call<number>({ type: "open", name, isNew });
      const record = await recordOf(name);
      kept = (record?.done.at(-1)?.[1] ?? 0) <= size ? record : undefined;
      if (kept === undefined) await call({ type: "truncate", size: 0 });
    } catch (error) {
      unlock();
      throw error;
    }
    return {
      kept,
      write: (offset, bytes) => call({ type: "write", offset, bytes: new Uint8Array(bytes) }),
      read: (offset, length) => call({ type: "read", offset, length }),
      truncate: (size) => call({ type: "truncate", size }),
      async save(next) {
        await call({ type: "flush" });
        await idb(() => set(["part", name], next, records()));
      },
      async commit({ size, sha256 }, signal) {
        throwIfAborted(signal);
        const stop = (): void => void call({ type: "abort" }).catch(() => undefined);
        signal?.addEventListener("abort", stop, { once: true });
        try {
          const digest = await call<string>({ type: "commit", size, sha256 });
          await removeRecord(name);
          unlock();
          const facts = await lookBlob(digest);
          if (facts === undefined) throw new SpellError("store-evicted", `${digest} was removed right after its commit`, { where: digest });
          return facts;
        } finally {
          signal?.removeEventListener("abort", stop);
        }
      },
      async release() {
        await call({ type: "close" });
        unlock();
      },
      async discard() {
        await call({ type: "close" });
        await removeOpfsFile("parts", name);
        await removeRecord(name);
        unlock();
      },
    };
  }

  return {
    place: "this browser's storage",
    createHash: wasmHash,
    lookBlob,
    async openBlob(digest, name) {
      const file = await opfsFile("blobs", blobPath(digest));
      if (file === undefined)
        throw new SpellError("store-evicted", `${name}: ${digest} is gone from the browser's storage`, { where: name });
      return { ...blobSource(name, file), version: `${blobPath(digest)}:${file.lastModified}`, modifiedMs: file.lastModified };
    },
    async listBlobs() {
      const facts = await Promise.all((await opfsNames("blobs", /^sha256-[0-9a-f]{64}$/)).map(lookBlob));
      return facts.flatMap((each) => each ?? []);
    },
    removeBlob: async (digest) => removeOpfsFile("blobs", blobPath(digest)),

    readManifest: (key) => idb(() => get<unknown>(["manifest", ...key], records())),
    writeManifest: (key, value) => idb(() => set(["manifest", ...key], JSON.parse(JSON.stringify(value)), records())),
    removeManifest: (key) => idb(() => del(["manifest", ...key], records())),
    async listManifests() {
      const all = await idb(() => entries<string[], unknown>(records()));
      return all.flatMap(([[kind, ...key]]): ManifestKey[] => (kind === "manifest" ? [key] : [])).sort(compareKeys);
    },

    async openPart(key) {
      checkPartKey(key);
      for (const name of await opfsNames("parts", partName)) {
        if (!name.startsWith(key)) continue;
        const part = await ownPart(name, false).catch((error: SpellError) => {
          if (error.code === "store-evicted") return undefined; // its owner ended it meanwhile
          throw error;
        });
        if (part !== undefined) return part;
      }
      const part = await ownPart(`${key}.${crypto.randomUUID()}.part`, true);
      if (part === undefined) throw new SpellError("internal-error", "a lock with a new name was held");
      return part;
    },
    async listParts() {
      const held = new Set((await navigator.locks.query()).held?.map(({ name }) => name) ?? []);
      const found: PartFacts[] = [];
      for (const id of await opfsNames("parts", partName)) {
        const file = await opfsFile("parts", id);
        if (file === undefined) continue;
        const kept = spanBytes((await recordOf(id))?.done ?? []);
        found.push({ id, key: id.slice(0, 64), size: file.size, kept, modifiedMs: file.lastModified, inUse: held.has(partLock(id)) });
      }
      return found;
    },
    async removePart(id) {
      if (!partName.test(id)) return 0;
      const unlock = await hold(partLock(id), { ifAvailable: true });
      if (unlock === undefined) return 0;
      try {
        await removeRecord(id);
        return await removeOpfsFile("parts", id);
      } finally {
        unlock();
      }
    },

    async space() {
      const { quota, usage } = await navigator.storage.estimate();
      return quota === undefined ? undefined : { quota, free: Math.max(0, quota - (usage ?? 0)) };
    },
    async persist() {
      // A worker can only read whether the page got this promise already.
      const storage: StorageManager & { persist?(): Promise<boolean> } = navigator.storage;
      return storage.persist === undefined ? storage.persisted() : storage.persist();
    },
    async withLock(name, work, { onWait, signal } = {}) {
      const lock = `llmspell lock ${name}`;
      let unlock = await hold(lock, { ifAvailable: true });
      if (unlock === undefined) {
        onWait?.();
        unlock = await hold(lock, signal === undefined ? {} : { signal });
      }
      return work().finally(unlock);
    },
  };
}

/** @returns a function that gives the lock back; undefined where another tab holds it and only a free one was asked for */
function hold(name: string, options: LockOptions): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, options, (lock) => (lock === null ? resolve(undefined) : new Promise<void>((unlock) => resolve(unlock))))
      .catch((error: unknown) => reject(options.signal?.aborted === true ? abortedError() : storageError(error, name)));
  });
}

async function idb<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error, "records");
  }
}

type CallWorker = (part: number, request: OpfsRequest) => Promise<unknown>;

/** Every call settles: when the worker dies, the waiting ones reject. */
function startWorker(onDeath: () => void): CallWorker {
  const worker = workers.opfs();
  const waiting = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (error: SpellError) => void }>();
  let id = 0;
  worker.onmessage = ({ data }: MessageEvent<OpfsAnswer>) => {
    const call = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.ok) call?.resolve(data.value);
    else call?.reject(SpellError.fromJSON(data.error));
  };
  worker.onerror = (event) => {
    onDeath();
    worker.terminate();
    for (const { reject } of waiting.values()) {
      reject(new SpellError("run-crash", `the worker that writes files ended: ${event.message || "it could not start"}`));
    }
    waiting.clear();
  };
  return (part, request) =>
    new Promise((resolve, reject) => {
      id += 1;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, part, request }, request.type === "write" ? [request.bytes.buffer] : []);
    });
}
