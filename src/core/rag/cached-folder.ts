/** A folder of an index whose texts stay in memory once they were read. Its files never change. */
import type { SearchFolder } from "../platform.ts";
import { createCache } from "./cache.ts";

export interface FolderCache {
  /** bytes of all that is kept */
  readonly most: number;
  /** Reads of this length are never kept: full vectors that stay on disk. */
  readonly except?: number | undefined;
}

/** Larger reads are whole sections, which the index keeps itself. */
const longest = 65_536;

export function cachedFolder(folder: SearchFolder, { most, except }: FolderCache, now: () => number): SearchFolder {
  if (most === 0) return folder;
  const kept = createCache<Uint8Array<ArrayBuffer>>(most, Number.POSITIVE_INFINITY, now);
  return {
    ...folder,
    async read(name, from, length) {
      const key = `${name} ${from} ${length}`;
      const known = kept.get(key);
      if (known !== undefined) return known.slice();
      const bytes = await folder.read(name, from, length);
      if (bytes !== undefined && length <= longest && length !== except) kept.set(key, bytes.slice(), length);
      return bytes;
    },
  };
}
