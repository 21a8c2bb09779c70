/** Models that Hugging Face's tools and Ollama keep on this machine, opened where they lie. Nothing of theirs is written. */
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { blobPath } from "../core/download/address.ts";
import type { ByteSource } from "../core/formats/byte-source.ts";
import type { ForeignModels } from "../core/platform.ts";
import { openFileSource } from "./file-source.ts";

type Env = Readonly<Record<string, string | undefined>>;

const commitForm = /^[0-9a-f]{40}$/;
/** Files of one snapshot that are looked at, and how deep. */
const mostFiles = 2000;
const mostDepth = 4;
const maxManifestBytes = 4 * 1024 * 1024;

export function nodeForeignModels(env: Env = process.env): ForeignModels {
  const hubFolder =
    env["HF_HUB_CACHE"] || join(env["HF_HOME"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "huggingface"), "hub");
  const ollamaFolders = [env["OLLAMA_MODELS"], join(homedir(), ".ollama", "models"), "/usr/share/ollama/.ollama/models"].filter(
    (folder): folder is string => folder !== undefined && folder !== "",
  );
  return {
    async findHubFiles(owner, repo, revision) {
      if (!/^[\w.-]+$/.test(owner) || !/^[\w.-]+$/.test(repo) || /\.\./.test(`${owner} ${repo} ${revision}`)) return undefined;
      const folder = join(hubFolder, `models--${owner}--${repo}`);
      const commit = commitForm.test(revision) ? revision : await readReference(join(folder, "refs", ...revision.split("/")));
      if (commit === undefined) return undefined;
      const files: { path: string; source: ByteSource }[] = [];
      await walk(join(folder, "snapshots", commit), "", files, 0);
      return files.length === 0 ? undefined : { commit, files };
    },
    async readOllamaManifest(name, tag) {
      const parts = [...name.split("/"), tag];
      if (!parts.every((part) => /^[\w.-]+$/.test(part) && !part.includes(".."))) return undefined;
      for (const folder of ollamaFolders) {
        const path = join(folder, "manifests", ...parts);
        try {
          const facts = await stat(path);
          if (facts.isFile() && facts.size <= maxManifestBytes) return JSON.parse(await readFile(path, "utf8")) as unknown;
        } catch {
          // not there, or not for us to read
        }
      }
      return undefined;
    },
    async openOllamaBlob(digest, name) {
      for (const folder of ollamaFolders) {
        const source = await tryOpen(join(folder, "blobs", blobPath(digest)));
        if (source !== undefined) return { ...source, name };
      }
      return undefined;
    },
    async openFile(path, name) {
      const source = await tryOpen(path);
      return source === undefined ? undefined : { ...source, name };
    },
  };
}

async function readReference(path: string): Promise<string | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  return commitForm.test(text.trim()) ? text.trim() : undefined;
}

async function walk(folder: string, prefix: string, files: { path: string; source: ByteSource }[], depth: number): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (files.length >= mostFiles) return;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (depth < mostDepth) await walk(path, `${prefix}${entry.name}/`, files, depth + 1);
      continue;
    }
    const source = await tryOpen(path);
    if (source !== undefined) files.push({ path: `${prefix}${entry.name}`, source: { ...source, name: entry.name } });
  }
}

/**
 * Snapshots are links to blobs that are named by hash. The path with the file's own name is kept, because engines look for the other parts
 * of a split model beside the first.
 */
async function tryOpen(path: string): Promise<ByteSource | undefined> {
  try {
    const source = await openFileSource(path);
    return { ...source, path: join(await realpath(dirname(path)), basename(path)) };
  } catch {
    return undefined;
  }
}
