/** Files of tools in Node, in the folders that the configuration allows. */
import { constants } from "node:fs";
import { link, lstat, mkdir, readdir, rename, rmdir, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import type { FileFacts, ToolFiles } from "../../core/platform.ts";
import { errnoOf, isMissing } from "../errno.ts";
import { fileError, guardFiles } from "../scripts/file-guard.ts";

/** @param folder, allowed as guardFiles() takes them */
export function toolFiles(folder: string, allowed: readonly string[]): ToolFiles {
  const { find, within, put } = guardFiles(folder, allowed);
  const isAllowed = (path: string): boolean => {
    try {
      return find(path) !== "";
    } catch {
      return false;
    }
  };
  /** Of something itself: a link at the end of the path is not followed. */
  const findItself = (path: string): string => {
    const name = basename(path);
    // "", "." and ".." have no folder of their own in the path
    if (name === "" || name === "." || name === "..") return find(path);
    try {
      return join(find(dirname(path)), name);
    } catch (error) {
      // what is said of the folder above is about this path
      const told = fileError(path, error);
      const where = isAllowed(path) ? "within" : "in";
      throw told.code === "script-denied"
        ? told.with({
            message: `${path.slice(0, 200)}: expected a file ${where} the folders of runtime.security.allowed_paths, got ${where === "in" ? "one elsewhere" : "one of these folders"}`,
          })
        : told;
    }
  };
  const tried = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw fileError(path, error);
    }
  };
  const factsOf = async (name: string, target: string): Promise<FileFacts | undefined> => {
    try {
      const facts = await stat(target);
      const kind = facts.isFile() ? "file" : facts.isDirectory() ? "folder" : "other";
      return { name, kind, size: kind === "file" ? facts.size : 0, modifiedMs: facts.mtimeMs };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  };

  return {
    look: (path) => tried(path, () => factsOf(basename(path), find(path))),
    read(path, most) {
      return within(path, find(path), constants.O_RDONLY, async (file) => {
        const { size } = await file.stat();
        if (size > most) throw new SpellError("tool-limit", `${path}: expected at most ${most} bytes, got ${size}`, { where: path });
        return new Uint8Array(await file.readFile());
      });
    },
    async write(path, bytes, append) {
      const target = find(path);
      if ((await factsOf("", dirname(target)).catch(() => undefined))?.kind !== "folder")
        throw new SpellError("script-error", `${path}: no such folder; make_folder makes it`, { where: path });
      await put(path, target, bytes, append);
    },
    list: (path) =>
      tried(path, async () => {
        const target = find(path);
        if ((await stat(target)).isFile()) throw new SpellError("script-error", `${path}: expected a folder, got a file`, { where: path });
        const entries = await readdir(target, { withFileTypes: true });
        const all = entries.map(async (entry): Promise<FileFacts | undefined> => {
          if (entry.isFile() || entry.isDirectory()) return factsOf(entry.name, join(target, entry.name));
          // where a link leads is looked at when it is asked for
          return { name: entry.name, kind: "other", size: 0, modifiedMs: (await lstat(join(target, entry.name))).mtimeMs };
        });
        const facts = (await Promise.all(all)).filter((each) => each !== undefined);
        return facts.sort((a, b) => (a.name < b.name ? -1 : 1));
      }),
    makeFolder: (path) => tried(path, async () => void (await mkdir(find(path), { recursive: true }))),
    remove: (path) =>
      tried(path, async () => {
        const target = findItself(path);
        await ((await lstat(target)).isDirectory() ? rmdir(target) : unlink(target));
      }),
    move: (from, to) =>
      tried(from, async () => {
        const [source, target] = [findItself(from), findItself(to)];
        if ((await lstat(source)).isDirectory()) {
          if ((await factsOf("", target)) !== undefined) throw taken(to);
          return rename(source, target);
        }
        try {
          // a second name, then the first goes: rename() would write over what came meanwhile
          await link(source, target);
        } catch (error) {
          if (errnoOf(error) === "EEXIST") throw taken(to);
          throw error;
        }
        await unlink(source);
      }),
  };
}

function taken(path: string): SpellError {
  return new SpellError("script-error", `${path}: expected nothing there, got a file or folder`, { where: path });
}
