/** What a page can hold at most, before anything is fetched: an engine in WebAssembly has an address space, whatever memory the machine has. */
import { limits } from "../../core/limits.ts";
import { canRunDefaultBuild, hasPromiseIntegration, maxFileBytes } from "../../engines/wllama/features.ts";

export interface LargestModel {
  /** bytes of one GGUF file */
  readonly gguf: number;
  /** bytes of the weights of a T5 model */
  readonly t5: number;
}

export function largestModel(): LargestModel {
  return { gguf: maxFileBytes[wllamaBuild()], t5: limits.onnxWasmWeightBytes };
}

/** The build of wllama that this browser runs. */
export function wllamaBuild(): "default" | "compat" {
  return canRunDefaultBuild() && hasPromiseIntegration() ? "default" : "compat";
}
