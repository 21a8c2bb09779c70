/** Files of an index in the origin's private file system, for any number of tabs. A file has no bytes before it is whole. */
import type { SearchFolder } from "../../core/platform.ts";
import { isNotFound, storageError } from "./opfs-files.ts";

const isFile = (name: string): boolean => /^[0-9a-z-]+\.[0-9a-z]+$/.test(name);

/** @param place a path; the first write makes it, a missing folder reads as empty */
export function opfsSearchFolder(place: string): SearchFolder {
  async function folder(create: boolean): Promise<FileSystemDirectoryHandle> {
    let found = await navigator.storage.getDirectory();
    for (const part of ["llmspell", "search", ...place.split("/")]) {
      // no folder is named "." or ".."
      if (part !== "")
        found = await found.getDirectoryHandle(
          encodeURIComponent(part).replace(/^\.+$/, (dots) => "%2E".repeat(dots.length)),
          { create },
        );
    }
    return found;
  }
  /** @returns undefined where the folder or the file is missing */
  async function unlessMissing<T>(name: string, work: (found: FileSystemDirectoryHandle) => Promise<T>): Promise<T | undefined> {
    try {
      return await work(await folder(false));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw storageError(error, name);
    }
  }
  const look = (name: string): Promise<File | undefined> =>
    unlessMissing(name, async (found) => {
      const file = await (await found.getFileHandle(name)).getFile();
      return file.size === 0 ? undefined : file;
    });
  // a query reads some hundred ranges: a file is looked up once
  const known = new Map<string, File>();
  return {
    place,
    async list() {
      const names = await unlessMissing(place, async (found) => {
        const all: string[] = [];
        for await (const [name, { kind }] of found.entries()) if (kind === "file" && isFile(name)) all.push(name);
        return all;
      });
      const whole: string[] = [];
      for (const name of names ?? []) if ((await look(name)) !== undefined) whole.push(name);
      return whole.sort();
    },
    size: async (name) => (await look(name))?.size,
    async read(name, from, length) {
      const file = known.get(name) ?? (await look(name));
      if (file === undefined || from + length > file.size) return undefined;
      known.set(name, file);
      try {
        return new Uint8Array(await file.slice(from, from + length).arrayBuffer());
      } catch (error) {
        known.delete(name);
        // removed since the look
        if (isNotFound(error) || (error instanceof DOMException && error.name === "NotReadableError")) return undefined;
        throw storageError(error, name);
      }
    },
    async write(name, parts) {
      try {
        const found = await folder(true);
        const stream = await (await found.getFileHandle(name, { create: true })).createWritable();
        try {
          for (const part of parts) await stream.write(part as Uint8Array<ArrayBuffer>);
          await stream.close();
        } catch (error) {
          await stream.abort().catch(() => undefined);
          if ((await look(name)) === undefined) await found.removeEntry(name).catch(() => undefined);
          throw error;
        }
      } catch (error) {
        throw storageError(error, name);
      }
    },
    async remove(name) {
      await unlessMissing(name, (found) =>
        found.removeEntry(name).catch((error: unknown) => {
          // another tab reads it or removes it too: what stays is replaced already, and the next merge removes it
          if (!(error instanceof DOMException) || error.name !== "NoModificationAllowedError") throw error;
        }),
      );
    },
  };
}
