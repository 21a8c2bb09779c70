/** Second names of blobs (hard links): engines expect the parts of a split model side by side under fixed names. */
import { createHash, randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { dirname, join } from "node:path";
import type { PartFacts } from "../../core/platform.ts";
import { attempt } from "./store-errors.ts";
import type { StoreFiles, StoreFs } from "./store-files.ts";
import { fileNameOf } from "./store-names.ts";

const linkName = /^[0-9a-f]{32}\/[^/\\]+$/;

export interface StoreLinks {
  /** Gives a blob a second name in the folder of its group. @param blob its path. @returns the path under the second name */
  linkInto(group: string, name: string, blob: string): Promise<string>;
  /** Removes the second names of a blob, and strays. */
  unlinkAll(ino: number): Promise<void>;
  /** Whether the id of a leftover is that of a second name. */
  isLink(id: string): boolean;
  /** Second names whose blob was removed or replaced: they keep unused bytes on disk. */
  listStrays(): Promise<readonly PartFacts[]>;
  /** @returns bytes freed; 0 for a name in use */
  removeStray(id: string): Promise<number>;
}

/** @param links their folder: one folder in it for each group */
export function storeLinks(fs: StoreFs, { makeFolder, names }: StoreFiles, links: string): StoreLinks {
  async function linkInto(group: string, name: string, blob: string): Promise<string> {
    const place = join(links, createHash("sha256").update(group).digest("hex").slice(0, 32));
    const path = join(place, fileNameOf(name));
    return attempt(path, async () => {
      await makeFolder(place);
      const [target, present] = await Promise.all([fs.lstat(blob), fs.lstat(path).catch(() => undefined)]);
      if (present?.ino === target.ino && present.dev === target.dev) return path;
      const fresh = join(place, `.${randomBytes(8).toString("hex")}`);
      await fs.link(blob, fresh);
      await fs.rename(fresh, path);
      await fs.unlink(fresh).catch(() => undefined); // a rename between two names of one file changes nothing
      return path;
    });
  }

  /** All second names; an id is `group/name`. */
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
    await fs.rmdir(dirname(path)).catch(() => undefined); // the folder goes with its last name
  }

  async function unlinkAll(ino: number): Promise<void> {
    for await (const { id, stats } of linkNames()) if (stats.ino === ino || isStray(stats)) await unlinkName(id);
  }

  const isStray = ({ nlink }: Stats): boolean => nlink === 1;

  return {
    linkInto,
    unlinkAll,
    isLink: (id) => linkName.test(id),
    async listStrays() {
      const found: PartFacts[] = [];
      for await (const { id, stats } of linkNames()) {
        if (isStray(stats)) found.push({ id, key: "", size: stats.size, modifiedMs: stats.mtimeMs, kept: 0, inUse: false });
      }
      return found;
    },
    async removeStray(id) {
      const stats = await fs.lstat(join(links, id)).catch(() => undefined);
      if (stats === undefined || !isStray(stats)) return 0;
      await unlinkName(id);
      return stats.size;
    },
  };
}
