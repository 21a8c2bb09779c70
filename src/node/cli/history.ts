/**
 * What was typed in earlier runs. Each entry is appended by one write, so that two runs at once lose nothing; a full file is put aside under a name of
 * its own. A home that cannot be read or written means no history, without a word.
 */
import { appendFileSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { homeFolder } from "../home.ts";
import { makeFolder } from "../make-folder.ts";

export interface History {
  /** oldest first */
  readonly entries: readonly string[];
  add(text: string): void;
  /** Forgets all, also what is kept. */
  clear(): void;
}

const mostEntries = 1000;
/** A longer text is not kept for later runs. */
const entryCharacters = 64_000;
/** Of one file; two that were put aside stay. */
const fileBytes = 256 * 1024;
const filesAside = 2;

/**
 * @param name of a file; undefined: nothing is kept
 * @param folder default: `history` in the home
 */
export function openHistory(name: string | undefined, folder: string = join(homeFolder(), "history")): History {
  const isOurs = (file: string): boolean => file === name || file.startsWith(`${name}.`);
  const entries: string[] = [];
  const add = (text: string): void => {
    if (text !== entries.at(-1)) entries.push(text);
    if (entries.length > mostEntries) entries.shift();
  };
  let path = name === undefined ? undefined : join(folder, name);
  try {
    // the one in use has the shortest name; those aside are named by their time
    const files = path === undefined ? [] : readdirSync(folder).filter(isOurs).sort();
    for (const file of [...files.slice(1), ...files.slice(0, 1)]) for (const text of readEntries(join(folder, file))) add(text);
  } catch {
    // no folder yet
  }
  return {
    entries,
    clear() {
      entries.length = 0;
      try {
        if (path !== undefined) for (const file of readdirSync(folder).filter(isOurs)) rmSync(join(folder, file), { force: true });
      } catch {
        // no folder yet
      }
    },
    add(text) {
      const isNew = text !== entries.at(-1);
      add(text);
      if (path === undefined || !isNew || text.length > entryCharacters) return;
      try {
        makeFolder(folder);
        if (!(statSync(path, { throwIfNoEntry: false })?.isFile() ?? true)) throw new Error("not a file");
        // the newline comes first: an entry that a crash cut short stays alone
        appendFileSync(path, `\n${JSON.stringify(text)}`, { mode: 0o600 });
        if (statSync(path).size < fileBytes) return;
        renameSync(path, `${path}.${Date.now()}-${process.pid}`);
        const aside = readdirSync(folder).filter((file) => isOurs(file) && file !== name);
        for (const file of aside.sort().slice(0, -filesAside)) rmSync(join(folder, file), { force: true });
      } catch {
        path = undefined;
      }
    },
  };
}

function readEntries(path: string): readonly string[] {
  const facts = statSync(path);
  if (!facts.isFile() || facts.size > 4 * fileBytes) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        const entry: unknown = JSON.parse(line);
        return typeof entry === "string" ? [entry] : [];
      } catch {
        return [];
      }
    });
}
