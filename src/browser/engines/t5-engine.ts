/**
 * The engine of encoder-decoder models in a page's worker: onnxruntime-web, on WebGPU or in WebAssembly, and how many threads. Which device is
 * decided in devices.ts; everything about T5 is in src/core/t5, about BERT in src/core/bert.
 */

import { openBert } from "../../core/bert/engine.ts";
import { looksLikeBert } from "../../core/bert/files.ts";
import { reportOf } from "../../core/devices/report.ts";
import type { OnnxRuntime } from "../../core/spec/onnx.ts";
import type { Seq2SeqRuntime } from "../../core/spec/runtime.ts";
import { openT5Encoder } from "../../core/t5/encoder.ts";
import { openT5 } from "../../core/t5/engine.ts";
import type { OnnxFiles } from "./engine-files.ts";
import { openWasmOnnx, openWebGpuOnnx } from "./onnx-web.ts";
import { createPause } from "./pause.ts";
import { chooseThreads, usualOnnxThreads } from "./threads.ts";

const name = "onnxruntime-web";

/**
 * @param startGpu tests hand in a device they can take away
 * @returns an engine for the device it is told: `webgpu`, or `wasm` for any other
 */
export function t5Engine(files: OnnxFiles = {}, startGpu: () => Promise<OnnxRuntime> = () => openWebGpuOnnx(files)): Seq2SeqRuntime {
  let wasm: Promise<OnnxRuntime> | undefined;
  const startWasm = (): Promise<OnnxRuntime> => {
    wasm ??= openWasmOnnx(files);
    wasm.catch(() => {
      wasm = undefined;
    });
    return wasm;
  };

  return {
    name,
    async open(sources, options) {
      const device = options.device === "webgpu" ? "webgpu" : "wasm";
      // A device for each model: what is lost with one is lost to no other.
      const onnx = await (device === "webgpu" ? startGpu() : startWasm());
      const { threads, notes } = chooseThreads(options.threads, usualOnnxThreads);
      const report = (graph: { readonly threads: number }) =>
        reportOf(device, name, { prompt: graph.threads, decode: graph.threads, origin: threads.origin });
      const host = { onnx, threads: threads.decode, report, pause: createPause(), now: () => performance.now(), notes };
      if (options.use === undefined) return openT5(sources, host, options);
      return (await looksLikeBert(sources)) ? openBert(sources, host, options) : openT5Encoder(sources, host, options);
    },
  };
}
