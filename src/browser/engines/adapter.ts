/** What a page can know of its GPU without using it. */
import { isSoftwareAdapter } from "../../core/spec/devices.ts";

export interface FoundAdapter {
  /** "google swiftshader" */
  readonly label: string;
  /** a software adapter: it computes on the CPU */
  readonly isSoftware: boolean;
  /** what GGUF models need */
  readonly hasF16: boolean;
  /** bytes of the largest buffer that a shader reads */
  readonly bufferBytes: number;
}

/** @returns undefined where the browser has no WebGPU, or no adapter */
export async function findAdapter(gpu: GPU | undefined = navigator.gpu): Promise<FoundAdapter | undefined> {
  const adapter = await gpu?.requestAdapter().catch(() => null);
  if (adapter === null || adapter === undefined) return undefined;
  const { vendor, architecture, description } = adapter.info;
  const label = [vendor, architecture, description].filter((word) => word !== "").join(" ") || "unnamed adapter";
  return {
    label,
    isSoftware: adapter.info.isFallbackAdapter || isSoftwareAdapter(label),
    hasF16: adapter.features.has("shader-f16"),
    bufferBytes: Math.min(adapter.limits.maxBufferSize, adapter.limits.maxStorageBufferBindingSize),
  };
}
