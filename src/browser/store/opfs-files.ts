/** The folders of the store in the origin's private file system, and what that system says when it refuses. */
import { SpellError } from "../../core/errors.ts";

const rootName = "llmspell";

/** @returns the folder, made where it was not there */
export async function opfsFolder(name: "blobs" | "parts"): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  const ours = await root.getDirectoryHandle(rootName, { create: true });
  return ours.getDirectoryHandle(name, { create: true });
}

/** @returns the file, or undefined where there is none */
export async function opfsFile(folder: "blobs" | "parts", name: string): Promise<File | undefined> {
  try {
    return await (await (await opfsFolder(folder)).getFileHandle(name)).getFile();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw storageError(error, name);
  }
}

/** @returns bytes freed; 0 where there was none */
export async function removeOpfsFile(folder: "blobs" | "parts", name: string): Promise<number> {
  const file = await opfsFile(folder, name);
  if (file === undefined) return 0;
  try {
    await (await opfsFolder(folder)).removeEntry(name);
    return file.size;
  } catch (error) {
    if (isNotFound(error)) return 0;
    throw storageError(error, name);
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}

/** @param where for messages */
export function storageError(error: unknown, where: string): SpellError {
  if (error instanceof SpellError) return error;
  const name = error instanceof DOMException ? error.name : "";
  const options = { where, cause: error };
  const text = error instanceof Error ? error.message : String(error);
  switch (name) {
    case "QuotaExceededError":
      return new SpellError("store-quota", `${where}: the browser gives this page no more room`, options);
    case "NoModificationAllowedError":
    case "InvalidStateError":
      return new SpellError("store-locked", `${where} is in use by another tab: ${text}`, options);
    case "NotFoundError":
      return new SpellError("store-evicted", `${where} is gone from the browser's storage`, options);
    default:
      return new SpellError("store-denied", `${where}: the browser's storage cannot be used: ${text}`, options);
  }
}
