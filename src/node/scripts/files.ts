/** Files of a script in Node: modules beside it, and what lies in the folders that the configuration allows. Where a path leads counts, not how it is written. */
import { constants } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { SpellError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { ScriptFiles } from "../../core/platform.ts";
import { absolute, expandTilde } from "../home.ts";
import { fileError, guardFiles } from "./file-guard.ts";

/**
 * @param folder of the script; relative paths begin there
 * @param allowed folders; none = the script's own
 */
export function scriptFiles(folder: string, allowed: readonly string[]): ScriptFiles {
  const { locate, find, within, put } = guardFiles(folder, allowed);
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
      await put(path, find(path), text, append);
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
