/** Files that `rag ingest` reads: those that are named, and the readable ones of folders and patterns, without what `.gitignore` leaves out. */
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { messageOf, SpellError } from "../../core/errors.ts";
import { isReadable } from "../../core/rag/files.ts";
import { fits } from "../../core/wildcard.ts";

export interface FoundFile {
  /** absolute, links resolved: the document's id */
  readonly path: string;
  /** as results show it: from the folder that was named on, with forward slashes */
  readonly name: string;
  /** named by itself, not found in a folder */
  readonly isNamed: boolean;
  readonly size: number;
}

export interface FoundTree {
  readonly files: readonly FoundFile[];
  /** folders that were read whole: what lies in one and is not among the files is gone */
  readonly folders: readonly string[];
  /** links in folders, from the folder that was named on: none is followed */
  readonly links: readonly string[];
}

/** Folders that hold what programs made, whatever `.gitignore` says. */
const skipped: ReadonlySet<string> = new Set([".git", "node_modules", ".hg", ".svn"]);

type Ignore = import("ignore").Ignore;
interface Rules {
  readonly folder: string;
  readonly rules: Ignore;
}

/** @param paths files, folders, and patterns with `*`, `?` and `**` @throws SpellError usage-value, store-denied */
export async function findFiles(paths: readonly string[]): Promise<FoundTree> {
  const found = new Map<string, FoundFile>();
  const folders: string[] = [];
  const links: string[] = [];
  for (const path of paths) {
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined && /[*?]/.test(path)) {
      const before = found.size;
      const steps = path.split(/[\\/]/);
      const at = steps.findIndex((step) => /[*?]/.test(step));
      const base = steps.slice(0, at).join("/") || (path.startsWith("/") ? "/" : ".");
      const pattern = steps.slice(at);
      const root = await realpath(base).catch(() => undefined);
      if (root !== undefined) await walk(root, root, (inside) => fitsPath(pattern, inside), found, [], links);
      if (found.size === before) throw missing(path, "no file fits the pattern");
    } else if (facts === undefined) throw missing(path, "no such file or folder");
    else if (facts.isDirectory()) {
      const root = await realpath(path);
      folders.push(root);
      await walk(root, root, () => true, found, await rulesAbove(root), links);
    } else if (facts.isFile()) {
      const real = await realpath(path);
      found.set(real, { path: real, name: basename(path), isNamed: true, size: facts.size });
    } else throw missing(path, "neither a file nor a folder");
  }
  return { files: [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1)), folders, links: links.sort() };
}

async function walk(
  root: string,
  folder: string,
  isWanted: (inside: string) => boolean,
  found: Map<string, FoundFile>,
  above: readonly Rules[],
  links: string[],
): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new SpellError("store-denied", `${folder} cannot be read: ${messageOf(cause)}`, { where: folder, cause });
  });
  const own = entries.some((entry) => entry.name === ".gitignore" && entry.isFile()) ? [await rulesOf(folder)] : [];
  const rules = [...above, ...own];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (skipped.has(entry.name) || isIgnored(path, entry.isDirectory(), rules)) continue;
    if (entry.isDirectory()) await walk(root, path, isWanted, found, rules, links);
    else if (entry.isSymbolicLink()) links.push(`${basename(root)}/${relative(root, path).replaceAll(sep, "/")}`);
    else if (entry.isFile() && !entry.name.startsWith(".") && isReadable(entry.name)) {
      const inside = relative(root, path).replaceAll(sep, "/");
      if (!isWanted(inside) || found.has(path)) continue;
      // one that is gone by now is none of the folder
      const facts = await stat(path).catch(() => undefined);
      if (facts?.isFile() === true) found.set(path, { path, name: `${basename(root)}/${inside}`, isNamed: false, size: facts.size });
    }
  }
}

async function rulesOf(folder: string): Promise<Rules> {
  const { default: ignore } = await import("ignore");
  return { folder, rules: ignore().add(await readFile(join(folder, ".gitignore"), "utf8")) };
}

/** Of the folders above, up to the root of the repository. */
async function rulesAbove(folder: string): Promise<readonly Rules[]> {
  const found: Rules[] = [];
  for (let at = folder; ; at = dirname(at)) {
    if (at !== folder) {
      const isThere = await stat(join(at, ".gitignore")).catch(() => undefined);
      if (isThere?.isFile() === true) found.unshift(await rulesOf(at));
    }
    if ((await stat(join(at, ".git")).catch(() => undefined)) !== undefined) return found;
    if (dirname(at) === at) return [];
  }
}

/** The rule nearest to a file decides, as in git. */
function isIgnored(path: string, isFolder: boolean, all: readonly Rules[]): boolean {
  let is = false;
  for (const { folder, rules } of all) {
    const { ignored, unignored } = rules.test(relative(folder, path).replaceAll(sep, "/") + (isFolder ? "/" : ""));
    if (ignored) is = true;
    if (unignored) is = false;
  }
  return is;
}

/** `**` is any number of folders; `*` and `?` stay within a name. */
function fitsPath(pattern: readonly string[], inside: string): boolean {
  const steps = inside.split("/");
  // a name fits as a whole, so that wildcards are compared step by step
  const matches = (p: number, s: number): boolean => {
    if (p === pattern.length) return s === steps.length;
    const part = pattern[p] ?? "";
    if (part === "**") return matches(p + 1, s) || (s < steps.length && matches(p, s + 1));
    return (
      s < steps.length &&
      fits(
        [...part],
        [...(steps[s] ?? "")],
        (sign) => sign === "?",
        (sign) => sign === "*",
      ) &&
      matches(p + 1, s + 1)
    );
  };
  return matches(0, 0);
}

function missing(path: string, why: string): SpellError {
  return new SpellError("usage-value", `${path}: expected a file, a folder or a pattern; ${why}`, { where: path });
}

/** Whether a path lies in a folder. */
export function isInside(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** @returns the path as documents have it; undefined for one that is not there */
export async function realOf(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}
