/** FileHost over node:fs: looks at paths and opens regular files. It reads no contents. */
import { readdir, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SpellError } from "../core/errors.ts";
import { partFiles } from "../core/file-names.ts";
import type { ByteSource } from "../core/formats/byte-source.ts";
import type { FileHost } from "../core/platform.ts";
import { errnoOf } from "./errno.ts";
import { openFileSource } from "./file-source.ts";
import { absolute, expandTilde } from "./home.ts";

export function nodeFiles(): FileHost {
  return {
    async look(path) {
      const given = absolute(expandTilde(path));
      const real = await named(path, realpath(given));
      if (!(await named(path, stat(real))).isDirectory()) {
        // Parts of a split model lie beside the path as it was given, which may be a link into a store of hashes.
        const folder = dirname(given);
        return { kind: "file", path: real, sources: [await openFileSource(given)], sibling: (name) => openSibling(folder, name) };
      }
      const sources = await filesIn(real, path);
      const graphs = await filesIn(join(real, "onnx"), path).catch(() => []);
      const parts = await Promise.all(partFiles.map((name) => openSibling(real, name)));
      return {
        kind: "folder",
        path: real,
        sources: [...sources, ...graphs, ...parts.flatMap((part) => part ?? [])],
        sibling: async () => undefined,
      };
    },
  };
}

/** Regular files directly inside, in name order. @param path as it was given, for messages */
async function filesIn(folder: string, path: string): Promise<readonly ByteSource[]> {
  const entries = await named(path, readdir(folder, { withFileTypes: true }));
  const names = entries.filter((entry) => entry.isFile() || entry.isSymbolicLink()).map((entry) => entry.name);
  const sources: ByteSource[] = [];
  for (const name of names.sort()) {
    const source = await openSibling(folder, name);
    if (source !== undefined) sources.push(source);
  }
  return sources;
}

/** @returns undefined for a missing file, and for anything but a regular one */
async function openSibling(folder: string, name: string): Promise<ByteSource | undefined> {
  if (basename(name) !== name && !partFiles.includes(name)) return undefined;
  try {
    return await openFileSource(join(folder, name));
  } catch (error) {
    if (error instanceof SpellError && (error.code === "model-unknown" || error.code === "model-not-regular")) return undefined;
    throw error;
  }
}

/** @returns what is wrong with the symbolic link that ends the path, or a folder of it; undefined where none does */
async function brokenLink(path: string): Promise<string | undefined> {
  for (let at = expandTilde(path); ; at = dirname(at)) {
    const target = await readlink(at).catch(() => undefined);
    if (target !== undefined) {
      const code = await stat(at).then(() => undefined, errnoOf);
      const whose = at === expandTilde(path) ? path : `${path}: ${at}`;
      if (code === "ELOOP") return `${whose} is a symbolic link that leads back to itself, by ${target}`;
      return code === undefined ? undefined : `${whose} is a symbolic link to ${target}, where nothing lies`;
    }
    if (dirname(at) === at) return undefined;
  }
}

/** @param path as it was given. @throws SpellError store-denied, model-unknown */
async function named<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === "EACCES" || code === "EPERM") {
      const hint = "Check the permissions of the file and its folders.";
      throw new SpellError("store-denied", `${path}: no permission to read it`, { where: path, hint, cause });
    }
    const link = await brokenLink(path);
    throw new SpellError("model-unknown", link ?? `${path}: no such file or folder`, {
      where: path,
      hint: link === undefined ? "Check the path; bundled models need only their name." : "Mend the link, or name another file.",
      actions: [{ kind: "run", model: "tiny-stories" }],
      cause,
    });
  }
}
