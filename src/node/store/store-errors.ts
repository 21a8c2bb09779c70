/** Errors of the system about files of the store, as codes of ours. */
import { SpellError } from "../../core/errors.ts";
import { errnoOf, isMissing } from "../errno.ts";

export async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storeError(error, path);
  }
}

/** @returns undefined for a missing file or folder */
export async function unlessMissing<T>(path: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw storeError(error, path);
  }
}

export function storeError(error: unknown, path: string): SpellError {
  if (error instanceof SpellError) return error;
  const code = errnoOf(error) ?? "unknown";
  const options = { where: path, cause: error };
  if (code === "ENOSPC" || code === "EDQUOT") return new SpellError("store-full", `${path}: the disk is full`, options);
  if (code === "EFBIG")
    return new SpellError("store-full", `${path}: a file may not be so large here`, {
      ...options,
      hint: "Raise the limit of the shell (ulimit -f), or take another file system.",
    });
  if (code === "ELOOP") return new SpellError("store-corrupt", `${path} is a symbolic link`, options);
  return new SpellError("store-denied", `${path}: the store failed (${code})`, options);
}
