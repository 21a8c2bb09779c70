/** The store of a page: in the browser's storage if possible, else in memory with one warning. Chosen and loaded at the first use. */
import { lazyStore } from "../../core/download/lazy-store.ts";
import type { ArtifactStore, LogEntry } from "../../core/platform.ts";
import type { findOpfs } from "./opfs-artifact-store.ts";

/** @param find tells whether there is storage; default: asks this browser */
export function browserStore(log: (entry: LogEntry) => void, find?: typeof findOpfs): ArtifactStore {
  let place = "this browser's storage";
  const choose = async (): Promise<ArtifactStore> => {
    const opfs = await import("./opfs-artifact-store.ts");
    const found = await (find ?? opfs.findOpfs)();
    if (found.available) return opfs.opfsArtifactStore();
    log({ level: "warn", message: `this browser keeps no files for the page (${found.reason}): models stay in memory until it closes` });
    const { memoryStore } = await import("../../core/store/memory-store.ts");
    const store = memoryStore();
    place = store.place;
    return store;
  };
  return lazyStore(() => place, choose);
}
