/** A store whose code is imported with its first use: programs that only read names and headers do without. */
import type { ArtifactStore } from "../platform.ts";
import { once } from "../values.ts";

/** @param place where it is, for messages; may change once the store is open */
export function lazyStore(place: () => string, open: () => Promise<ArtifactStore>): ArtifactStore {
  const store = once(open);
  return {
    get place() {
      return place();
    },
    createHash: async (algorithm) => (await store()).createHash(algorithm),
    lookBlob: async (digest) => (await store()).lookBlob(digest),
    openBlob: async (digest, name, group) => (await store()).openBlob(digest, name, group),
    listBlobs: async () => (await store()).listBlobs(),
    removeBlob: async (digest) => (await store()).removeBlob(digest),
    readManifest: async (key) => (await store()).readManifest(key),
    writeManifest: async (key, value) => (await store()).writeManifest(key, value),
    removeManifest: async (key) => (await store()).removeManifest(key),
    listManifests: async () => (await store()).listManifests(),
    openPart: async (key) => (await store()).openPart(key),
    listParts: async () => (await store()).listParts(),
    removePart: async (id) => (await store()).removePart(id),
    space: async () => (await store()).space(),
    persist: async () => (await store()).persist(),
    withLock: async (name, work, options) => (await store()).withLock(name, work, options),
  };
}
