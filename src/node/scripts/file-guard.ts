/** Where files may lie, for scripts and tools. Where a path leads counts, not how it is written. */
import { randomBytes } from "node:crypto";
import { constants, realpathSync } from "node:fs";
import { type FileHandle, lstat, open, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { messageOf, SpellError } from "../../core/errors.ts";
import { errnoOf, isMissing } from "../errno.ts";
import { inPlaceOnly, replaceFile } from "../write-whole.ts";

const noFollow = constants.O_NOFOLLOW ?? 0;
const noWait = constants.O_NONBLOCK ?? 0; // a pipe would wait for ever

export interface FileGuard {
  /** Where a path leads, whether there is something or not. @throws SpellError script-denied outside of the folders */
  locate(path: string, folders: readonly string[], key?: string): string;
  /** The same in the allowed folders. @throws SpellError script-denied */
  find(path: string): string;
  /** Opens what was found, and nothing that came in its place since. @param flags of open() @throws SpellError script-denied, script-error, store-full; of `work` */
  within<T>(path: string, target: string, flags: number, work: (file: FileHandle) => Promise<T>): Promise<T>;
  /**
   * Writes what was found. The old file stays until the new one is complete, and gives it its rights; in a folder that takes no new file it is written in place.
   * @throws SpellError as `within`
   */
  put(path: string, target: string, content: string | Uint8Array, append: boolean): Promise<void>;
}

/**
 * @param folder where relative paths begin
 * @param allowed folders; none = `folder`
 */
export function guardFiles(folder: string, allowed: readonly string[]): FileGuard {
  /** @param path as it was given, in errors */
  const real = (at: string, path: string): string | undefined => {
    try {
      return realpathSync.native(at);
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
      const there = real(at, path);
      if (there !== undefined) {
        const target = join(there, ...names);
        const roots = folders.map((each) => real(resolve(folder, each), each));
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

  const inPlace = (path: string, target: string, content: string | Uint8Array, flag: number): Promise<void> =>
    within(path, target, constants.O_WRONLY | flag, async (file) => {
      if (flag === 0) await file.truncate(0);
      await file.writeFile(content);
    });

  const put = async (path: string, target: string, content: string | Uint8Array, append: boolean): Promise<void> => {
    if (append) return inPlace(path, target, content, constants.O_CREAT | constants.O_APPEND);
    const isThere = (await lstat(target).catch(() => undefined)) !== undefined;
    // a new name would take the place of a file that may not be written
    const rights = isThere ? await within(path, target, constants.O_WRONLY, async (file) => (await file.stat()).mode & 0o777) : undefined;
    const temporary = join(dirname(target), `.${randomBytes(6).toString("hex")}.tmp`);
    const write = async (file: FileHandle): Promise<void> => {
      if ((await realpath(temporary)) !== temporary) throw outside(path, allowedKey);
      if (rights !== undefined) await file.chmod(rights);
      await file.writeFile(content);
    };
    await replaceFile(target, temporary, write, { mode: 0o666 }).catch((error: unknown) => {
      if (!isThere || !inPlaceOnly.has(errnoOf(error))) throw fileError(path, error);
      return inPlace(path, target, content, 0);
    });
  };

  const usable = allowed.length > 0 ? allowed : [folder];
  return { locate, find: (path) => locate(path, usable, allowedKey), within, put };
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
  const named = path.slice(0, 200);
  const errno = errnoOf(error);
  if (errno === "ENOSPC" || errno === "EDQUOT") return new SpellError("store-full", `${named}: no room left on its disk`, about);
  if (errno === "ELOOP") return outside(path, "runtime.security.allowed_paths");
  const what = isMissing(error) ? "no such file or folder" : (meaning[errno ?? ""] ?? errno ?? messageOf(error));
  return new SpellError("script-error", `${named}: ${what}`, about);
}
