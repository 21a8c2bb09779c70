/** Models that Hugging Face's tools and Ollama keep on this machine, opened in place. Read only. */
import { readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { blobPath } from "../../core/download/address.ts";
import type { ByteSource } from "../../core/formats/byte-source.ts";
import { parseShardName } from "../../core/gguf/shards.ts";
import type { Environment, ForeignFile, ForeignModels, ForeignNotes, ForeignRepo } from "../../core/platform.ts";
import { openFileSource } from "../file-source.ts";
import { expandHome, personFolder, readHomeJson, writeHomeJson } from "../home.ts";
import { hubCache } from "../hugging-face.ts";

const commitForm = /^[0-9a-f]{40}$/;
/** Most files of one snapshot, and most levels of folders. */
const mostFiles = 2000;
const mostDepth = 4;
const maxManifestBytes = 4 * 1024 * 1024;

/** @param notes where lists keep facts from headers */
export function nodeForeignModels(env: Environment = process.env, notes?: ForeignNotes): ForeignModels {
  const hubFolder = hubCache(env);
  // Ollama takes off space and quotes, and fills in nothing; a container's `~` is meant as a shell's all the same.
  const ollamaModels = (env["OLLAMA_MODELS"] ?? "").trim().replace(/^["']+|["']+$/g, "");
  const ollamaFolders = [
    ollamaModels,
    expandHome(ollamaModels, env),
    join(personFolder(), ".ollama", "models"),
    "/usr/share/ollama/.ollama/models",
  ].filter((folder, index, all) => folder !== "" && all.indexOf(folder) === index);
  return {
    notes,
    async findHubFiles(owner, repo, revision) {
      if (!/^[\w.-]+$/.test(owner) || !/^[\w.-]+$/.test(repo) || /\.\./.test(`${owner} ${repo} ${revision}`)) return undefined;
      const folder = join(hubFolder, `models--${owner}--${repo}`);
      const commit = commitForm.test(revision) ? revision : await readReference(join(folder, "refs", ...revision.split("/")));
      if (commit === undefined) return undefined;
      const files: ForeignFile[] = [];
      await walk(join(folder, "snapshots", commit), "", files, 0);
      return files.length === 0 ? undefined : { commit, files };
    },
    async listHubRepos() {
      const found: ForeignRepo[] = [];
      for (const name of await names(hubFolder)) {
        // "--" inside a name is ambiguous; the first one ends the owner.
        const [, owner, repo] = /^models--((?:(?!--)[\w.-])+)--([\w.-]+)$/.exec(name) ?? [];
        if (owner === undefined || repo === undefined) continue;
        const main = await readReference(join(hubFolder, name, "refs", "main"));
        const commits = main === undefined ? await names(join(hubFolder, name, "snapshots")) : [];
        const revisions = main === undefined ? commits.filter((commit) => commitForm.test(commit)) : ["main"];
        found.push(...revisions.map((revision) => ({ owner, repo, revision })));
      }
      return found;
    },
    async readOllamaManifest(name, tag) {
      const parts = [...name.split("/"), tag];
      if (!parts.every((part) => /^[\w.:-]+$/.test(part) && !part.includes(".."))) return undefined;
      for (const folder of ollamaFolders) {
        try {
          const path = await inAnyCase(join(folder, "manifests"), parts);
          const facts = await stat(path);
          if (facts.isFile() && facts.size <= maxManifestBytes) return JSON.parse(await readFile(path, "utf8")) as unknown;
        } catch {
          // missing, or no permission
        }
      }
      return undefined;
    },
    async listOllamaModels() {
      const found = new Map<string, { readonly name: string; readonly tag: string }>();
      for (const folder of ollamaFolders) {
        const manifests = join(folder, "manifests");
        for (const host of await names(manifests)) {
          for (const owner of await names(join(manifests, host))) {
            for (const model of await names(join(manifests, host, owner))) {
              const name = `${host === "registry.ollama.ai" ? "" : `${host}/`}${owner}/${model}`;
              for (const tag of await names(join(manifests, host, owner, model))) found.set(`${name}:${tag}`, { name, tag });
            }
          }
        }
      }
      return [...found.values()];
    },
    async openOllamaBlob(digest, name) {
      for (const folder of ollamaFolders) {
        const source = await tryOpen(join(folder, "blobs", blobPath(digest)), name);
        if (source !== undefined) return source;
      }
      return undefined;
    },
    openFile: tryOpen,
  };
}

async function readReference(path: string): Promise<string | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  return commitForm.test(text.trim()) ? text.trim() : undefined;
}

/** A path below a folder, whose parts are there in some case: Ollama keeps the case of a name and reads it in any. */
async function inAnyCase(folder: string, parts: readonly string[]): Promise<string> {
  let path = folder;
  for (const part of parts) {
    const there = await names(path);
    path = join(path, there.find((name) => name === part) ?? there.find((name) => name.toLowerCase() === part.toLowerCase()) ?? part);
  }
  return path;
}

/** In order; empty for a missing or unreadable folder. */
async function names(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch((): string[] => [])).sort();
}

async function walk(folder: string, prefix: string, files: ForeignFile[], depth: number): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (files.length >= mostFiles) return;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (depth < mostDepth) await walk(path, `${prefix}${entry.name}/`, files, depth + 1);
      continue;
    }
    const source = await tryOpen(path, entry.name);
    if (source === undefined) continue;
    const hash = entry.isSymbolicLink() ? await hashOfBlob(path) : {};
    files.push({ path: `${prefix}${entry.name}`, source, ...hash });
  }
}

/** Snapshots link to blobs named by the hub's etag: the SHA-256 of large files, git's hash of small ones. */
async function hashOfBlob(link: string): Promise<Pick<ForeignFile, "sha256" | "gitSha1">> {
  const name = basename(await readlink(link).catch(() => ""));
  if (/^[0-9a-f]{64}$/.test(name)) return { sha256: name };
  return /^[0-9a-f]{40}$/.test(name) ? { gitSha1: name } : {};
}

/** Notes in the home folder. */
export function homeNotes(): ForeignNotes {
  const name = "foreign-models.json";
  return {
    read: async () => readHomeJson(name),
    async write(value) {
      try {
        writeHomeJson(name, value);
      } catch {
        // without notes the headers are read again
      }
    },
  };
}

/**
 * Snapshots are links to blobs named by hash, and engines that map weights do not follow links: a file is opened under its real path. Engines
 * look for parts of a split model and for the data of a graph by name, so these keep the path of the link.
 * @returns undefined for a missing or unreadable file
 */
async function tryOpen(path: string, name: string): Promise<ByteSource | undefined> {
  try {
    const source = { ...(await openFileSource(path)), name };
    const isOneOfSeveral = parseShardName(basename(path)) !== undefined || /\.onnx(_data)?$/i.test(path);
    return isOneOfSeveral ? { ...source, path: join(await realpath(dirname(path)), basename(path)) } : source;
  } catch {
    return undefined;
  }
}
