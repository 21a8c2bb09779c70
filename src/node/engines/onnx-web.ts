/** OnnxRuntime over onnxruntime-web's WebAssembly build in Node: what is always there after a plain install. Used inside a child process. */
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { toSpellError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { fastBlocksOn } from "../../core/onnx/weights.ts";
import type { OnnxRuntime } from "../../core/spec/onnx.ts";
import { ortRuntime, placeInMemory, type WebOrtModule } from "../../engines/ort/driver.ts";
import { fileWeights } from "./file-weights.ts";

/** Bytes that a function runs over before V8 optimises it: the default of V8 12 (Node 22). That of Node 20, a seventh, costs each load a second of a processor. */
const tieringBudget = 13_000_000;

/** @throws SpellError device-unavailable where the package does not start */
export async function openWebOnnx(): Promise<OnnxRuntime> {
  let ort: WebOrtModule;
  try {
    if (process.versions.node.startsWith("20.")) setFlagsFromString(`--wasm-tiering-budget=${tieringBudget}`);
    const file = createRequire(import.meta.url).resolve("onnxruntime-web");
    ort = (await import("onnxruntime-web")) as unknown as WebOrtModule;
    // Its own files beside it, never a public server.
    ort.env.wasm.wasmPaths = `${pathToFileURL(dirname(file)).href}/`;
    ort.env.logLevel = "error";
  } catch (error) {
    throw toSpellError(error, "device-unavailable", "onnxruntime-web does not start");
  }
  return ortRuntime({
    name: "onnxruntime-web",
    device: "wasm",
    ort,
    executionProvider: "wasm",
    reads16Bit: true,
    widens: true,
    fastBlocks: fastBlocksOn("wasm"),
    columnLimit: 127,
    clampThreads(threads) {
      // One number for the whole module, fixed by its first session.
      ort.env.wasm.numThreads ??= Math.min(Math.max(1, threads), availableParallelism());
      return ort.env.wasm.numThreads;
    },
    place: (weights, signal) => placeInMemory(weights, signal, limits.onnxWasmWeightBytes, fileWeights()),
  });
}
