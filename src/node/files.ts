/** FileHost over node:fs: looks at paths, opens regular files, never reads contents by itself. */
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SpellError } from "../core/errors.ts";
import type { ByteSource } from "../core/formats/byte-source.ts";
import type { FileHost } from "../core/platform.ts";
import { openFileSource } from "./file-source.ts";
import { personFolder } from "./home.ts";

export function nodeFiles(): FileHost {
  return {
    async look(path) {
      const absolute = resolve(expandHome(path));
      const real = await realpath(absolute).catch((error: unknown) => {
        throw fileError(error, path);
      });
      const facts = await stat(real).catch((error: unknown) => {
        throw fileError(error, path);
      });
      if (!facts.isDirectory()) {
        // Parts of a split model lie beside the path as it was named, which may be a link into a store of hashes.
        const folder = dirname(absolute);
        return { kind: "file", path: real, sources: [await openFileSource(absolute)], sibling: (name) => openSibling(folder, name) };
      }
      const sources = await filesIn(real, path);
      const graphs = await filesIn(join(real, "onnx"), path).catch(() => []);
      return { kind: "folder", path: real, sources: [...sources, ...graphs], sibling: async () => undefined };
    },
  };
}

/** Regular files directly inside, in name order. @param path as it was named, for messages */
async function filesIn(folder: string, path: string): Promise<readonly ByteSource[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw fileError(error, path);
  });
  const names = entries.filter((entry) => entry.isFile() || entry.isSymbolicLink()).map((entry) => entry.name);
  const sources: ByteSource[] = [];
  for (const name of names.sort()) {
    const source = await openSibling(folder, name);
    if (source !== undefined) sources.push(source);
  }
  return sources;
}

/** @returns undefined where there is no such regular file */
async function openSibling(folder: string, name: string): Promise<ByteSource | undefined> {
  if (basename(name) !== name) return undefined;
  try {
    return await openFileSource(join(folder, name));
  } catch (error) {
    if (error instanceof SpellError && (error.code === "model-unknown" || error.code === "model-not-regular")) return undefined;
    throw error;
  }
}

function expandHome(path: string): string {
  return path === "~" || path.startsWith("~/") || path.startsWith("~\\") ? join(personFolder(), path.slice(1)) : path;
}

function fileError(error: unknown, path: string): SpellError {
  const code = (error as { code?: string | undefined }).code;
  if (code === "EACCES" || code === "EPERM")
    return new SpellError("store-denied", `${path}: no permission to read it`, {
      where: path,
      hint: "Check the permissions of the file and its folders.",
      cause: error,
    });
  return new SpellError("model-unknown", `${path}: no such file or folder`, {
    where: path,
    hint: "Check the path; bundled models need none.",
    commands: ['llmspell generate -m tiny-stories "Once upon a time"'],
    cause: error,
  });
}
