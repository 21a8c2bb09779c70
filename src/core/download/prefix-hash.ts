/**
 * The hash of a file that is written in ranges, in any order: its beginning is hashed as it is written, so that at the end of a download little is
 * left to read again.
 */
import { SpellError, throwIfAborted } from "../errors.ts";
import { formatCount } from "../formats/format-count.ts";
import type { Hash } from "../platform.ts";

/** Bytes of one read where written bytes are hashed later. */
const readBytes = 4 * 1024 * 1024;

export interface PrefixHash {
  /** Takes bytes that are written, or are about to be. */
  wrote(offset: number, bytes: Uint8Array): void;
  /** The file was cut: what was hashed beyond it, or all, is forgotten. */
  cut(size: number): Promise<void>;
  /** Hashes what is missing. @returns lower-case hex of the first `size` bytes */
  finish(size: number, signal?: AbortSignal): Promise<string>;
}

/** @param read gives written bytes back */
export async function createPrefixHash(
  createHash: () => Promise<Hash>,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<PrefixHash> {
  let hash = await createHash();
  let hashed = 0;
  let isStale = false;
  const startAnew = async (): Promise<void> => {
    hash = await createHash();
    hashed = 0;
    isStale = false;
  };
  return {
    wrote(offset, bytes) {
      if (offset === hashed && !isStale) {
        hash.update(bytes);
        hashed += bytes.byteLength;
      } else if (offset < hashed) isStale = true; // bytes that were hashed are replaced
    },
    async cut(size) {
      if (size < hashed || isStale) await startAnew();
    },
    async finish(size, signal) {
      if (isStale || hashed > size) await startAnew();
      while (hashed < size) {
        throwIfAborted(signal);
        const bytes = await read(hashed, Math.min(readBytes, size - hashed));
        hash.update(bytes);
        hashed += bytes.byteLength;
      }
      const digest = hash.digest();
      isStale = true; // a digest ends a hash; asked again, it is made anew
      return digest;
    },
  };
}

/**
 * What every commit checks before a file gets its final name.
 * @param size bytes that were written
 * @returns the file's sha256 in hex
 * @throws SpellError net-size, net-hash
 */
export async function checkComplete(
  hash: PrefixHash,
  size: number,
  wanted: { readonly size: number; readonly sha256?: string | undefined },
  signal?: AbortSignal,
): Promise<string> {
  if (size !== wanted.size) {
    const details = { wanted: wanted.size, got: size };
    throw new SpellError("net-size", `expected ${formatCount(wanted.size)} bytes, got ${formatCount(size)}`, { details });
  }
  const sha256 = await hash.finish(size, signal);
  const details = { wanted: wanted.sha256, got: sha256 };
  if (wanted.sha256 !== undefined && sha256 !== wanted.sha256)
    throw new SpellError("net-hash", `expected sha256 ${wanted.sha256}, got ${sha256}`, { details });
  return sha256;
}
