/**
 * Unfinished files: `<key>.<random>.part`, each with a record that names its writer and the durable ranges.
 * A part has one owner. A rename takes over an abandoned one, and a rename has one winner.
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
import { checkPartKey } from "../../core/store/store-keys.ts";
import { errnoOf } from "../errno.ts";
import { readExactly } from "../file-source.ts";
import { isAlive } from "../processes.ts";
import { attempt, unlessMissing } from "./store-errors.ts";
import type { StoreFiles, StoreFs } from "./store-files.ts";

/** A part of a live process is abandoned after this silence: process numbers are used again. */
const orphanMs = 60_000;
/** Between two writes of the record while a part is open. */
const heartbeatMs = 15_000;

/** The record on disk: that of core, and the writer. */
interface OwnedRecord extends Partial<PartRecord> {
  readonly pid: number;
  readonly host: string;
  readonly time: number;
}

const partName = /^([0-9a-f]{64})\.([0-9a-f]{16})\.part$/;
const leftover = /^(\.[0-9a-f]{16}\.tmp|[0-9a-f]{64}\.[0-9a-f]{16}\.json)$/;

/** Folders of parts and blobs, and two methods of the store. */
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
  const newPart = (key: string): string => join(parts, `${key}.${randomBytes(8).toString("hex")}.part`);
  const isOld = (ms: number): boolean => Math.abs(Date.now() - ms) > orphanMs;
  /** undefined for an unreadable record too */
  const recordOf = (part: string): Promise<unknown> => readJson(recordPath(part)).catch(() => undefined);
  const removeRecord = (part: string): Promise<void> => fs.unlink(recordPath(part)).catch(() => undefined);
  const tryLook = (path: string) => lookFile(path).catch(() => undefined);

  async function isOrphan(part: string): Promise<boolean> {
    const record = (await recordOf(part)) as Partial<OwnedRecord> | null | undefined;
    if (record === undefined || record === null) {
      // its owner may be between two steps of taking it over
      const facts = await lookFile(part);
      return facts !== undefined && isOld(facts.modifiedMs);
    }
    if (record.host === hostname() && typeof record.pid === "number" && !isAlive(record.pid)) return true;
    return typeof record.time !== "number" || isOld(record.time);
  }

  /** Unfinished files, and records that a killed process left. */
  const isRemovable = (name: string): boolean => partName.test(name) || leftover.test(name);

  async function isInUse(name: string): Promise<boolean> {
    const path = join(parts, name);
    if (partName.test(name)) return !(await isOrphan(path).catch(() => false));
    const facts = await tryLook(path);
    if (facts === undefined || !isOld(facts.modifiedMs)) return true;
    return name.endsWith(".json") && (await tryLook(path.replace(/\.json$/, ".part"))) !== undefined;
  }

  /** Renames an abandoned part of this key. @returns the new path and the record; undefined if it is missing */
  async function takeOrphan(key: string): Promise<{ readonly path: string; readonly kept: PartRecord | undefined } | undefined> {
    for (const name of await names(parts)) {
      if (partName.exec(name)?.[1] !== key) continue;
      const theirs = join(parts, name);
      if ((await lookFile(theirs)) === undefined || !(await isOrphan(theirs))) continue;
      const path = newPart(key);
      const isOurs = await unlessMissing(theirs, () => fs.rename(theirs, path).then(() => true));
      if (isOurs === undefined) continue; // another process was first
      const record = partRecordOf(await recordOf(theirs));
      const size = (await lookFile(path))?.size ?? 0;
      const kept = (record?.done.at(-1)?.[1] ?? 0) <= size ? record : undefined;
      await writeJson(recordPath(path), owned(kept));
      await removeRecord(theirs);
      return { path, kept };
    }
    return undefined;
  }

  async function ownPart(path: string, kept: PartRecord | undefined, flags: number): Promise<Part> {
    const file = await attempt(path, () => fs.open(path, flags | noFollow, 0o600));
    if (kept === undefined) {
      try {
        await attempt(path, () => file.truncate(0)); // without a record the bytes mean nothing
      } catch (error) {
        await file.close();
        throw error;
      }
    }
    let isOpen = true;
    let record = kept;
    const ended = (end: number): SpellError => new SpellError("store-corrupt", `${path} ends at byte ${end}`, { where: path });
    const read = (offset: number, length: number): Promise<Uint8Array> => attempt(path, () => readExactly(file, offset, length, ended));
    const hash = await createPrefixHash(() => createHash("sha256"), read);
    // A download that waits must not look abandoned.
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
      async commit(expected, signal) {
        const { size } = await attempt(path, () => file.stat());
        const name = blobPath(`sha256:${await checkComplete(hash, size, expected, signal)}`);
        const final = join(blobs, name);
        await attempt(final, async () => {
          await file.sync();
          await makeFolder(blobs);
          // Windows does not rename open files.
          await close();
          await moveOver(path, final, size);
          await syncFolder(blobs);
        });
        await removeRecord(path);
        const facts = await lookBlob(name);
        if (facts === undefined) throw new SpellError("store-evicted", `${final} was removed right after its commit`, { where: final });
        return facts;
      },
      async release() {
        await close();
        // time 0: the part is free
        await writeJson(recordPath(path), { ...owned(record), time: 0 }).catch(() => undefined);
      },
      async discard() {
        await close();
        await fs.unlink(path).catch(() => undefined);
        await removeRecord(path);
      },
    };
  }

  /** Windows does not replace a blob that is open elsewhere; equal bytes need no replacing. */
  async function moveOver(path: string, final: string, size: number): Promise<void> {
    try {
      await fs.rename(path, final);
    } catch (error) {
      if (!["EPERM", "EBUSY", "EACCES"].includes(errnoOf(error) ?? "") || (await tryLook(final))?.size !== size) throw error;
      await fs.unlink(path);
    }
  }

  return {
    async openPart(key) {
      checkPartKey(key);
      await attempt(parts, () => makeFolder(parts));
      const orphan = await takeOrphan(key);
      if (orphan !== undefined) return ownPart(orphan.path, orphan.kept, constants.O_RDWR);
      const path = newPart(key);
      // the record first: a part without one is being adopted
      await writeJson(recordPath(path), owned(undefined));
      try {
        return await ownPart(path, undefined, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL);
      } catch (error) {
        await removeRecord(path);
        throw error;
      }
    },
    async listParts() {
      const found: PartFacts[] = [];
      const all = await names(parts);
      for (const name of all) {
        if (!isRemovable(name) || all.includes(name.replace(/\.json$/, ".part"), all.indexOf(name) + 1)) continue; // a record beside its part
        const facts = await tryLook(join(parts, name));
        if (facts === undefined) continue;
        const key = partName.exec(name)?.[1] ?? "";
        const record = key === "" ? undefined : partRecordOf(await recordOf(join(parts, name)));
        found.push({ id: name, key, ...facts, kept: spanBytes(record?.done ?? []), inUse: await isInUse(name) });
      }
      return found;
    },
    async removePart(id) {
      if (basename(id) !== id || !isRemovable(id) || (await isInUse(id))) return 0;
      const path = join(parts, id);
      const freed = await unlessMissing(path, async () => {
        const { size } = await fs.lstat(path);
        await fs.unlink(path);
        return size;
      });
      if (freed !== undefined && partName.test(id)) await removeRecord(path);
      return freed ?? 0;
    },
  };
}

/** A link in the place of our file is not followed. Windows lacks this flag; making links needs a permission there. */
const noFollow = constants.O_NOFOLLOW ?? 0;

function owned(record: PartRecord | undefined): OwnedRecord {
  return { ...record, pid: process.pid, host: hostname(), time: Date.now() };
}

/** Another process or an editor wrote it: any other form counts as no record. */
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
