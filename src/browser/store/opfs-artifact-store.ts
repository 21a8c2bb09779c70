/**
 * ArtifactStore of a page: bytes in the origin's private file system, small records in IndexedDB, Web Locks between tabs.
 * Every open part holds a lock of its own, which ends with its tab: a part whose lock is free is an orphan.
 */
import { createStore, del, entries, get, set, type UseStore } from "idb-keyval";
import { blobPath } from "../../core/download/address.ts";
import { spanBytes } from "../../core/download/spans.ts";
import { abortedError, SpellError } from "../../core/errors.ts";
import { blobSource } from "../../core/formats/byte-source.ts";
import type { ArtifactStore, BlobFacts, ManifestKey, Part, PartFacts, PartRecord } from "../../core/platform.ts";
import { opfsFile, opfsFolder, removeOpfsFile, storageError } from "./opfs-files.ts";
import type { OpfsAnswer, OpfsRequest } from "./opfs-protocol.ts";

const database = "llmspell";
const partName = /^([0-9a-f]{64})\.[0-9a-f-]{36}\.part$/;

/** Whether this browser keeps files for the page at all: some private windows, old versions and pages without a secure origin do not. */
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

let opened: UseStore | undefined;
/** One connection for all stores of a page. */
function records(): UseStore {
  opened ??= createStore(database, "records");
  return opened;
}

/** Starts nothing: the worker comes to life with the first part. */
export function opfsArtifactStore(): ArtifactStore {
  let client: WorkerClient | undefined;
  const worker = (): WorkerClient => {
    client ??= startWorker(() => {
      client = undefined;
    });
    return client;
  };
  let made = 0;

  async function createHash(algorithm: "sha256" | "sha1") {
    const { createSHA1, createSHA256 } = await import("hash-wasm");
    const hash = await (algorithm === "sha256" ? createSHA256() : createSHA1());
    return {
      update: (bytes: Uint8Array): void => {
        hash.update(bytes);
      },
      digest: (): string => hash.digest(),
    };
  }

  async function lookBlob(digest: string): Promise<BlobFacts | undefined> {
    const name = blobPath(digest);
    const file = await opfsFile("blobs", name);
    return file === undefined ? undefined : { digest: name, size: file.size, modifiedMs: file.lastModified };
  }

  const partRecordKey = (name: string): string[] => ["part", name];

  /** @returns undefined where another tab holds it */
  async function ownPart(name: string, isNew: boolean): Promise<Part | undefined> {
    const unlock = await holdIfFree(`llmspell part ${name}`);
    if (unlock === undefined) return undefined;
    made += 1;
    const part = made;
    const call = <T>(request: DistributiveOmit<Exclude<OpfsRequest, { type: "abort" }>, "part">): Promise<T> =>
      worker().call({ ...request, part } as OpfsRequest, request.type === "write" ? [request.bytes.buffer] : []) as Promise<T>;
    const forget = async (): Promise<void> => {
      await removeOpfsFile("parts", name);
      await idb(() => del(partRecordKey(name), records()));
    };
    let kept: PartRecord | undefined;
    try {
      const size = await call<number>({ type: "open", name, isNew });
      const record = await idb(() => get<PartRecord>(partRecordKey(name), records()));
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
        await idb(() => set(partRecordKey(name), next, records()));
      },
      async commit(wanted, signal) {
        if (signal?.aborted === true) throw abortedError();
        made += 1;
        const number = made;
        const stop = (): void =>
          void worker()
            .call({ type: "abort", call: number }, [])
            .catch(() => undefined);
        signal?.addEventListener("abort", stop, { once: true });
        try {
          const digest = await call<string>({ type: "commit", size: wanted.size, sha256: wanted.sha256, call: number });
          await idb(() => del(partRecordKey(name), records()));
          unlock();
          const facts = await lookBlob(digest);
          if (facts === undefined)
            throw new SpellError("store-evicted", `${digest} was removed as soon as it was there`, { where: digest });
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
        await forget();
        unlock();
      },
    };
  }

  async function partFiles(): Promise<readonly string[]> {
    try {
      const found: string[] = [];
      for await (const name of (await opfsFolder("parts")).keys()) if (partName.test(name)) found.push(name);
      return found.sort();
    } catch (error) {
      throw storageError(error, "parts");
    }
  }

  return {
    place: "this browser's storage",
    createHash,
    lookBlob,
    async openBlob(digest, name) {
      const file = await opfsFile("blobs", blobPath(digest));
      if (file === undefined)
        throw new SpellError("store-evicted", `${name}: ${digest} is gone from the browser's storage`, { where: name });
      return { ...blobSource(name, file), version: `${blobPath(digest)}:${file.lastModified}`, modifiedMs: file.lastModified };
    },
    async listBlobs() {
      const names: string[] = [];
      for await (const name of (await opfsFolder("blobs")).keys()) if (/^sha256-[0-9a-f]{64}$/.test(name)) names.push(name);
      const facts = await Promise.all(names.sort().map(lookBlob));
      return facts.flatMap((each) => each ?? []);
    },
    removeBlob: async (digest) => removeOpfsFile("blobs", blobPath(digest)),

    readManifest: (key) => idb(() => get<unknown>(["manifest", ...key], records())),
    writeManifest: (key, value) => idb(() => set(["manifest", ...key], JSON.parse(JSON.stringify(value)), records())),
    removeManifest: (key) => idb(() => del(["manifest", ...key], records())),
    async listManifests() {
      const all = await idb(() => entries<string[], unknown>(records()));
      const keys: ManifestKey[] = all.flatMap(([key]) => (Array.isArray(key) && key[0] === "manifest" ? [key.slice(1)] : []));
      return keys.sort((a, b) => (a.join("\0") < b.join("\0") ? -1 : 1));
    },

    async openPart(key) {
      if (!/^[0-9a-f]{64}$/.test(key)) throw new SpellError("internal-error", `a part's key has 64 hex digits; got ${JSON.stringify(key)}`);
      for (const name of await partFiles()) {
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
      for (const name of await partFiles()) {
        const file = await opfsFile("parts", name);
        const key = partName.exec(name)?.[1];
        if (file === undefined || key === undefined) continue;
        const record = await idb(() => get<PartRecord>(partRecordKey(name), records()));
        const kept = spanBytes(record?.done ?? []);
        found.push({ id: name, key, size: file.size, kept, modifiedMs: file.lastModified, inUse: held.has(`llmspell part ${name}`) });
      }
      return found;
    },
    async removePart(id) {
      if (!partName.test(id)) return 0;
      const unlock = await holdIfFree(`llmspell part ${id}`);
      if (unlock === undefined) return 0;
      try {
        await idb(() => del(partRecordKey(id), records()));
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
      // A worker may only ask whether the page was promised it already.
      const storage: StorageManager & { persist?(): Promise<boolean> } = navigator.storage;
      return storage.persist === undefined ? storage.persisted() : storage.persist();
    },
    async withLock<T>(
      name: string,
      work: () => Promise<T>,
      { onWait, signal }: { onWait?: (() => void) | undefined; signal?: AbortSignal | undefined } = {},
    ) {
      const lock = `llmspell lock ${name}`;
      const free = await holdIfFree(lock);
      if (free !== undefined) {
        try {
          return await work();
        } finally {
          free();
        }
      }
      onWait?.();
      let isIn = false;
      try {
        return (await navigator.locks.request(lock, signal === undefined ? {} : { signal }, () => {
          isIn = true;
          return work();
        })) as T;
      } catch (error) {
        if (!isIn && signal?.aborted === true) throw abortedError();
        throw error;
      }
    },
  };
}

/** Keeps the union's members apart. */
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** @returns a function that gives the lock back, or undefined where somebody holds it */
function holdIfFree(name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (lock === null) {
          resolve(undefined);
          return undefined;
        }
        return new Promise<void>((unlock) => resolve(unlock));
      })
      .catch((error: unknown) => reject(storageError(error, name)));
  });
}

async function idb<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error, "records");
  }
}

interface WorkerClient {
  call(request: OpfsRequest, move: Transferable[]): Promise<unknown>;
}

/** Every call settles: with the worker's death all that wait are refused. */
function startWorker(onDeath: () => void): WorkerClient {
  // Bundlers look for exactly this form.
  const worker = new Worker(new URL("./opfs-worker.ts", import.meta.url), { type: "module" });
  const waiting = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (error: SpellError) => void }>();
  let last = 0;
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
      reject(new SpellError("run-crash", `the worker that keeps files ended: ${event.message || "it could not be started"}`));
    }
    waiting.clear();
  };
  return {
    call: (request, move) =>
      new Promise((resolve, reject) => {
        last += 1;
        waiting.set(last, { resolve, reject });
        worker.postMessage({ id: last, request }, move);
      }),
  };
}
