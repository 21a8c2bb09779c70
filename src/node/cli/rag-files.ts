/** Files that `rag ingest` reads: those that are named, and the readable ones of folders and patterns, without what `.gitignore` leaves out. */
import { type Dirent, type Stats, statSync } from "node:fs";
import { lstat, readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { messageOf, SpellError } from "../../core/errors.ts";
import { isReadable } from "../../core/rag/files.ts";
import { fits } from "../../core/wildcard.ts";
import { errnoOf, isMissing } from "../errno.ts";

export interface FoundFile {
  /** absolute, links resolved: the document's id */
  readonly path: string;
  /** as results show it: from the folder that was named on, with forward slashes */
  readonly name: string;
  /** how it was named by itself; undefined: it was found in a folder */
  readonly given: string | undefined;
  readonly size: number;
  /** Of its bytes: another one where they may be others. Absent of a file that was written just now: it may be written again within one tick of its clock. */
  readonly version: string | undefined;
}

export interface FoundTree {
  readonly files: readonly FoundFile[];
  /** folders that were read whole: what lies in one and is not among the files is gone */
  readonly folders: readonly string[];
  /** links in folders, from the folder that was named on: none is followed */
  readonly links: readonly string[];
  /** hidden files in folders, and those of no kind that is read, from the folder that was named on */
  readonly others: readonly string[];
  /** hidden folders within folders, from the folder that was named on: none is entered */
  readonly hidden: readonly string[];
  /** what lies in folders and cannot be read, and why */
  readonly odd: readonly { readonly source: string; readonly reason: string }[];
  /** folders within folders that cannot be read: what lies in one may be there still */
  readonly unread: readonly string[];
}

/** What is found on the way; each thing once, under the name that it had first. */
interface Findings {
  readonly files: Map<string, FoundFile>;
  readonly links: Map<string, string>;
  /** absent: not counted */
  readonly others: Map<string, string> | undefined;
  /** absent: they are entered, since a pattern names one */
  readonly hidden: Map<string, string> | undefined;
  readonly odd: Map<string, { readonly source: string; readonly reason: string }>;
  readonly unread: Set<string>;
}

/** Folders that hold what programs made, whatever `.gitignore` says. */
const skipped: ReadonlySet<string> = new Set([".git", "node_modules", ".hg", ".svn"]);

/** As settings, keys and caches are. */
function isHidden(name: string): boolean {
  return name.startsWith(".") && !/^\.*$/.test(name);
}

type Ignore = import("ignore").Ignore;
interface Rules {
  readonly folder: string;
  readonly rules: Ignore;
}

/** @param paths files, folders, and patterns with `*`, `?` and `**` @throws SpellError usage-value, store-denied */
export async function findFiles(paths: readonly string[]): Promise<FoundTree> {
  const others = new Map<string, string>();
  const hidden = new Map<string, string>();
  const found: Findings = { files: new Map(), links: new Map(), others, hidden, odd: new Map(), unread: new Set() };
  const { files } = found;
  const folders: string[] = [];
  for (const path of paths) {
    const facts = await stat(path).catch((cause: unknown) => {
      if (isDenied(cause)) throw unreadable(path, cause);
      return undefined;
    });
    if (facts === undefined && /[*?]/.test(path)) {
      const steps = path.split(/[\\/]/);
      const at = steps.findIndex((step) => /[*?]/.test(step));
      const base = steps.slice(0, at).join("/") || (path.startsWith("/") ? "/" : ".");
      const pattern = steps.slice(at);
      const root = await realpath(base).catch(() => undefined);
      let isFound = false;
      const fitsOne = (inside: string): boolean => {
        const fitsThis = fitsPath(pattern, inside);
        isFound ||= fitsThis;
        return fitsThis;
      };
      if (root !== undefined)
        await walk(root, fitsOne, { ...found, others: undefined, hidden: pattern.some(isHidden) ? undefined : new Map() }, []);
      if (!isFound) throw missing(path, "no file fits the pattern");
    } else if (facts === undefined) throw missing(path, "no such file or folder");
    else if (facts.isDirectory()) {
      const root = await realpath(path);
      folders.push(root);
      await walk(root, () => true, found, await rulesAbove(root));
    } else if (facts.isFile()) {
      const real = await realpath(path);
      const { name } = files.get(real) ?? { name: basename(path) };
      files.set(real, { path: real, name, given: path, ...factsOf(facts) });
    } else throw missing(path, "neither a file nor a folder");
  }
  return {
    files: [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
    folders,
    links: [...found.links.values()].sort(),
    others: [...others].flatMap(([path, name]) => (files.has(path) ? [] : [name])).sort(),
    hidden: [...hidden.values()].sort(),
    odd: [...found.odd.values()],
    unread: [...found.unread],
  };
}

/** What is in a folder, and its own rules. */
async function entriesOf(folder: string): Promise<{ readonly entries: Dirent[]; readonly own: readonly Rules[] }> {
  const entries = await readdir(folder, { withFileTypes: true });
  const own = entries.some((entry) => entry.name === ".gitignore" && entry.isFile()) ? [await rulesOf(folder)] : [];
  return { entries, own };
}

async function walk(
  root: string,
  isWanted: (inside: string) => boolean,
  found: Findings,
  above: readonly Rules[],
  folder = root,
): Promise<void> {
  const listed = await entriesOf(folder).catch((cause: unknown) => {
    if (folder === root) throw unreadable(folder, cause);
    // one that is gone by now is none of the folder
    if (isMissing(cause)) return undefined;
    const source = `${basename(root)}/${relative(root, folder).replaceAll(sep, "/")}`;
    found.odd.set(folder, { source, reason: `${source}: the folder cannot be read: ${messageOf(cause)}` });
    found.unread.add(folder);
    return undefined;
  });
  if (listed === undefined) return;
  const { entries, own } = listed;
  const rules = [...above, ...own];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (skipped.has(entry.name) || isIgnored(path, entry.isDirectory(), rules)) continue;
    const inside = relative(root, path).replaceAll(sep, "/");
    const name = `${basename(root)}/${inside}`;
    const leaveOut = (reason: string): void => {
      if (isWanted(inside) && !found.odd.has(path)) found.odd.set(path, { source: name, reason: `${name}: ${reason}` });
    };
    if (entry.name.includes("\ufffd") && (await lstat(path).catch(() => undefined)) === undefined) {
      if (entry.isDirectory() || isReadable(entry.name)) leaveOut("expected a name in UTF-8, got other bytes");
    } else if (entry.isDirectory()) {
      if (isHidden(entry.name) && found.hidden !== undefined) found.hidden.set(path, name);
      else await walk(root, isWanted, found, rules, path);
    } else if (isHidden(entry.name)) {
      if (entry.name !== ".gitignore") found.others?.set(path, name);
    } else if (entry.isSymbolicLink()) {
      if (isWanted(inside) && !found.links.has(path)) found.links.set(path, name);
    } else if (!entry.isFile()) leaveOut(`expected a file, got ${kindOf(entry)}`);
    else if (isReadable(entry.name)) {
      if (!isWanted(inside) || found.files.has(path)) continue;
      const facts = factsIn(path);
      if (facts === "denied") {
        leaveOut("cannot be read: permission denied");
        found.unread.add(path);
      } else if (facts?.isFile() === true) found.files.set(path, { path, name, given: undefined, ...factsOf(facts) });
    } else found.others?.set(path, name);
  }
}

/** @returns "denied" in a folder that may be listed alone; undefined: it is gone by now, and none of the folder */
function factsIn(path: string): Stats | "denied" | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    if (isDenied(cause)) return "denied";
    throw unreadable(path, cause);
  }
}

/** The coarsest clock of a file system that is in use: FAT's, with two seconds. */
const tickMs = 2000;

/** As git's index tells files that did not change: by size, times and number, and of none whose times are of now. */
function factsOf({ size, mtimeMs, ctimeMs, ino }: Stats): Pick<FoundFile, "size" | "version"> {
  const isOld = Math.max(mtimeMs, ctimeMs) < Date.now() - tickMs;
  return { size, version: isOld ? [size, mtimeMs, ctimeMs, ino].join(" ") : undefined };
}

function kindOf(entry: Dirent): string {
  if (entry.isFIFO()) return "a named pipe";
  if (entry.isSocket()) return "a socket";
  return entry.isCharacterDevice() || entry.isBlockDevice() ? "a device" : "something else";
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

function isDenied(cause: unknown): boolean {
  return errnoOf(cause) === "EACCES" || errnoOf(cause) === "EPERM";
}

/** A file or a folder of a person, whose permissions are theirs. */
export function unreadable(path: string, cause: unknown): SpellError {
  return new SpellError("store-denied", `${path} cannot be read: ${messageOf(cause)}`, {
    where: path,
    hint: "Check its permissions, and those of its folders.",
    cause,
    details: { isGone: errnoOf(cause) === "ENOENT" },
  });
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
