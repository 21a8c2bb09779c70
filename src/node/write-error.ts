import { SpellError } from "../core/errors.ts";
import { errnoOf } from "./errno.ts";

/** Errors of the system about a file that a person named, or that is written for them: store-full for a full disk or a limit of file sizes, else store-denied. */
export function writeError(path: string, cause: unknown): SpellError {
  const code = errnoOf(cause);
  const problem = `${path} cannot be written (${code ?? (cause instanceof Error ? cause.message : String(cause))})`;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new SpellError("store-full", `${problem}: no room left on its disk`, { where: path, cause });
  }
  if (code === "EFBIG") {
    const hint = "Raise the limit of the shell (ulimit -f), or take another file system.";
    return new SpellError("store-full", `${problem}: a file may not be so large here`, { where: path, hint, cause });
  }
  return new SpellError("store-denied", problem, { where: path, hint: "Check the folder and its permissions.", cause });
}
