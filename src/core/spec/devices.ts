/** Names of devices, as values: everything else about them is in spec/runtime.ts and backends/device-rules.ts. */
import type { DeviceChoice } from "./runtime.ts";

/** Every value a person may give. */
export const deviceChoices: readonly DeviceChoice[] = ["auto", "webgpu", "metal", "vulkan", "cuda", "cpu", "wasm"];

/** A device apart from the processor: with a driver, memory of its own, and ways to be lost. */
export function isGpu(device: DeviceChoice): boolean {
  return device === "webgpu" || device === "metal" || device === "vulkan" || device === "cuda";
}

/** Names under which processors play graphics cards. */
const softwareAdapters = /swiftshader|llvmpipe|lavapipe|softpipe|\bwarp\b|basic render/i;

/** @param label vendor, architecture and description of an adapter */
export function isSoftwareAdapter(label: string): boolean {
  return softwareAdapters.test(label);
}
