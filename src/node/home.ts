/**
 * The folder of small records on this machine: `~/.llmspell`, or LLMSPELL_HOME. It comes into being with the first write.
 * Nothing here is needed to run a model, so reading never throws; whether a failed write matters is the caller's business.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { SpellError } from "../core/errors.ts";

/** Bytes of one record. Ours have some hundreds; a larger file was not written by us. */
const maxRecordBytes = 1024 * 1024;

/** Home of the person: an empty HOME says as little as none. */
export function personFolder(): string {
  return homedir() || userInfo().homedir;
}

/** Absolute path; it need not exist. `~/` is read where no shell has done so. */
export function homeFolder(): string {
  const asked = process.env["LLMSPELL_HOME"] ?? "";
  if (asked === "") return join(personFolder(), ".llmspell");
  return /^~[/\\]/.test(asked) ? join(personFolder(), asked.slice(1)) : resolve(asked);
}

/** @returns what the record holds, or undefined where there is none that can be read: a cache that is lost is measured again */
export function readHomeJson(name: string): unknown {
  const path = join(homeFolder(), name);
  try {
    const facts = statSync(path);
    if (!facts.isFile() || facts.size > maxRecordBytes) return undefined;
    return JSON.parse(readFileSync(path, "utf8")) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Writes a record so that readers see the old or the new one, never half of it. Of two writers the later wins.
 * @throws SpellError store-denied
 */
export function writeHomeJson(name: string, value: unknown): void {
  const folder = homeFolder();
  const path = join(folder, name);
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    // 0700: which models a person runs is nobody else's business
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(temporary, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600, flag: "wx" });
    renameSync(temporary, path);
  } catch (cause) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // where there is no folder there is nothing to remove
    }
    throw new SpellError("store-denied", `${path} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, {
      where: path,
      cause,
    });
  }
}
