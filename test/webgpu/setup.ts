/** A software graphics card that GGUF can compute on; where there can be none, the reason is what its tests are skipped for. */
import type { TestProject } from "vitest/node";
import { startLlvmpipe } from "../../tools/llvmpipe.mjs";

declare module "vitest" {
  export interface ProvidedContext {
    /** Why there is no WebGPU to test on; "" where there is. */
    missingGpu: string;
  }
}

export default function setup(project: TestProject): (() => void) | undefined {
  const gpu = startLlvmpipe();
  project.provide("missingGpu", "missing" in gpu ? gpu.missing : "");
  if ("missing" in gpu) return undefined;
  Object.assign(process.env, gpu.env);
  return gpu.end;
}
