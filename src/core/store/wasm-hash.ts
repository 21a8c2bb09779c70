/** Hashes for hosts without their own over bytes as they arrive: browsers hash only what is in memory as a whole. */
import type { Hash } from "../platform.ts";

export async function wasmHash(algorithm: "sha256" | "sha1"): Promise<Hash> {
  const { createSHA1, createSHA256 } = await import("hash-wasm");
  return algorithm === "sha256" ? createSHA256() : createSHA1();
}
