/** Files of this process: they go with the object. */
import type { SearchFolder } from "../platform.ts";

export function memoryFolder(): SearchFolder {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  return {
    place: "memory",
    list: async () => [...files.keys()].sort(),
    size: async (name) => files.get(name)?.byteLength,
    async read(name, from, length) {
      const file = files.get(name);
      return file === undefined || from + length > file.byteLength ? undefined : file.slice(from, from + length);
    },
    async write(name, parts) {
      const file = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
      let at = 0;
      for (const part of parts) {
        file.set(part, at);
        at += part.byteLength;
      }
      files.set(name, file);
    },
    async remove(name) {
      files.delete(name);
    },
  };
}
