/** What an adapter of WebGPU tells without being used, in browsers and in Dawn alike. */
import { isSoftwareAdapter } from "../core/spec/devices.ts";

/** What is looked at. */
export interface GpuAdapter {
  readonly info: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description: string;
    readonly isFallbackAdapter?: boolean | undefined;
  };
  readonly features: { has(name: string): boolean };
  readonly limits: { readonly maxBufferSize: number; readonly maxStorageBufferBindingSize: number };
}

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

export function describeAdapter({ info, features, limits }: GpuAdapter): FoundAdapter {
  const label = [info.vendor, info.architecture, info.description].filter((word) => word !== "").join(" ") || "unnamed adapter";
  return {
    label,
    isSoftware: info.isFallbackAdapter === true || isSoftwareAdapter(label),
    hasF16: features.has("shader-f16"),
    bufferBytes: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize),
  };
}
