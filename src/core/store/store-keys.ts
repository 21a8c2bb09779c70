/** What all stores check and order alike. */
import { SpellError } from "../errors.ts";
import type { ManifestKey } from "../platform.ts";

/** For `sort`: manifests by the parts of their keys. */
export function compareKeys(a: ManifestKey, b: ManifestKey): number {
  return a.join("\0") < b.join("\0") ? -1 : 1;
}

/** @throws SpellError internal-error */
export function checkPartKey(key: string): void {
  if (!/^[0-9a-f]{64}$/.test(key)) throw new SpellError("internal-error", `part key: expected 64 hex digits, got ${JSON.stringify(key)}`);
}
