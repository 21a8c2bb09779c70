/** Encoder-decoder models in a page or a worker: which device, how many threads, and why. Everything about T5 is in src/core/t5. */
import { SpellError } from "../core/errors.ts";
import type { OnnxRuntime } from "../core/spec/onnx.ts";
import type { DeviceAttempt, Seq2SeqRuntime, ThreadChoice } from "../core/spec/runtime.ts";
import { openT5 } from "../core/t5/engine.ts";
import { findAdapter, type OnnxFiles, openWasmOnnx, openWebGpuOnnx } from "./onnx.ts";

const name = "onnxruntime-web";

export function browserSeq2SeqRuntime(files: OnnxFiles = {}): Seq2SeqRuntime {
  const runtimes = new Map<"wasm" | "webgpu", Promise<OnnxRuntime>>();
  const start = (device: "wasm" | "webgpu"): Promise<OnnxRuntime> => {
    const known = runtimes.get(device);
    if (known !== undefined) return known;
    const starting = device === "webgpu" ? openWebGpuOnnx(files) : openWasmOnnx(files);
    runtimes.set(device, starting);
    starting.catch(() => runtimes.delete(device));
    return starting;
  };

  return {
    name,
    async open(sources, options) {
      const { device } = options;
      const tried: DeviceAttempt[] = [];
      const notes: string[] = [];
      if (device === "webgpu") {
        const adapter = await findAdapter();
        if (adapter === undefined) {
          const attempt: DeviceAttempt = { device, ok: false, reason: "no-adapter", runtime: name };
          throw new SpellError("device-unavailable", "webgpu is not available: this browser offers no adapter", {
            hint: "Take wasm, or auto.",
            details: { tried: [attempt] },
          });
        }
        if (adapter.isSoftware) notes.push(`${adapter.label} is a processor that plays a graphics card: slower than wasm`);
      }
      if (device === "auto") {
        tried.push({ device: "webgpu", ok: false, reason: "not-configured", hint: "taken where it is asked for by name", runtime: name });
      }
      if (device === "cuda" || device === "metal" || device === "vulkan") {
        tried.push({ device, ok: false, reason: "not-on-this-platform", hint: "use webgpu", runtime: name });
        notes.push(`${device} does not exist in a browser; wasm is used (use webgpu)`);
      }
      const chosen = device === "webgpu" ? "webgpu" : "wasm";
      const onnx = await start(chosen);
      const { threads, origin } = chooseThreads(options.threads, notes);
      return openT5(
        sources,
        {
          onnx,
          threads,
          report: (graph) => {
            const choice: ThreadChoice = { prompt: graph.threads, decode: graph.threads, origin };
            return { chosen, tried: [...tried, { device: chosen, ok: true, reason: "ok", runtime: name }], runtime: name, threads: choice };
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
