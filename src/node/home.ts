/**
 * The folder of small records on this machine: `~/.llmspell`, or LLMSPELL_HOME. The first write makes it.
 * A model runs without these records, so reading never throws; callers decide whether a failed write matters.
 */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import type { Environment } from "../core/platform.ts";
import { makeFolder } from "./make-folder.ts";
import { writeError } from "./write-error.ts";

/** Bytes of one record. Ours have some hundreds; a larger file is not one of them. */
const maxRecordBytes = 1024 * 1024;

/**
 * Home of the person; an empty HOME counts as unset. A process without HOME whose user the system does not know (a container with a number
 * for a user) has none: then it is a folder that does not exist, and what is kept there is not kept.
 */
export function personFolder(): string {
  for (const ask of [homedir, () => userInfo().homedir]) {
    try {
      const folder = ask();
      if (folder !== "") return folder;
    } catch {
      // the next one may know
    }
  }
  return resolve("/nonexistent");
}

/** Absolute path; it need not exist. */
export function homeFolder(): string {
  const asked = process.env["LLMSPELL_HOME"] ?? "";
  return asked === "" ? join(personFolder(), ".llmspell") : absolute(expandHome(asked, process.env));
}

/** Where states of models are kept. */
export function stateFolder(): string {
  return join(homeFolder(), "kept", "states");
}

/**
 * `~/`, `$VAR` and `${VAR}` filled in, for values that no shell has seen: env files, containers. As Python's expanduser and expandvars: what
 * is not set stays as it is.
 */
export function expandHome(text: string, env: Environment): string {
  return expandTilde(text).replace(variables, (whole, braced?: string, bare?: string) => env[braced ?? bare ?? ""] ?? whole);
}

/** `~` and `~/…` in place of the person's home; any other path as it is. */
export function expandTilde(path: string): string {
  return path === "~" || /^~[/\\]/.test(path) ? join(personFolder(), path.slice(1)) : path;
}

/** `$VAR` or `${VAR}`. */
export const variables: RegExp = /\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g;

/** @param folder default: the working folder; where that was deleted, a relative path stands as it is, and leads nowhere */
export function absolute(path: string, folder = "."): string {
  try {
    return resolve(folder, path);
  } catch {
    return path;
  }
}

/** @returns the parsed record; undefined for a missing or unreadable one */
export function readHomeJson(name: string): unknown {
  const path = join(homeFolder(), name);
  try {
    const facts = statSync(path);
    return facts.isFile() && facts.size <= maxRecordBytes ? (JSON.parse(readFileSync(path, "utf8")) as unknown) : undefined;
  } catch {
    return undefined;
  }
}

/** Writes a record; readers see the old one or the new one, whole. Of two writers the later wins. @throws SpellError store-denied, store-full */
export function writeHomeJson(name: string, value: unknown): void {
  const folder = homeFolder();
  const path = join(folder, name);
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    // 0700: which models a person runs is private
    makeFolder(folder);
    writeFileSync(temporary, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600, flag: "wx" });
    renameSync(temporary, path);
  } catch (cause) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // without the folder there is nothing to remove
    }
    throw writeError(path, cause);
  }
}

/** Whether a person was told something that is told once in a home. */
export function wasSaid(what: string): boolean {
  return ((readHomeJson("said.json") ?? {}) as Readonly<Record<string, unknown>>)[what] !== undefined;
}

/** Whether something may be said now that is told once in a home; not where no record of it can be kept. */
export function isFirstTime(what: string): boolean {
  if (wasSaid(what)) return false;
  try {
    writeHomeJson("said.json", { ...(readHomeJson("said.json") ?? {}), [what]: true });
    return true;
  } catch {
    return false;
  }
}
