/** The store of a page: in the browser's storage where it has one, else in memory, with one warning. Decided, and loaded, at the first use. */
import type { ArtifactStore, LogEntry } from "../core/platform.ts";
import type { findOpfs } from "./opfs-artifact-store.ts";

/** @param find whether there is storage; by default asks this browser */
export function browserStore(log: (entry: LogEntry) => void, find?: typeof findOpfs): ArtifactStore {
  let place = "this browser's storage";
  let choice: Promise<ArtifactStore> | undefined;
  const choose = async (): Promise<ArtifactStore> => {
    const opfs = await import("./opfs-artifact-store.ts");
    const found = await (find ?? opfs.findOpfs)();
    if (found.available) return opfs.opfsArtifactStore();
    log({ level: "warn", message: `this browser keeps no files for the page (${found.reason}): models stay in memory until it closes` });
    const { memoryStore } = await import("../core/testing/memory-store.ts");
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
