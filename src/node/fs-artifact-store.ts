/**
 * ArtifactStore in a folder: `blobs/sha256-…`, `manifests/…/*.json`, `parts/<key>.<random>.part` with a record beside each.
 * Several processes use it at once without locks that matter: new names come into being by rename, which has one winner everywhere.
 * What a killed process leaves is a part, or nothing.
 */
import { createHash as createNodeHash, randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import * as nodeFs from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { blobPath } from "../core/download/address.ts";
import { checkComplete, createPrefixHash } from "../core/download/prefix-hash.ts";
import { spanBytes } from "../core/download/spans.ts";
import { SpellError } from "../core/errors.ts";
import type { ArtifactStore, BlobFacts, ManifestKey, Part, PartFacts, PartRecord } from "../core/platform.ts";
import { holdFileLock } from "./file-lock.ts";
import { openFileSource } from "./file-source.ts";
import { isAlive } from "./processes.ts";

/** The calls a store makes, so that a test can let the n-th one fail. */
export type StoreFs = Pick<
  typeof nodeFs,
  "link" | "lstat" | "mkdir" | "open" | "readFile" | "readdir" | "rename" | "rmdir" | "statfs" | "unlink" | "utimes"
>;

export interface FsStoreOptions {
  /** default: node:fs/promises */
  readonly fs?: StoreFs;
}

/** Bytes of one manifest or record. Ours have some hundreds; the manifest of a model of a thousand parts has some hundred thousand. */
const maxJsonBytes = 4 * 1024 * 1024;

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
const linkName = /^[0-9a-f]{32}\/[^/\\]+$/;
const leftover = /^(\.[0-9a-f]{16}\.tmp|[0-9a-f]{64}\.[0-9a-f]{16}\.json)$/;

/** @param folder absolute; it comes into being with the first write, mode 0700 */
export function fsArtifactStore(folder: string, options: FsStoreOptions = {}): ArtifactStore {
  const fs = options.fs ?? nodeFs;
  const blobs = join(folder, "blobs");
  const parts = join(folder, "parts");
  const manifests = join(folder, "manifests");
  const links = join(folder, "links");

  const makeFolder = (path: string) => fs.mkdir(path, { recursive: true, mode: 0o700 });
  const recordPath = (part: string): string => part.replace(/\.part$/, ".json");

  /** @returns undefined where there is nothing. @throws SpellError store-corrupt for a link, a folder, a pipe … under our name */
  async function lookFile(path: string): Promise<{ readonly size: number; readonly modifiedMs: number } | undefined> {
    let stats: Awaited<ReturnType<typeof nodeFs.lstat>>;
    try {
      stats = await fs.lstat(path);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw storeError(error, path);
    }
    if (stats.isFile()) return { size: stats.size, modifiedMs: Math.trunc(stats.mtimeMs) };
    throw new SpellError("store-corrupt", `${path} is ${stats.isSymbolicLink() ? "a symbolic link" : "no regular file"}`, {
      where: path,
      hint: "Something else was put into the store; remove it, then pull the model again.",
    });
  }

  async function lookBlob(digest: string): Promise<BlobFacts | undefined> {
    const name = blobPath(digest);
    const facts = await lookFile(join(blobs, name));
    return facts === undefined ? undefined : { digest: name, ...facts };
  }

  async function readJson(path: string): Promise<unknown> {
    const facts = await lookFile(path);
    if (facts === undefined) return undefined;
    try {
      if (facts.size > maxJsonBytes) throw new Error(`it has ${facts.size} bytes`);
      return JSON.parse(await fs.readFile(path, "utf8")) as unknown;
    } catch (cause) {
      if (isMissing(cause)) return undefined; // removed meanwhile
      if (errnoOf(cause) !== undefined) throw storeError(cause, path);
      throw new SpellError("store-corrupt", `${path} is no record of ours: ${cause instanceof Error ? cause.message : String(cause)}`, {
        where: path,
        cause,
      });
    }
  }

  /** Readers see the old or the new file, never half of one; after a power cut too. */
  async function writeJson(path: string, value: unknown): Promise<void> {
    // all in one folder, where what a killed process left is found
    const temporary = join(parts, `.${randomBytes(8).toString("hex")}.tmp`);
    try {
      await makeFolder(parts);
      const file = await fs.open(temporary, "wx", 0o600);
      try {
        await file.writeFile(`${JSON.stringify(value, undefined, 2)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await fs.rename(temporary, path);
      await syncFolder(dirname(path));
    } catch (error) {
      await fs.unlink(temporary).catch(() => undefined);
      throw storeError(error, path);
    }
  }

  /** A rename is durable when its folder is. Windows has no such call, and needs none. */
  async function syncFolder(path: string): Promise<void> {
    if (process.platform === "win32") return;
    const handle = await fs.open(path, constants.O_RDONLY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async function names(path: string): Promise<readonly string[]> {
    try {
      return (await fs.readdir(path)).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw storeError(error, path);
    }
  }

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

  async function createHash(algorithm: "sha256" | "sha1") {
    const hash = createNodeHash(algorithm);
    return { update: (bytes: Uint8Array): void => void hash.update(bytes), digest: (): string => hash.digest("hex") };
  }

  /** A second name of a blob, in a folder of its group. No bytes are copied. */
  async function linkInto(group: string, name: string, blob: string): Promise<string> {
    const place = join(links, createNodeHash("sha256").update(group).digest("hex").slice(0, 32));
    const path = join(place, fileNameOf(name));
    return attempt(path, async () => {
      await makeFolder(place);
      const [wanted, there] = await Promise.all([fs.lstat(blob), fs.lstat(path).catch(() => undefined)]);
      if (there?.ino === wanted.ino && there.dev === wanted.dev) return path;
      const fresh = join(place, `.${randomBytes(8).toString("hex")}`);
      await fs.link(blob, fresh);
      await fs.rename(fresh, path);
      await fs.unlink(fresh).catch(() => undefined); // a rename between two names of one file does nothing
      return path;
    });
  }

  /** Second names of blobs: `group/name`, from the folder of links. */
  async function* linkNames(): AsyncGenerator<{ readonly id: string; readonly stats: Stats }, void, undefined> {
    for (const group of await names(links)) {
      for (const name of await names(join(links, group))) {
        const stats = await fs.lstat(join(links, group, name)).catch(() => undefined);
        if (stats !== undefined) yield { id: `${group}/${name}`, stats };
      }
    }
  }

  async function unlinkName(id: string): Promise<void> {
    const path = join(links, id);
    await fs.unlink(path).catch(() => undefined);
    await fs.rmdir(dirname(path)).catch(() => undefined); // goes with its last name
  }

  /** Other names of a blob that goes; strays go along. */
  async function unlinkAll(ino: number): Promise<void> {
    for await (const { id, stats } of linkNames()) if (stats.ino === ino || isStray(stats)) await unlinkName(id);
  }

  /** A name whose blob is gone, or was replaced: it holds on to bytes that nobody can find any more. */
  const isStray = ({ nlink }: Stats): boolean => nlink === 1;

  const manifestPath = (key: ManifestKey): string => `${join(manifests, ...key.map(fileNameOf))}.json`;

  return {
    place: folder,
    createHash,
    lookBlob,
    async openBlob(digest, name, group) {
      const path = join(blobs, blobPath(digest));
      if ((await lookBlob(digest)) === undefined) {
        throw new SpellError("store-evicted", `${name}: ${path} is gone`, { where: path });
      }
      const source = await openFileSource(path);
      return group === undefined ? { ...source, name } : { ...source, name, path: await linkInto(group, name, path) };
    },
    async listBlobs() {
      const found = await Promise.all(
        (await names(blobs)).filter((name) => /^sha256-[0-9a-f]{64}$/.test(name)).map((name) => lookBlob(name).catch(() => undefined)),
      );
      return found.flatMap((facts) => facts ?? []);
    },
    async removeBlob(digest) {
      const path = join(blobs, blobPath(digest));
      let size = 0;
      try {
        const stats = await fs.lstat(path);
        size = stats.size;
        await unlinkAll(stats.ino);
        await fs.unlink(path);
      } catch (error) {
        if (isMissing(error)) return 0;
        if (process.platform === "win32" && (errnoOf(error) === "EPERM" || errnoOf(error) === "EBUSY")) {
          throw new SpellError("store-locked", `${path} is in use by another process`, { where: path, cause: error });
        }
        throw storeError(error, path);
      }
      return size;
    },

    readManifest: (key) => readJson(manifestPath(key)),
    async writeManifest(key, value) {
      const path = manifestPath(key);
      await attempt(path, () => makeFolder(dirname(path)));
      await writeJson(path, value);
    },
    async removeManifest(key) {
      const path = manifestPath(key);
      try {
        await fs.unlink(path);
      } catch (error) {
        if (isMissing(error)) return;
        throw storeError(error, path);
      }
      // folders that held nothing else go too; one that does stays
      for (let at = dirname(path); at !== manifests; at = dirname(at)) {
        try {
          await fs.rmdir(at);
        } catch {
          return;
        }
      }
    },
    async listManifests() {
      const found: ManifestKey[] = [];
      const walk = async (path: string, key: ManifestKey): Promise<void> => {
        for (const name of await names(path)) {
          const text = keyPartOf(name.replace(/\.json$/, ""));
          if (name.startsWith(".") || text === undefined) continue;
          if (name.endsWith(".json")) found.push([...key, text]);
          else if (key.length < 6) await walk(join(path, name), [...key, text]);
        }
      };
      await walk(manifests, []);
      return found.sort((a, b) => (a.join("\0") < b.join("\0") ? -1 : 1));
    },

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
      for await (const { id, stats } of linkNames()) {
        if (isStray(stats)) found.push({ id, key: "", size: stats.size, modifiedMs: stats.mtimeMs, kept: 0, inUse: false });
      }
      return found;
    },
    async removePart(id) {
      if (linkName.test(id)) {
        const stats = await fs.lstat(join(links, id)).catch(() => undefined);
        if (stats === undefined || !isStray(stats)) return 0;
        await unlinkName(id);
        return stats.size;
      }
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

    async space() {
      // the store may not be there yet: its nearest folder that is lies on the same disk
      for (let at = folder; ; at = dirname(at)) {
        try {
          const { bavail, bsize } = await fs.statfs(at);
          return { free: bavail * bsize };
        } catch {
          if (at === dirname(at)) return undefined;
        }
      }
    },
    persist: async () => true,
    async withLock(name, work, lock = {}) {
      await attempt(parts, () => makeFolder(parts));
      const held = await holdFileLock(join(parts, `${fileNameOf(name)}.lock`), lock);
      try {
        return await work();
      } finally {
        await held.release();
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
    ...(typeof etag === "string" ? { etag } : {}),
    ...(Number.isSafeInteger(size) ? { size: size as number } : {}),
    ...(typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256) ? { sha256 } : {}),
  };
}

function checkPartKey(key: string): void {
  if (!/^[0-9a-f]{64}$/.test(key)) throw new SpellError("internal-error", `a part's key has 64 hex digits; got ${JSON.stringify(key)}`);
}

/** Names that Windows gives to devices, whatever follows the first dot. */
const deviceName = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** A file name that every system takes and none confuses: lower case, digits, `-_.`; everything else as %XX of its UTF-8. */
function fileNameOf(text: string): string {
  const escapeByte = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  const plain = [...new TextEncoder().encode(text)].map((byte) =>
    /[a-z0-9_.-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : escapeByte(byte),
  );
  const first = plain[0];
  if (text === "" || first === undefined || plain.join("").length > 200) {
    throw new SpellError("internal-error", `a manifest's key has parts of 1–100 characters; got ${JSON.stringify(text.slice(0, 120))}`);
  }
  // Windows drops a dot at the end; a folder must not look like one of our files
  if (first === "." || deviceName.test(text)) plain[0] = escapeByte(first.charCodeAt(0));
  const last = plain[plain.length - 1] ?? "";
  if (last === "." || /\.json$/.test(text)) plain[plain.length - 1] = escapeByte(last.charCodeAt(0));
  return plain.join("");
}

/** @returns undefined for a name that is none of ours */
function keyPartOf(name: string): string | undefined {
  try {
    const text = decodeURIComponent(name);
    return fileNameOf(text) === name ? text : undefined;
  } catch {
    return undefined;
  }
}

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storeError(error, path);
  }
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function isMissing(error: unknown): boolean {
  const code = errnoOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

function storeError(error: unknown, path: string): SpellError {
  if (error instanceof SpellError) return error;
  const code = errnoOf(error) ?? "unknown";
  const options = { where: path, cause: error };
  if (code === "ENOSPC" || code === "EDQUOT") return new SpellError("store-full", `${path}: no room is left on the disk`, options);
  if (code === "ELOOP") return new SpellError("store-corrupt", `${path} is a symbolic link`, options);
  return new SpellError("store-denied", `${path}: the store cannot be used (${code})`, options);
}
