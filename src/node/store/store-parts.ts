/**
 * Unfinished files: `<key>.<random>.part`, with a record beside each that says who writes it and what of it is durable.
 * A part has one owner; what its owner left is taken over by rename, which has one winner.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { blobPath } from "../../core/download/address.ts";
import { checkComplete, createPrefixHash } from "../../core/download/prefix-hash.ts";
import { spanBytes } from "../../core/download/spans.ts";
import { SpellError } from "../../core/errors.ts";
import type { ArtifactStore, Part, PartFacts, PartRecord } from "../../core/platform.ts";
import { isAlive } from "../processes.ts";
import { attempt, errnoOf, isMissing, storeError } from "./store-errors.ts";
import type { StoreFiles, StoreFs } from "./store-files.ts";

/** A part whose process lives is taken over only when it was silent for this long: process numbers are used again. */
const orphanMs = 60_000;
/** The owner of a part shows at least this often that it lives. */
const heartbeatMs = 15_000;

/** Part record on disk: what core keeps, and who writes. */
interface OwnedRecord extends Partial<PartRecord> {
  readonly pid: number;
  readonly host: string;
  readonly time: number;
}

const partName = /^([0-9a-f]{64})\.([0-9a-f]{16})\.part$/;
const leftover = /^(\.[0-9a-f]{16}\.tmp|[0-9a-f]{64}\.[0-9a-f]{16}\.json)$/;

/** Where parts lie, and what the store they end in does. */
export interface PartsHome extends Pick<ArtifactStore, "createHash" | "lookBlob"> {
  readonly parts: string;
  readonly blobs: string;
}

export function storeParts(
  fs: StoreFs,
  { makeFolder, lookFile, readJson, writeJson, syncFolder, names }: StoreFiles,
  { parts, blobs, createHash, lookBlob }: PartsHome,
): Pick<ArtifactStore, "openPart" | "listParts" | "removePart"> {
  const recordPath = (part: string): string => part.replace(/\.part$/, ".json");

  async function isOrphan(part: string): Promise<boolean> {
    const record = (await readJson(recordPath(part)).catch(() => undefined)) as Partial<OwnedRecord> | null | undefined;
    if (record === undefined || record === null) {
      // its owner may be between two steps of taking it over
      const facts = await lookFile(part);
      return facts !== undefined && Math.abs(Date.now() - facts.modifiedMs) > orphanMs;
    }
    if (record.host === hostname() && typeof record.pid === "number" && !isAlive(record.pid)) return true;
    return typeof record.time !== "number" || Math.abs(Date.now() - record.time) > orphanMs;
  }

  /** Unfinished files, and what a process that was killed while it wrote a record has left. */
  const isRemovable = (name: string): boolean => partName.test(name) || leftover.test(name);

  async function isInUse(name: string): Promise<boolean> {
    const path = join(parts, name);
    if (partName.test(name)) return !(await isOrphan(path).catch(() => false));
    const facts = await lookFile(path).catch(() => undefined);
    if (facts === undefined || Math.abs(Date.now() - facts.modifiedMs) <= orphanMs) return true;
    return name.endsWith(".json") && (await lookFile(path.replace(/\.json$/, ".part")).catch(() => undefined)) !== undefined;
  }

  /** Renames an orphan of this key to a name of our own. @returns its record too, or undefined where there is none to have */
  async function takeOrphan(key: string): Promise<{ readonly path: string; readonly kept: PartRecord | undefined } | undefined> {
    for (const name of await names(parts)) {
      if (partName.exec(name)?.[1] !== key) continue;
      const theirs = join(parts, name);
      if ((await lookFile(theirs)) === undefined || !(await isOrphan(theirs))) continue;
      const ours = join(parts, `${key}.${randomBytes(8).toString("hex")}.part`);
      try {
        await fs.rename(theirs, ours);
      } catch (error) {
        if (isMissing(error)) continue; // somebody else was quicker
        throw storeError(error, theirs);
      }
      const record = partRecordOf(await readJson(recordPath(theirs)).catch(() => undefined));
      const size = (await lookFile(ours))?.size ?? 0;
      const kept = (record?.done.at(-1)?.[1] ?? 0) <= size ? record : undefined;
      await writeJson(recordPath(ours), owned(kept));
      await fs.unlink(recordPath(theirs)).catch(() => undefined);
      return { path: ours, kept };
    }
    return undefined;
  }

  async function ownPart(path: string, kept: PartRecord | undefined, flags: number): Promise<Part> {
    const file = await attempt(path, () => fs.open(path, flags | noFollow, 0o600));
    if (kept === undefined) {
      try {
        await attempt(path, () => file.truncate(0)); // bytes nobody vouches for
      } catch (error) {
        await file.close();
        throw error;
      }
    }
    let isOpen = true;
    let record = kept;
    const read = (offset: number, length: number): Promise<Uint8Array> =>
      attempt(path, async () => {
        const bytes = new Uint8Array(length);
        let done = 0;
        while (done < length) {
          const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0) throw new SpellError("store-corrupt", `${path} ends at byte ${offset + done}`, { where: path });
          done += bytesRead;
        }
        return bytes;
      });
    const hash = await createPrefixHash(() => createHash("sha256"), read);
    // A waiting download must not look abandoned.
    let beat: Promise<void> = Promise.resolve();
    const heartbeat = setInterval(() => {
      beat = writeJson(recordPath(path), owned(record)).catch(() => undefined);
    }, heartbeatMs);
    heartbeat.unref();
    const close = async (): Promise<void> => {
      clearInterval(heartbeat);
      await beat;
      if (!isOpen) return;
      isOpen = false;
      await file.close();
    };
    return {
      kept,
      async write(offset, bytes) {
        hash.wrote(offset, bytes);
        await attempt(path, async () => {
          let done = 0;
          while (done < bytes.byteLength) {
            const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, offset + done);
            done += bytesWritten;
          }
        });
      },
      read,
      async truncate(size) {
        await attempt(path, () => file.truncate(size));
        await hash.cut(size);
      },
      async save(next) {
        await attempt(path, () => file.datasync());
        record = next;
        await writeJson(recordPath(path), owned(next));
      },
      async commit(wanted, signal) {
        const { size } = await attempt(path, () => file.stat());
        const name = blobPath(`sha256:${await checkComplete(hash, size, wanted, signal)}`);
        const final = join(blobs, name);
        await attempt(final, async () => {
          await file.sync();
          await makeFolder(blobs);
          // Windows renames no open file.
          await close();
          await moveOver(path, final, size);
          await syncFolder(blobs);
        });
        await fs.unlink(recordPath(path)).catch(() => undefined);
        const facts = await lookBlob(name);
        if (facts === undefined) throw new SpellError("store-evicted", `${final} was removed as soon as it was there`, { where: final });
        return facts;
      },
      async release() {
        await close();
        // nobody owns it now
        await writeJson(recordPath(path), { ...owned(record), time: 0 }).catch(() => undefined);
      },
      async discard() {
        await close();
        for (const each of [path, recordPath(path)]) await fs.unlink(each).catch(() => undefined);
      },
    };
  }

  /** Where the same blob is open elsewhere Windows refuses to replace it; equal bytes need no replacing. */
  async function moveOver(path: string, final: string, size: number): Promise<void> {
    try {
      await fs.rename(path, final);
    } catch (error) {
      const code = errnoOf(error);
      const there = code === "EPERM" || code === "EBUSY" || code === "EACCES" ? await lookFile(final).catch(() => undefined) : undefined;
      if (there?.size !== size) throw error;
      await fs.unlink(path);
    }
  }

  return {
    async openPart(key) {
      checkPartKey(key);
      await attempt(parts, () => makeFolder(parts));
      const orphan = await takeOrphan(key);
      if (orphan !== undefined) return ownPart(orphan.path, orphan.kept, constants.O_RDWR);
      const path = join(parts, `${key}.${randomBytes(8).toString("hex")}.part`);
      // the record first: a part without one is somebody's that is just coming into being
      await writeJson(recordPath(path), owned(undefined));
      try {
        return await ownPart(path, undefined, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL);
      } catch (error) {
        await fs.unlink(recordPath(path)).catch(() => undefined);
        throw error;
      }
    },
    async listParts() {
      const found: PartFacts[] = [];
      const all = await names(parts);
      for (const name of all) {
        if (!isRemovable(name) || all.includes(name.replace(/\.json$/, ".part"), all.indexOf(name) + 1)) continue; // a record beside its part
        const facts = await lookFile(join(parts, name)).catch(() => undefined);
        if (facts === undefined) continue;
        const key = partName.exec(name)?.[1] ?? "";
        const record = key === "" ? undefined : partRecordOf(await readJson(recordPath(join(parts, name))).catch(() => undefined));
        found.push({ id: name, key, ...facts, kept: spanBytes(record?.done ?? []), inUse: await isInUse(name) });
      }
      return found;
    },
    async removePart(id) {
      if (basename(id) !== id || !isRemovable(id) || (await isInUse(id))) return 0;
      const path = join(parts, id);
      try {
        const { size } = await fs.lstat(path);
        await fs.unlink(path);
        if (partName.test(id)) await fs.unlink(recordPath(path)).catch(() => undefined);
        return size;
      } catch (error) {
        if (isMissing(error)) return 0;
        throw storeError(error, path);
      }
    },
  };
}

/** A link in the place of our file is not followed. Windows has no such flag, and links there need rights of their own. */
const noFollow = constants.O_NOFOLLOW ?? 0;

function owned(record: PartRecord | undefined): OwnedRecord {
  return { ...record, pid: process.pid, host: hostname(), time: Date.now() };
}

/** What another process wrote, or somebody's editor: only what has our form counts. */
function partRecordOf(value: unknown): PartRecord | undefined {
  const { url, etag, size, sha256, done } = (value ?? {}) as Partial<Record<keyof PartRecord, unknown>>;
  if (typeof url !== "string" || !Array.isArray(done)) return undefined;
  let last = 0;
  for (const range of done as unknown[]) {
    if (!Array.isArray(range) || range.length !== 2 || !range.every(Number.isSafeInteger)) return undefined;
    const [from, to] = range as [number, number];
    if (from < last || to < from) return undefined;
    last = to;
  }
  return {
    url,
    done: done as PartRecord["done"],
    etag: typeof etag === "string" ? etag : undefined,
    size: Number.isSafeInteger(size) ? (size as number) : undefined,
    sha256: typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256) ? sha256 : undefined,
  };
}

function checkPartKey(key: string): void {
  if (!/^[0-9a-f]{64}$/.test(key)) throw new SpellError("internal-error", `a part's key has 64 hex digits; got ${JSON.stringify(key)}`);
}
