/**
 * ArtifactStore in a folder: `blobs/sha256-…`, `manifests/…/*.json`, `parts/<key>.<random>.part` with a record beside each.
 * Several processes use it at once without depending on locks: a rename makes each new name, and a rename has one winner on every system.
 * A killed process leaves a part, or nothing.
 */
import { createHash as createNodeHash } from "node:crypto";
import * as nodeFs from "node:fs/promises";
import { dirname, join } from "node:path";
import { blobPath } from "../../core/download/address.ts";
import { SpellError } from "../../core/errors.ts";
import type { ArtifactStore, BlobFacts, ManifestKey } from "../../core/platform.ts";
import { compareKeys } from "../../core/store/store-keys.ts";
import { errnoOf, isMissing } from "../errno.ts";
import { openFileSource } from "../file-source.ts";
import { holdFileLock } from "./file-lock.ts";
import { attempt, storeError, unlessMissing } from "./store-errors.ts";
import { type StoreFs, storeFiles } from "./store-files.ts";
import { storeLinks } from "./store-links.ts";
import { fileNameOf, keyPartOf } from "./store-names.ts";
import { storeParts } from "./store-parts.ts";

export type { StoreFs } from "./store-files.ts";

export interface FsStoreOptions {
  /** default: node:fs/promises */
  readonly fs?: StoreFs | undefined;
}

/** @param folder absolute; the first write makes it, mode 0700 */
export function fsArtifactStore(folder: string, options: FsStoreOptions = {}): ArtifactStore {
  const fs = options.fs ?? nodeFs;
  const blobs = join(folder, "blobs");
  const manifests = join(folder, "manifests");
  const partFolder = join(folder, "parts");
  const files = storeFiles(fs, partFolder);
  const { makeFolder, lookFile, readJson, writeJson, names } = files;
  const links = storeLinks(fs, files, join(folder, "links"));

  async function lookBlob(digest: string): Promise<BlobFacts | undefined> {
    const name = blobPath(digest);
    const facts = await lookFile(join(blobs, name));
    return facts === undefined ? undefined : { digest: name, ...facts };
  }

  async function createHash(algorithm: "sha256" | "sha1") {
    const hash = createNodeHash(algorithm);
    return { update: (bytes: Uint8Array): void => void hash.update(bytes), digest: (): string => hash.digest("hex") };
  }

  const parts = storeParts(fs, files, { parts: partFolder, blobs, createHash, lookBlob });
  const manifestPath = (key: ManifestKey): string => `${join(manifests, ...key.map(fileNameOf))}.json`;

  return {
    place: folder,
    createHash,
    lookBlob,
    async openBlob(digest, name, group) {
      const path = join(blobs, blobPath(digest));
      if ((await lookBlob(digest)) === undefined) throw new SpellError("store-evicted", `${name}: ${path} is gone`, { where: path });
      const source = await openFileSource(path);
      return group === undefined ? { ...source, name } : { ...source, name, path: await links.linkInto(group, name, path) };
    },
    async listBlobs() {
      const digests = (await names(blobs)).filter((name) => /^sha256-[0-9a-f]{64}$/.test(name));
      const found = await Promise.all(digests.map((digest) => lookBlob(digest).catch(() => undefined)));
      return found.flatMap((facts) => facts ?? []);
    },
    async removeBlob(digest) {
      const path = join(blobs, blobPath(digest));
      let size = 0;
      try {
        const stats = await fs.lstat(path);
        size = stats.size;
        await links.unlinkAll(stats.ino);
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
      await unlessMissing(path, () => fs.unlink(path));
      // folders that are empty now go too
      try {
        for (let at = dirname(path); at !== manifests; at = dirname(at)) await fs.rmdir(at);
      } catch {
        // this one is in use
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
      return found.sort(compareKeys);
    },

    ...parts,
    listParts: async () => [...(await parts.listParts()), ...(await links.listStrays())],
    removePart: (id) => (links.isLink(id) ? links.removeStray(id) : parts.removePart(id)),

    async space() {
      // the store may not exist yet: its nearest existing parent is on the same disk
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
      await attempt(partFolder, () => makeFolder(partFolder));
      const release = await holdFileLock(join(partFolder, `${fileNameOf(name)}.lock`), lock);
      try {
        return await work();
      } finally {
        await release();
      }
    },
  };
}
