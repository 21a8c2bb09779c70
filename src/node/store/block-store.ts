/**
 * BlockStore in `cache/t5` of the home folder. Files appear whole or not at all; the ones unused longest make room.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import type { BlockStore } from "../../core/t5/block-file.ts";
import { openFileSource } from "../file-source.ts";
import { homeFolder } from "../home.ts";

/** Files kept at most: two variants of some models that are in use. */
const maxFiles = 8;

/** Smaller models are quantised sooner than a file is looked after. */
const leastBytes = 16 * 1024 * 1024;

/** What a writer that was killed has left is removed after this time. */
const abandonedMs = 60 * 60 * 1000;

export function createBlockStore(folder: string = join(homeFolder(), "cache", "t5")): BlockStore {
  const pathOf = (key: string): string => join(folder, `${createHash("sha256").update(key).digest("hex")}.safetensors`);
  return {
    leastBytes,
    async open(key) {
      const path = pathOf(key);
      try {
        const now = new Date();
        await utimes(path, now, now); // before it is looked at: a source is held to the times it saw
        return await openFileSource(path);
      } catch {
        return undefined;
      }
    },
    async write(key, chunks) {
      const path = pathOf(key);
      const temporary = join(folder, `${randomBytes(6).toString("hex")}.tmp`);
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const file = await open(temporary, "wx", 0o600);
        try {
          for await (const chunk of chunks) await file.writeFile(chunk);
          await file.datasync();
        } finally {
          await file.close();
        }
        await rename(temporary, path);
        await prune(folder).catch(() => undefined);
        return await openFileSource(path);
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => undefined);
        // No room or no permission: the model runs all the same.
        const isOurs = error instanceof SpellError ? error.code === "store-denied" : isSystemError(error);
        if (isOurs) return undefined;
        throw error;
      }
    },
  };
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string";
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
