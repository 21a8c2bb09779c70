/** What this JavaScript engine can do for WebAssembly. Features are asked for, versions never. */

import { limits } from "../../core/limits.ts";
import { once } from "../../core/values.ts";
import { kernels } from "./kernels.generated.ts";

/** 64-bit memory, which wllama's default build is compiled for. */
export function hasMemory64(): boolean {
  try {
    new WebAssembly.Memory({ address: "i64", initial: 1n } as unknown as WebAssembly.MemoryDescriptor);
    return true;
  } catch {
    return false;
  }
}

/** A function of two bytes: the sum of four of their products, by `i32x4.relaxed_dot_i8x16_i7x16_add_s`. */
const sumOfBytes = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 3, 2, 1, 0, 7, 5, 1, 1, 0x66, 0, 0, 10, 36, 1, 34, 0],
  ...[0x20, 0, 0xfd, 0x0f, 0x20, 1, 0xfd, 0x0f, 0xfd, 0x0c, ...new Uint8Array(16), 0xfd, 0x93, 2, 0xfd, 0x1b, 0, 0x0b],
);

/** wllama's default build, with our kernels in it: addresses of 64 bits, and relaxed SIMD, which engines have had for longer. */
export function canRunDefaultBuild(): boolean {
  return hasMemory64() && WebAssembly.validate(sumOfBytes);
}

/**
 * Whether the processor adds up four products of bytes in one instruction: asked as src/kernels/bytes.c asks, which the kernels then use. Not for pages: with
 * an instance of its own, a page that was loaded again while a model was open got no memory for the engine in four runs of four, without it in at most two of
 * eight (Chromium 156).
 */
function hasSumsOfBytes(): boolean {
  if (!canRunDefaultBuild()) return false;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(sumOfBytes));
  const sum = exports["f"] as (one: number, other: number) => number;
  const [most, least] = [sum(127, 255), sum(-128, 128)];
  return (most === 4 * 127 * 255 && least === 4 * -128 * 128) || (most === 4 * -127 && least === 4 * 128 * 128);
}

/** "kernels 1a2b3c4d", and which form of them runs (docs/kernels.md). */
export const kernelsName: () => string = once(() => `kernels ${kernels}${hasSumsOfBytes() ? " with sums of bytes" : ""}`);

/** Promise integration, with which the default build reads files as it needs them. */
export function hasPromiseIntegration(): boolean {
  return "Suspending" in WebAssembly;
}

/** Bytes of the largest file each build loads: offsets beyond 2^31 never settle in the 32-bit one; the other ends with its 4 GiB heap. */
export const maxFileBytes: Readonly<Record<"compat" | "default", number>> = { compat: limits.ggufWasm32FileBytes, default: 3_500_000_000 };

/** The most threads the kernels may choose among: beyond them decoding waits for the memory, and each costs a worker. */
export const usefulThreads = (cores: number): number => Math.min(8, Math.max(1, cores));
