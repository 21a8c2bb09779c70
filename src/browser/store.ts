/** The store of a page: in the browser's storage where it has one, else in memory, with one warning. Decided at the first use. */
import type { ArtifactStore, LogEntry } from "../core/platform.ts";
import { memoryStore } from "../core/testing/memory-store.ts";
import { findOpfs, opfsArtifactStore } from "./opfs-artifact-store.ts";

export function browserStore(log: (entry: LogEntry) => void, find: typeof findOpfs = findOpfs): ArtifactStore {
  let place = "this browser's storage";
  let choice: Promise<ArtifactStore> | undefined;
  const choose = async (): Promise<ArtifactStore> => {
    const found = await find();
    if (found.available) return opfsArtifactStore();
    log({ level: "warn", message: `this browser keeps no files for the page (${found.reason}): models stay in memory until it closes` });
    const store = memoryStore();
    place = store.place;
    return store;
  };
  const store = (): Promise<ArtifactStore> => {
    choice ??= choose();
    return choice;
  };
  return {
    get place() {
      return place;
    },
    createHash: async (algorithm) => (await store()).createHash(algorithm),
    lookBlob: async (digest) => (await store()).lookBlob(digest),
    openBlob: async (digest, name) => (await store()).openBlob(digest, name),
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
