/** The hash of a file, as its source states it. */
import type { ArtifactStore } from "../platform.ts";

/** Bytes that can be read piece by piece: a source, or a part of the store. */
export interface HashedBytes {
  readonly size: number;
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** Bytes of one read. */
const readBytes = 4 * 1024 * 1024;

/**
 * @param kind `git`: of git's object format, "blob SIZE\0" and the bytes
 * @returns hex digits
 */
export async function hashBytes(
  bytes: HashedBytes,
  store: Pick<ArtifactStore, "createHash">,
  kind: "sha256" | "git",
  signal?: AbortSignal,
): Promise<string> {
  const hash = await store.createHash(kind === "git" ? "sha1" : "sha256");
  if (kind === "git") hash.update(new TextEncoder().encode(`blob ${bytes.size}\0`));
  for (let at = 0; at < bytes.size; at += readBytes) hash.update(await bytes.read(at, Math.min(readBytes, bytes.size - at), signal));
  return hash.digest();
}
