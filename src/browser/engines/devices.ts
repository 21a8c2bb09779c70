/**
 * What computes in a page: which devices, through which runtime, best first, for each kind of model. Which device is taken is decided by the
 * rules of core/devices; src/node/engines/devices.ts is the same table for Node.
 */
import { type DeviceRules, type RuledDevices, ruledDevices } from "../../core/devices/rules.ts";
import { ggufSelfTest, t5SelfTest, type VerdictStore } from "../../core/devices/self-test.ts";
import type { ByteSource } from "../../core/formats/byte-source.ts";
import type { Platform } from "../../core/platform.ts";
import type { DeviceOptions, DeviceProbe, GgufRuntime, ModelHandle, Seq2SeqRuntime } from "../../core/spec/runtime.ts";
import { once } from "../../core/values.ts";
import { version } from "../../core/version.ts";
import { kernels } from "../../engines/wllama/kernels.generated.ts";
import { type findAdapter, pageAdapter } from "./adapter.ts";
import type { OnnxFiles } from "./engine-files.ts";
import { largestModel } from "./largest-model.ts";
import type { TransformersLoader } from "./transformers-engine.ts";
import { browserVerdicts } from "./verdict-store.ts";

export interface BrowserDeviceOptions {
  readonly bundled: Platform["bundled"];
  readonly verdicts?: VerdictStore | undefined;
  /** Looks for an adapter; by default this page's. */
  readonly adapter?: typeof findAdapter | undefined;
}

/** A line of a table: a device through the engine. */
interface Row {
  readonly device: "webgpu" | "wasm";
  /** bytes of the largest part that the engine takes */
  readonly partBytes?: number;
  /** what the adapter must have */
  readonly feature?: "shader-f16";
}

/** @param engine opens a model on the device it is told */
export function ggufRuntime(engine: Pick<GgufRuntime, "name" | "open">, options: BrowserDeviceOptions): GgufRuntime {
  const partBytes = largestModel().gguf;
  return tableRuntime(engine, options, { selfTest: ggufSelfTest }, [
    { device: "webgpu", partBytes, feature: "shader-f16" },
    { device: "wasm", partBytes },
  ]);
}

/** @param engine opens a T5 checkpoint on the device it is told */
export function t5Runtime(engine: Pick<Seq2SeqRuntime, "name" | "open">, options: BrowserDeviceOptions): Seq2SeqRuntime {
  const partBytes = largestModel().t5;
  return tableRuntime(engine, options, { selfTest: t5SelfTest }, [
    { device: "webgpu", partBytes },
    { device: "wasm", partBytes },
  ]);
}

/**
 * T5 models exported to ONNX. Few pages run them: the others do not load the code.
 * @param load imports transformers.js @param files where the page serves its engine, if not beside the package
 */
export function exportedRuntime(load: TransformersLoader, files: OnnxFiles | undefined, options: BrowserDeviceOptions): Seq2SeqRuntime {
  const engine = once(async () => (await import("./transformers-engine.ts")).transformersEngine(load, files));
  const open: Seq2SeqRuntime["open"] = async (sources, openOptions) => (await engine()).open(sources, openOptions);
  const hint = "Take the folder with safetensors: the same model has more devices there.";
  return tableRuntime({ name: "transformers.js", open }, options, { selfTest: t5SelfTest, hint }, [{ device: "wasm" }]);
}

/** WebAssembly's memory ends here, whatever the machine has. */
const wasmBytes = 2 ** 32;

/** A runtime over one table; the rules of core choose among its rows. */
function tableRuntime<O extends DeviceOptions, C extends { readonly signal?: AbortSignal | undefined }>(
  engine: { readonly name: string; open(files: readonly ByteSource[], options: O): Promise<ModelHandle<C>> },
  { bundled, verdicts = browserVerdicts(), adapter = pageAdapter }: BrowserDeviceOptions,
  about: Pick<DeviceRules<O, C>, "selfTest" | "hint">,
  rows: readonly Row[],
): RuledDevices<O, C> & { readonly name: string } {
  return {
    name: engine.name,
    ...ruledDevices<O, C>({
      ...about,
      candidates: () =>
        rows.map(({ device, partBytes, feature }) => ({
          device,
          runtime: engine.name,
          also: device === "wasm" ? ["cpu"] : [],
          async probe() {
            if (device === "webgpu") return probeWebGpu(adapter, feature, partBytes);
            return { ok: true, label: "WebAssembly", isSoftware: false, identity: "", memoryBytes: wasmBytes, partBytes };
          },
          open: (files, open) => engine.open(files, open),
        })),
      absent: { cuda: "webgpu", metal: "webgpu", vulkan: "webgpu" },
      standIn: "wasm",
      verdicts,
      bundled,
    }),
  };
}

async function probeWebGpu(adapter: typeof findAdapter, feature: Row["feature"], partBytes: number | undefined): Promise<DeviceProbe> {
  if (navigator.gpu === undefined) {
    return { ok: false, reason: "no-adapter", hint: "this browser has no WebGPU, or the page is not served over https" };
  }
  const found = await adapter();
  if (found === undefined) return { ok: false, reason: "no-adapter", hint: "this browser offers no WebGPU adapter" };
  const { label, isSoftware, hasF16, bufferBytes } = found;
  if (feature !== undefined && !hasF16) {
    return { ok: false, reason: "missing-feature", hint: `${label} has no ${feature}, which GGUF models need on WebGPU` };
  }
  // A page is not told its driver; the browser's own version stands for it.
  return {
    ok: true,
    label,
    isSoftware,
    identity: `llmspell ${version}, kernels ${kernels}, ${label}, ${navigator.userAgent}`,
    bufferBytes,
    partBytes,
  };
}
