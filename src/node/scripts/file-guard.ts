/** Where files may lie, for scripts and tools. Where a path leads counts, not how it is written. */
import { constants, realpathSync } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { messageOf, SpellError } from "../../core/errors.ts";
import { errnoOf, isMissing } from "../errno.ts";

const noFollow = constants.O_NOFOLLOW ?? 0;
const noWait = constants.O_NONBLOCK ?? 0; // a pipe would wait for ever

export interface FileGuard {
  /** Where a path leads, whether there is something or not. @throws SpellError script-denied outside of the folders */
  locate(path: string, folders: readonly string[], key?: string): string;
  /** The same in the allowed folders. @throws SpellError script-denied */
  find(path: string): string;
  /** Opens what was found, and nothing that came in its place since. @param flags of open() @throws SpellError script-denied, script-error, store-full; of `work` */
  within<T>(path: string, target: string, flags: number, work: (file: FileHandle) => Promise<T>): Promise<T>;
}

/**
 * @param folder where relative paths begin
 * @param allowed folders; none = `folder`
 */
export function guardFiles(folder: string, allowed: readonly string[]): FileGuard {
  const real = (path: string): string | undefined => {
    try {
      return realpathSync.native(path);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw fileError(path, error);
    }
  };

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

  const within = async <T>(path: string, target: string, flags: number, work: (file: FileHandle) => Promise<T>): Promise<T> => {
    let file: FileHandle | undefined;
    try {
      file = await open(target, flags | noFollow | noWait, 0o666);
      const facts = await file.stat();
      if (!facts.isFile())
        throw new SpellError("script-error", `${path}: expected a file, got ${facts.isDirectory() ? "a folder" : "something else"}`, {
          where: path,
        });
      if ((await realpath(target)) !== target) throw outside(path, allowedKey);
      return await work(file);
    } catch (error) {
      throw fileError(path, error);
    } finally {
      await file?.close();
    }
  };

  const usable = allowed.length > 0 ? allowed : [folder];
  return { locate, find: (path) => locate(path, usable, allowedKey), within };
}

const allowedKey = "runtime.security.allowed_paths";

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function outside(path: string, key: string | undefined): SpellError {
  const where = key === undefined ? "beside the script" : `in the folders of ${key}`;
  return new SpellError("script-denied", `${path.slice(0, 200)}: expected a file ${where}, got one elsewhere`, { where: key });
}

const meaning: Readonly<Record<string, string>> = {
  EACCES: "the system does not permit it",
  EEXIST: "expected nothing there, got a file or folder",
  EFBIG: "a file may not be so large here (ulimit -f, or the file system)",
  EISDIR: "expected a file, got a folder",
  ENAMETOOLONG: "its name is too long",
  ENOTDIR: "expected a folder, got a file",
  ENOTEMPTY: "expected an empty folder, got one with files",
  EPERM: "the system does not permit it",
  EROFS: "its disk is read only",
};

export function fileError(path: string, error: unknown): SpellError {
  if (error instanceof SpellError) return error;
  const about = { where: path, cause: error };
  const errno = errnoOf(error);
  if (errno === "ENOSPC" || errno === "EDQUOT") return new SpellError("store-full", `${path}: no room left on its disk`, about);
  if (errno === "ELOOP") return outside(path, "runtime.security.allowed_paths");
  const what = isMissing(error) ? "no such file or folder" : (meaning[errno ?? ""] ?? errno ?? messageOf(error));
  return new SpellError("script-error", `${path}: ${what}`, about);
}
