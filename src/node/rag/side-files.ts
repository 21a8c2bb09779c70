/** SideFiles over node:fs. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, type FileHandle, link, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { SideFiles } from "../../core/platform.ts";
import { makeFolder } from "../make-folder.ts";
import { attempt, unlessMissing } from "../store/store-errors.ts";
import { writeWhole } from "../write-whole.ts";

export const nodeSideFiles: SideFiles = {
  touch: (path) => append(path, async () => undefined),
  addLine: (path, line) => append(path, (file) => file.write(`${line}\n`)),
  write: (folder, name, text) =>
    attempt(join(folder, name), async () => {
      makeFolder(folder);
      await writeWhole(join(folder, name), text, 0o600);
    }),
  list: async (folder) => [...((await unlessMissing(folder, () => readdir(folder))) ?? [])].sort(),
  copyFolder: (from, folder, name) =>
    attempt(join(folder, name), async () => {
      makeFolder(folder);
      const temporary = join(folder, `.${randomBytes(8).toString("hex")}.tmp`);
      try {
        await copyInto(from, temporary);
        await rename(temporary, join(folder, name));
      } catch (error) {
        await rm(temporary, { recursive: true, force: true });
        throw error;
      }
    }),
  removeFolder: (folder, name) => attempt(join(folder, name), () => rm(join(folder, name), { recursive: true, force: true })),
};

function append(path: string, work: (file: FileHandle) => Promise<unknown>): Promise<void> {
  return attempt(path, async () => {
    makeFolder(dirname(path));
    const file = await open(path, constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY, 0o600);
    try {
      await work(file);
    } finally {
      await file.close();
    }
  });
}

/** Links where the system has them: files of an index never change. */
async function copyInto(from: string, to: string): Promise<void> {
  makeFolder(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.name.startsWith(".")) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyInto(source, target);
    else if (entry.isFile()) await link(source, target).catch(() => copyFile(source, target));
  }
}
