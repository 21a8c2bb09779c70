/** What this JavaScript engine can do for WebAssembly. Features are asked for, versions never. */

import { limits } from "../../core/limits.ts";

/** 64-bit memory, which wllama's default build is compiled for. */
export function hasMemory64(): boolean {
  try {
    new WebAssembly.Memory({ address: "i64", initial: 1n } as unknown as WebAssembly.MemoryDescriptor);
    return true;
  } catch {
    return false;
  }
}

/** Promise integration, with which the default build reads files as it needs them. */
export function hasPromiseIntegration(): boolean {
  return "Suspending" in WebAssembly;
}

/** Bytes of the largest file each build loads: offsets beyond 2^31 never settle in the 32-bit one; the other ends with its 4 GiB heap. */
export const maxFileBytes: Readonly<Record<"compat" | "default", number>> = { compat: limits.ggufWasm32FileBytes, default: 3_500_000_000 };

/** The most threads the kernels may choose among: beyond them decoding waits for the memory, and each costs a worker. */
export const usefulThreads = (cores: number): number => Math.min(8, Math.max(1, cores));
