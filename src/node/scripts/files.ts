/** Files of a script in Node: modules beside it, and what lies in the folders that the configuration allows. Where a path leads counts, not how it is written. */
import { constants, realpathSync } from "node:fs";
import { type FileHandle, lstat, open, readdir, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { messageOf, SpellError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { ScriptFiles } from "../../core/platform.ts";
import { errnoOf, isMissing } from "../errno.ts";
import { absolute, expandTilde } from "../home.ts";

const noFollow = constants.O_NOFOLLOW ?? 0;
const noWait = constants.O_NONBLOCK ?? 0; // a pipe would wait for ever

/**
 * @param folder of the script; relative paths begin there
 * @param allowed folders; none = the script's own
 */
export function scriptFiles(folder: string, allowed: readonly string[]): ScriptFiles {
  const real = (path: string): string | undefined => {
    try {
      return realpathSync.native(path);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw fileError(path, error);
    }
  };

  /** Where a path leads, whether there is something or not. @throws SpellError script-denied outside of the folders */
  const locate = (path: string, folders: readonly string[], key?: string): string => {
    if (path.includes("\0")) throw outside(path, key);
    const names: string[] = [];
    let at = resolve(folder, path);
    for (;;) {
      const there = real(at);
      if (there !== undefined) {
        const target = join(there, ...names);
        const roots = folders.map((each) => real(resolve(folder, each)));
        if (!roots.some((root) => root !== undefined && isInside(root, target))) throw outside(path, key);
        return target;
      }
      if (dirname(at) === at) throw outside(path, key);
      names.unshift(basename(at));
      at = dirname(at);
    }
  };
  const usable = allowed.length > 0 ? allowed : [folder];
  const find = (path: string): string => locate(path, usable, "runtime.security.allowed_paths");

  /** Opens what was found, and nothing that came in its place since. */
  const within = async <T>(path: string, target: string, flags: number, work: (file: FileHandle) => Promise<T>): Promise<T> => {
    let file: FileHandle | undefined;
    try {
      file = await open(target, flags | noFollow | noWait, 0o666);
      if (!(await file.stat()).isFile())
        throw new SpellError("script-error", `${path}: expected a file, got something else`, { where: path });
      if ((await realpath(target)) !== target) throw outside(path, "runtime.security.allowed_paths");
      return await work(file);
    } catch (error) {
      throw fileError(path, error);
    } finally {
      await file?.close();
    }
  };
  const bytes = (path: string, target: string, most: number): Promise<Uint8Array> =>
    within(path, target, constants.O_RDONLY, async (file) => {
      const { size } = await file.stat();
      if (size > most) throw new SpellError("script-memory", `${path}: expected at most ${most} bytes, got ${size}`, { where: path });
      return file.readFile();
    });
  const read = async (path: string, target: string): Promise<string> => {
    const found = await bytes(path, target, limits.scriptMessageBytes);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(found);
    } catch {
      throw new SpellError("script-error", `${path}: expected text in UTF-8, got other bytes`, { where: path });
    }
  };
  const isThere = async (target: string): Promise<boolean> => (await lstat(target).catch(() => undefined)) !== undefined;

  return {
    permit: (path) => void find(absolute(expandTilde(path))),
    module: async (path) => read(path, locate(path, [folder])),
    async read(path) {
      const target = find(path);
      return (await isThere(target)) ? read(path, target) : undefined;
    },
    async bytes(path, most) {
      const target = find(path);
      return (await isThere(target)) ? bytes(path, target, most) : undefined;
    },
    async write(path, text, append) {
      const target = find(path);
      await within(path, target, constants.O_WRONLY | constants.O_CREAT | (append ? constants.O_APPEND : 0), async (file) => {
        if (!append) await file.truncate(0);
        await file.writeFile(text);
      });
    },
    async exists(path) {
      return isThere(find(path));
    },
    async list(path) {
      const target = find(path);
      const entries = await readdir(target, { withFileTypes: true }).catch((error: unknown) => {
        throw fileError(path, error);
      });
      return entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
    },
  };
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function outside(path: string, key: string | undefined): SpellError {
  const where = key === undefined ? "beside the script" : `in the folders of ${key}`;
  return new SpellError("script-denied", `${path.slice(0, 200)}: expected a file ${where}, got one elsewhere`, { where: key });
}

function fileError(path: string, error: unknown): SpellError {
  if (error instanceof SpellError) return error;
  const about = { where: path, cause: error };
  const errno = errnoOf(error);
  if (errno === "ENOSPC" || errno === "EDQUOT") return new SpellError("store-full", `${path}: no room left on its disk`, about);
  if (errno === "ELOOP") return outside(path, "runtime.security.allowed_paths");
  const what = isMissing(error) ? "no such file or folder" : (errno ?? messageOf(error));
  return new SpellError("script-error", `${path}: ${what}`, about);
}
