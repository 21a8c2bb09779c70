/** A repository in the cache of Hugging Face's tools, as huggingface_hub 2.4.0 lays it out: blobs by etag, snapshots of links, a reference. */
import { createHash } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "./local-llm.ts";

/** @returns the folder of the snapshot */
export function writeHubCache(
  hub: string,
  name: string,
  files: Readonly<Record<string, Uint8Array>>,
  { main = true, revision = "a".repeat(40) }: { readonly main?: boolean; readonly revision?: string } = {},
): string {
  const place = join(hub, `models--${name.replace("/", "--")}`);
  const snapshot = join(place, "snapshots", revision);
  for (const folder of [snapshot, join(place, "blobs"), join(place, "refs")]) mkdirSync(folder, { recursive: true });
  if (main) writeFileSync(join(place, "refs/main"), revision);
  for (const [path, bytes] of Object.entries(files)) {
    const etag = /\.(gguf|safetensors)$/.test(path) ? sha256(bytes) : gitSha1(bytes);
    writeFileSync(join(place, "blobs", etag), bytes);
    symlinkSync(join("../../blobs", etag), join(snapshot, path));
  }
  return snapshot;
}

/** As `git hash-object` says it. */
export function gitSha1(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}
