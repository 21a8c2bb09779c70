/**
 * The folder of small records on this machine: `~/.llmspell`, or LLMSPELL_HOME. The first write makes it.
 * A model runs without these records, so reading never throws; callers decide whether a failed write matters.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { SpellError } from "../core/errors.ts";

/** Bytes of one record. Ours have some hundreds; a larger file is not one of them. */
const maxRecordBytes = 1024 * 1024;

/** Home of the person; an empty HOME counts as unset. */
export function personFolder(): string {
  return homedir() || userInfo().homedir;
}

/** Absolute path; it need not exist. A leading `~/` is replaced, for callers without a shell. */
export function homeFolder(): string {
  const asked = process.env["LLMSPELL_HOME"] ?? "";
  if (asked === "") return join(personFolder(), ".llmspell");
  return /^~[/\\]/.test(asked) ? join(personFolder(), asked.slice(1)) : resolve(asked);
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

/** Writes a record; readers see the old one or the new one, whole. Of two writers the later wins. @throws SpellError store-denied */
export function writeHomeJson(name: string, value: unknown): void {
  const folder = homeFolder();
  const path = join(folder, name);
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    // 0700: which models a person runs is private
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(temporary, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600, flag: "wx" });
    renameSync(temporary, path);
  } catch (cause) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // without the folder there is nothing to remove
    }
    throw new SpellError("store-denied", `cannot write ${path}: ${cause instanceof Error ? cause.message : cause}`, { where: path, cause });
  }
}
