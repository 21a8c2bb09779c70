/** The folders of the store in the origin's private file system, and its failures as codes of ours. */
import { SpellError } from "../../core/errors.ts";

type Folder = "blobs" | "parts";

/** @returns the folder, made where it is missing */
export async function opfsFolder(name: Folder): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  const ours = await root.getDirectoryHandle("llmspell", { create: true });
  return ours.getDirectoryHandle(name, { create: true });
}

/** @returns names in the folder that have this form, in order */
export async function opfsNames(folder: Folder, form: RegExp): Promise<readonly string[]> {
  try {
    const found: string[] = [];
    for await (const name of (await opfsFolder(folder)).keys()) if (form.test(name)) found.push(name);
    return found.sort();
  } catch (error) {
    throw storageError(error, folder);
  }
}

/** @returns undefined for a missing file */
export async function opfsFile(folder: Folder, name: string): Promise<File | undefined> {
  try {
    return await (await (await opfsFolder(folder)).getFileHandle(name)).getFile();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw storageError(error, name);
  }
}

/** @returns bytes freed; 0 for a missing file */
export async function removeOpfsFile(folder: Folder, name: string): Promise<number> {
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

export function isNotFound(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}

/** @param where for messages */
export function storageError(error: unknown, where: string): SpellError {
  if (error instanceof SpellError) return error;
  const options = { where, cause: error };
  const text = error instanceof Error ? error.message : String(error);
  switch (error instanceof DOMException ? error.name : "") {
    case "QuotaExceededError":
      return new SpellError("store-quota", `${where}: the browser gives this page no more room`, options);
    case "NoModificationAllowedError":
    case "InvalidStateError":
      return new SpellError("store-locked", `${where} is in use by another tab: ${text}`, options);
    case "NotFoundError":
      return new SpellError("store-evicted", `${where} is gone from the browser's storage`, options);
    default:
      return new SpellError("store-denied", `${where}: the browser's storage failed: ${text}`, options);
  }
}
