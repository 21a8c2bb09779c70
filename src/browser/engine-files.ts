/**
 * Where a page serves the files that engines fetch by themselves. Bundlers find them without help (gguf.ts and onnx.ts name them in the form
 * bundlers look for); a page without a bundler says where they are in its import map, or in BrowserPlatformOptions.
 */
import { SpellError } from "../core/errors.ts";
import type { WllamaFiles } from "./gguf.ts";
import type { OnnxFiles } from "./onnx.ts";

export interface EngineFiles {
  readonly wllama?: WllamaFiles;
  readonly onnx?: OnnxFiles;
}

/** What the page's import map knows, completed by what it does not: workers have no import map, so it is asked here. */
export function engineFiles({ wllama, onnx }: EngineFiles): EngineFiles {
  const mappedWllama = wllama ?? fromImportMap();
  const wasm = onnx?.wasm ?? resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm");
  const webgpu = onnx?.webgpu ?? resolve("onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm");
  return {
    ...(mappedWllama === undefined ? {} : { wllama: mappedWllama }),
    onnx: { ...(wasm === undefined ? {} : { wasm }), ...(webgpu === undefined ? {} : { webgpu }) },
  };
}

function fromImportMap(): WllamaFiles | undefined {
  const wasm = resolve("@wllama/wllama/src/wasm/wllama.wasm");
  const compatWasm = resolve("@wllama/wllama-compat/wasm/wllama.wasm");
  const worker = resolve("@wllama/wllama-compat/wasm/wllama.js");
  if (wasm === undefined || compatWasm === undefined || worker === undefined) return undefined;
  return { wasm, compat: { wasm: compatWasm, worker } };
}

/** @returns undefined where no import map speaks of it */
function resolve(specifier: string): string | undefined {
  try {
    return import.meta.resolve?.(specifier);
  } catch {
    return undefined;
  }
}

/**
 * Engines hang, or say nothing useful, where a page may not run WebAssembly or their file is not there; so this is found out before.
 * The answer is not read: the engine's own request takes it from the browser's cache.
 * @throws SpellError device-unavailable that names the header, or the address and what was wrong with it
 */
export async function checkWasm(address: string): Promise<void> {
  const refuse = (message: string, hint: string, cause?: unknown): SpellError =>
    new SpellError("device-unavailable", message, { where: address, hint, ...(cause === undefined ? {} : { cause }) });
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)); // the smallest there is
  } catch (cause) {
    throw refuse("this page may not run WebAssembly", "Its Content-Security-Policy needs 'wasm-unsafe-eval' in script-src.", cause);
  }
  const hint = "The page must serve this file of the engine, as application/wasm, from an address it may fetch from.";
  let response: Response;
  try {
    response = await fetch(address);
  } catch (cause) {
    throw refuse(`the engine's file cannot be fetched: no answer from ${address}`, hint, cause);
  }
  await response.body?.cancel();
  if (!response.ok) throw refuse(`the engine's file cannot be fetched: ${address} answered ${response.status}`, hint);
  const type = response.headers.get("content-type") ?? "";
  // A page where a file should be: hosts answer so to addresses they do not know.
  if (type.startsWith("text/html")) throw refuse(`the engine's file is not there: ${address} answered with a page (${type})`, hint);
}
