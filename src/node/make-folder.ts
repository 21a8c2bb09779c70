import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf } from "./errno.ts";

/**
 * A folder and those above it, for its owner alone: what a person keeps and runs is private. Step by step: mkdir with `recursive` goes on for ever
 * where a folder takes no new one and says that it is missing, as those below /proc do.
 * @throws NodeJS.ErrnoException
 */
export function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST" || !statSync(path).isDirectory()) throw error;
  }
}
