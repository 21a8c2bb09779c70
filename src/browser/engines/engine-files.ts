/**
 * Where a page serves the files that engines fetch by themselves. Bundlers find them without help (gguf.ts and onnx.ts name them in the form
 * bundlers look for); a page without a bundler says where they are in its import map, or in BrowserPlatformOptions.
 */
import type { WllamaFiles } from "./wllama-engine.ts";

/** Where the engine's WebAssembly is served from, where no bundler finds it: the page's own origin. */
export interface OnnxFiles {
  /** ort-wasm-simd-threaded.wasm of onnxruntime-web */
  readonly wasm?: string | undefined;
  /** ort-wasm-simd-threaded.asyncify.wasm of onnxruntime-web */
  readonly webgpu?: string | undefined;
}

export interface EngineFiles {
  readonly wllama?: WllamaFiles | undefined;
  readonly onnx?: OnnxFiles | undefined;
}

/** What the page's import map knows, completed by what it does not: workers have no import map, so it is asked here. */
export function engineFiles({ wllama, onnx }: EngineFiles): EngineFiles {
  const wasm = onnx?.wasm ?? resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm");
  const webgpu = onnx?.webgpu ?? resolve("onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm");
  return {
    wllama,
    onnx: { wasm, webgpu },
  };
}

/** @returns undefined where no import map speaks of it */
function resolve(specifier: string): string | undefined {
  try {
    return import.meta.resolve?.(specifier);
  } catch {
    return undefined;
  }
}
