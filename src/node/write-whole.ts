import { randomBytes } from "node:crypto";
import { open, realpath, rename, stat, unlink, writeFile } from "node:fs/promises";

/** What a folder says where a file in it may be written and a new one may not be made or put in its place. */
const inPlaceOnly: ReadonlySet<string | undefined> = new Set(["EACCES", "EBUSY", "EPERM", "EROFS"]);

/**
 * Writes a file of a person's: the old one stays until the new one is there whole, its rights and links to it too. Pipes, devices and files in a folder that
 * takes no other are written in place.
 * @param mode of a file that is new
 * @throws NodeJS.ErrnoException
 */
export async function writeWhole(path: string, text: string, mode = 0o666): Promise<void> {
  const place = await realpath(path).catch(() => path);
  const there = await stat(place).catch(() => undefined);
  if (there !== undefined && !there.isFile()) return writeFile(place, text);
  const temporary = `${place}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx", mode);
    try {
      if (there !== undefined) await file.chmod(there.mode);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, place);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    if (there === undefined || !inPlaceOnly.has((error as NodeJS.ErrnoException).code)) throw error;
    await writeFile(place, text);
  }
}
