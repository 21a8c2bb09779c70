import { randomBytes } from "node:crypto";
import * as nodeFs from "node:fs/promises";
import { errnoOf } from "./errno.ts";

/** Errors of a folder that takes no new file, though its files may be writable. */
export const inPlaceOnly: ReadonlySet<string | undefined> = new Set(["EACCES", "EBUSY", "EPERM", "EROFS"]);

export interface ReplaceOptions {
  /** of the new file */
  readonly mode: number;
  /** default: node:fs/promises */
  readonly fs?: Pick<typeof nodeFs, "open" | "rename" | "unlink"> | undefined;
}

/**
 * Writes a file under a temporary name, then renames it: readers see the old file or the new one, whole, after a power cut too.
 * @throws what the system says; the temporary file is gone then
 */
export async function replaceFile(
  path: string,
  temporary: string,
  write: (file: nodeFs.FileHandle) => Promise<void>,
  { mode, fs = nodeFs }: ReplaceOptions,
): Promise<void> {
  try {
    const file = await fs.open(temporary, "wx", mode);
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, path);
  } catch (error) {
    await fs.unlink(temporary).catch(() => undefined);
    throw error;
  }
}

/**
 * Writes a file of a person: the old one stays until the new one is complete; its permissions and links to it stay too. Pipes, devices and
 * files in a folder that takes no new file are written in place.
 * @param mode of a new file
 * @throws NodeJS.ErrnoException
 */
export async function writeWhole(path: string, text: string, mode = 0o666): Promise<void> {
  const place = await nodeFs.realpath(path).catch(() => path);
  const old = await nodeFs.stat(place).catch(() => undefined);
  if (old !== undefined && !old.isFile()) return nodeFs.writeFile(place, text);
  const write = async (file: nodeFs.FileHandle): Promise<void> => {
    if (old !== undefined) await file.chmod(old.mode);
    await file.writeFile(text);
  };
  await replaceFile(place, `${place}.${randomBytes(6).toString("hex")}.tmp`, write, { mode }).catch((error: unknown) => {
    if (old === undefined || !inPlaceOnly.has(errnoOf(error))) throw error;
    return nodeFs.writeFile(place, text);
  });
}

/**
 * Writes a file that is not there yet; one that is stays as it is, whoever made it meanwhile.
 * @throws NodeJS.ErrnoException EEXIST, and what else the system says; nothing half-written is left
 */
export async function writeNew(path: string, text: string, mode = 0o666): Promise<void> {
  const file = await nodeFs.open(path, "wx", mode);
  try {
    await file.writeFile(text);
  } catch (error) {
    await nodeFs.unlink(path).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
}
