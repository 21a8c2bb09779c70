/** File names from remote digests. */
import { SpellError } from "../errors.ts";

/**
 * The only way from a digest to a file name: no other code joins a digest or a remote name to a path.
 * @param digest `sha256:` or `sha256-` and 64 lower-case hex digits
 * @returns `sha256-` and the digits
 * @throws SpellError store-corrupt
 */
export function blobPath(digest: string): string {
  if (!/^sha256[:-][0-9a-f]{64}$/.test(digest)) {
    const message = `expected sha256: and 64 hex digits, got ${JSON.stringify(digest.slice(0, 80))}`;
    throw new SpellError("store-corrupt", message, { where: "digest" });
  }
  return `sha256-${digest.slice(7)}`;
}
