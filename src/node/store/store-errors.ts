/** What the system says about a file of the store, as codes of ours. */
import { SpellError } from "../../core/errors.ts";

export async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storeError(error, path);
  }
}

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

export function isMissing(error: unknown): boolean {
  const code = errnoOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

export function storeError(error: unknown, path: string): SpellError {
  if (error instanceof SpellError) return error;
  const code = errnoOf(error) ?? "unknown";
  const options = { where: path, cause: error };
  if (code === "ENOSPC" || code === "EDQUOT") return new SpellError("store-full", `${path}: no room is left on the disk`, options);
  if (code === "ELOOP") return new SpellError("store-corrupt", `${path} is a symbolic link`, options);
  return new SpellError("store-denied", `${path}: the store cannot be used (${code})`, options);
}
