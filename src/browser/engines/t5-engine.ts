/**
 * The engine of encoder-decoder models in a page's worker: onnxruntime-web, on WebGPU or in WebAssembly, and how many threads. Which device is
 * decided in devices.ts; everything about T5 is in src/core/t5.
 */
import type { OnnxRuntime } from "../../core/spec/onnx.ts";
import type { Seq2SeqRuntime, ThreadChoice } from "../../core/spec/runtime.ts";
import { openT5 } from "../../core/t5/engine.ts";
import type { OnnxFiles } from "./engine-files.ts";
import { openWasmOnnx, openWebGpuOnnx } from "./onnx-web.ts";

const name = "onnxruntime-web";

/**
 * @param startGpu tests hand in a device they can take away
 * @returns an engine for the device it is told: `webgpu`, or `wasm` for any other
 */
export function onnxEngine(files: OnnxFiles = {}, startGpu: () => Promise<OnnxRuntime> = () => openWebGpuOnnx(files)): Seq2SeqRuntime {
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
      const notes: string[] = [];
      // A device for each model: what is lost with one is lost to no other.
      const onnx = await (device === "webgpu" ? startGpu() : startWasm());
      const { threads, origin } = chooseThreads(options.threads, notes);
      return openT5(
        sources,
        {
          onnx,
          threads,
          report: (graph) => {
            const choice: ThreadChoice = { prompt: graph.threads, decode: graph.threads, origin };
            return { chosen: device, tried: [{ device, ok: true, reason: "ok", runtime: name }], runtime: name, threads: choice };
          },
          pause: createPause(),
          now: () => performance.now(),
          notes,
        },
        options,
      );
    },
  };
}

export function chooseThreads(asked: number, notes: string[]): { readonly threads: number; readonly origin: ThreadChoice["origin"] } {
  if (!crossOriginIsolated) {
    notes.push("1 thread because the page is not cross-origin isolated");
    return { threads: 1, origin: "default" };
  }
  const cores = navigator.hardwareConcurrency || 1;
  if (asked > cores) notes.push(`${asked} threads were asked for; this machine offers ${cores}, so ${cores} are used`);
  return asked > 0 ? { threads: Math.min(asked, cores), origin: "asked" } : { threads: Math.min(8, cores), origin: "default" };
}

/** A later turn of the event loop, without the four milliseconds that browsers add to timers. */
export function createPause(): () => Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      port2.postMessage(0);
    });
}
