/** Names and addresses that come from strangers: what may become a file name, and which host may be asked. */
import { SpellError } from "../errors.ts";

/**
 * The one way from a digest to a file name. Nothing else joins a digest or a remote name to a path.
 * @param digest `sha256:` or `sha256-` and 64 lower-case hex digits
 * @returns `sha256-` and the digits
 * @throws SpellError store-corrupt
 */
export function blobPath(digest: string): string {
  if (!/^sha256[:-][0-9a-f]{64}$/.test(digest)) {
    throw new SpellError("store-corrupt", `wanted sha256: and 64 hex digits; got ${JSON.stringify(digest.slice(0, 80))}`, {
      where: "digest",
    });
  }
  return `sha256-${digest.slice(7)}`;
}
