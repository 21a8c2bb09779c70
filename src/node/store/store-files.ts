/** Files of the store, looked at without following links; records that are there whole or not at all, after a power cut too. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import type * as nodeFs from "node:fs/promises";
import { dirname, join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { errnoOf, isMissing, storeError } from "./store-errors.ts";

/** The calls a store makes, so that a test can let the n-th one fail. */
export type StoreFs = Pick<
  typeof nodeFs,
  "link" | "lstat" | "mkdir" | "open" | "readFile" | "readdir" | "rename" | "rmdir" | "statfs" | "unlink" | "utimes"
>;

export interface StoreFiles {
  readonly makeFolder: (path: string) => Promise<unknown>;
  /** @returns undefined where there is nothing. @throws SpellError store-corrupt for a link, a folder, a pipe … under our name */
  readonly lookFile: (path: string) => Promise<{ readonly size: number; readonly modifiedMs: number } | undefined>;
  /** @returns undefined where there is nothing. @throws SpellError store-corrupt for what is no JSON */
  readonly readJson: (path: string) => Promise<unknown>;
  /** Readers see the old or the new file, never half of one; after a power cut too. */
  readonly writeJson: (path: string, value: unknown) => Promise<void>;
  /** A rename is durable when its folder is. */
  readonly syncFolder: (path: string) => Promise<void>;
  /** What lies in a folder, in order of name; nothing where there is none. */
  readonly names: (path: string) => Promise<readonly string[]>;
}

/** Bytes of one manifest or record. Ours have some hundreds; the manifest of a model of a thousand parts has some hundred thousand. */
const maxJsonBytes = 4 * 1024 * 1024;

/** @param temporaries folder for records that are being written: all in one, where what a killed process left is found */
export function storeFiles(fs: StoreFs, temporaries: string): StoreFiles {
  const makeFolder = (path: string) => fs.mkdir(path, { recursive: true, mode: 0o700 });

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

  async function writeJson(path: string, value: unknown): Promise<void> {
    const temporary = join(temporaries, `.${randomBytes(8).toString("hex")}.tmp`);
    try {
      await makeFolder(temporaries);
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

  async function syncFolder(path: string): Promise<void> {
    // Windows has no such call, and needs none.
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

  return { makeFolder, lookFile, readJson, writeJson, syncFolder, names };
}
