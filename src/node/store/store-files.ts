/** Files of the store, looked at without following links; records that are written whole or not at all. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import type * as nodeFs from "node:fs/promises";
import { dirname, join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { errnoOf, isMissing } from "../errno.ts";
import { makeFolder as makeParents } from "../make-folder.ts";
import { replaceFile } from "../write-whole.ts";
import { attempt, storeError, unlessMissing } from "./store-errors.ts";

/** The calls a store makes; tests let the n-th one fail. */
export type StoreFs = Pick<
  typeof nodeFs,
  "link" | "lstat" | "mkdir" | "open" | "readFile" | "readdir" | "rename" | "rmdir" | "statfs" | "unlink" | "utimes"
>;

export interface StoreFiles {
  readonly makeFolder: (path: string) => Promise<void>;
  /** @returns undefined for a missing file. @throws SpellError store-corrupt for anything but a regular file */
  readonly lookFile: (path: string) => Promise<{ readonly size: number; readonly modifiedMs: number } | undefined>;
  /** @returns undefined for a missing file. @throws SpellError store-corrupt for anything but JSON */
  readonly readJson: (path: string) => Promise<unknown>;
  /** Readers see the old file or the new one, whole, after a power cut too. */
  readonly writeJson: (path: string, value: unknown) => Promise<void>;
  /** Makes renames in the folder durable. */
  readonly syncFolder: (path: string) => Promise<void>;
  /** Names in a folder, in order; empty for a missing folder. */
  readonly names: (path: string) => Promise<readonly string[]>;
}

/** Bytes of one manifest or record. Ours have some hundreds; that of a model in a thousand parts some hundred thousand. */
const maxJsonBytes = 4 * 1024 * 1024;

/** @param temporaries folder for records that are being written, and for those that a killed process left */
export function storeFiles(fs: StoreFs, temporaries: string): StoreFiles {
  const makeFolder = async (path: string): Promise<void> => {
    makeParents(dirname(path));
    await fs.mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
      if (errnoOf(error) !== "EEXIST") throw error;
    });
  };

  async function lookFile(path: string): Promise<{ readonly size: number; readonly modifiedMs: number } | undefined> {
    const stats = await unlessMissing(path, () => fs.lstat(path));
    if (stats === undefined) return undefined;
    if (stats.isFile()) return { size: stats.size, modifiedMs: Math.trunc(stats.mtimeMs) };
    const hint = "Something else was put into the store; remove it, then pull the model again.";
    const kind = stats.isSymbolicLink() ? "a symbolic link" : "another kind";
    throw new SpellError("store-corrupt", `${path}: expected a regular file, got ${kind}`, { where: path, hint });
  }

  async function readJson(path: string): Promise<unknown> {
    const facts = await lookFile(path);
    if (facts === undefined) return undefined;
    try {
      if (facts.size > maxJsonBytes) throw new Error(`expected at most ${maxJsonBytes} bytes, got ${facts.size}`);
      return JSON.parse(await fs.readFile(path, "utf8")) as unknown;
    } catch (cause) {
      if (isMissing(cause)) return undefined; // removed meanwhile
      if (errnoOf(cause) !== undefined) throw storeError(cause, path);
      throw new SpellError("store-corrupt", `${path} is damaged: ${cause instanceof Error ? cause.message : cause}`, {
        where: path,
        cause,
      });
    }
  }

  async function writeJson(path: string, value: unknown): Promise<void> {
    const temporary = join(temporaries, `.${randomBytes(8).toString("hex")}.tmp`);
    const text = `${JSON.stringify(value, undefined, 2)}\n`;
    await attempt(path, async () => {
      await makeFolder(temporaries);
      await replaceFile(path, temporary, (file) => file.writeFile(text), { mode: 0o600, fs });
      await syncFolder(dirname(path));
    });
  }

  async function syncFolder(path: string): Promise<void> {
    // Windows neither has nor needs this call.
    if (process.platform === "win32") return;
    const handle = await fs.open(path, constants.O_RDONLY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async function names(path: string): Promise<readonly string[]> {
    return ((await unlessMissing(path, () => fs.readdir(path))) ?? []).sort();
  }

  return { makeFolder, lookFile, readJson, writeJson, syncFolder, names };
}
