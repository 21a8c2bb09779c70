/** BlockStore in `cache/t5` of the home folder. Files appear whole or not at all; the least recently used ones are removed. */
import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import type { BlockStore } from "../../core/t5/block-file.ts";
import { errnoOf } from "../errno.ts";
import { openFileSource } from "../file-source.ts";
import { homeFolder } from "../home.ts";
import { makeFolder } from "../make-folder.ts";
import { replaceFile } from "../write-whole.ts";

/** Files kept at most: two variants of some models. */
const maxFiles = 8;

/** Quantising a smaller model takes less time than keeping a file. */
const leastBytes = 16 * 1024 * 1024;

/** Temporary files of a killed writer are removed after this time. */
const abandonedMs = 60 * 60 * 1000;

export function createBlockStore(folder: string = join(homeFolder(), "cache", "t5")): BlockStore {
  const pathOf = (key: string): string => join(folder, `${createHash("sha256").update(key).digest("hex")}.safetensors`);
  return {
    leastBytes,
    async open(key) {
      const path = pathOf(key);
      try {
        const now = new Date();
        await utimes(path, now, now); // first: a source that is open must keep its times
        return await openFileSource(path);
      } catch {
        return undefined;
      }
    },
    async write(key, chunks) {
      const path = pathOf(key);
      const temporary = join(folder, `${randomBytes(6).toString("hex")}.tmp`);
      const write = async (file: FileHandle): Promise<void> => {
        for await (const chunk of chunks) await file.writeFile(chunk);
      };
      try {
        makeFolder(folder);
        await replaceFile(path, temporary, write, { mode: 0o600 });
        await prune(folder).catch(() => undefined);
        return await openFileSource(path);
      } catch (error) {
        // No room or no permission: the model runs without the file.
        if (error instanceof SpellError ? error.code === "store-denied" : errnoOf(error) !== undefined) return undefined;
        throw error;
      }
    },
  };
}

async function prune(folder: string): Promise<void> {
  const files = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const path = join(folder, name);
      return { path, isTemporary: name.endsWith(".tmp"), usedMs: (await stat(path)).mtimeMs };
    }),
  );
  const abandoned = files.filter(({ isTemporary, usedMs }) => isTemporary && usedMs < Date.now() - abandonedMs);
  const unused = files
    .filter(({ isTemporary }) => !isTemporary)
    .sort((a, b) => b.usedMs - a.usedMs)
    .slice(maxFiles);
  for (const { path } of [...abandoned, ...unused]) await rm(path, { force: true }).catch(() => undefined);
}
