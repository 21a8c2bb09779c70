/** What a browser computes on, best first: WebGPU, where there is a real adapter, then WebAssembly. Which is taken is decided by core's rules. */
import { type DeviceCandidate, type RuledDevices, ruledDevices } from "../../core/devices/rules.ts";
import { ggufSelfTest, type SelfTest, t5SelfTest, type VerdictStore } from "../../core/devices/self-test.ts";
import type { Platform } from "../../core/platform.ts";
import type { Device, DeviceOptions, DeviceProbe, GgufRuntime, ModelHandle, Seq2SeqRuntime } from "../../core/spec/runtime.ts";
import { version } from "../../core/version.ts";
import { findAdapter } from "./adapter.ts";
import { largestModel } from "./largest-model.ts";
import { browserVerdicts } from "./verdict-store.ts";

export interface BrowserDeviceOptions {
  readonly bundled: Platform["bundled"];
  readonly verdicts?: VerdictStore | undefined;
  /** Looks for an adapter; by default this page's. */
  readonly adapter?: typeof findAdapter | undefined;
}

/** WebAssembly's memory ends here, whatever the machine has. */
const wasmBytes = 2 ** 32;
const absent: Readonly<Partial<Record<Device, string>>> = { cuda: "webgpu", metal: "webgpu", vulkan: "webgpu" };

/** @param engine opens a model on the device it is told */
export function browserGgufRuntime(engine: Pick<GgufRuntime, "name" | "open">, options: BrowserDeviceOptions): GgufRuntime {
  return { name: engine.name, ...devicesOf(engine, ggufSelfTest, largestModel().gguf, "shader-f16", options) };
}

/** @param engine opens a model on the device it is told */
export function browserSeq2SeqRuntime(engine: Pick<Seq2SeqRuntime, "name" | "open">, options: BrowserDeviceOptions): Seq2SeqRuntime {
  return { name: engine.name, ...devicesOf(engine, t5SelfTest, largestModel().t5, undefined, options) };
}

interface Engine<O, C> {
  readonly name: string;
  open(files: Parameters<DeviceCandidate<O, C>["open"]>[0], options: O): Promise<ModelHandle<C>>;
}

function devicesOf<O extends DeviceOptions, C extends { readonly signal?: AbortSignal | undefined }>(
  engine: Engine<O, C>,
  selfTest: SelfTest<O, C>,
  partBytes: number,
  feature: "shader-f16" | undefined,
  { bundled, verdicts = browserVerdicts(), adapter = findAdapter }: BrowserDeviceOptions,
): RuledDevices<O, C> {
  const open = (...args: Parameters<Engine<O, C>["open"]>): Promise<ModelHandle<C>> => engine.open(...args);
  const candidates: readonly DeviceCandidate<O, C>[] = [
    {
      device: "webgpu",
      runtime: engine.name,
      async probe() {
        const found = await probeWebGpu(adapter, feature);
        return found.ok ? { ...found, partBytes } : found;
      },
      open,
    },
    {
      device: "wasm",
      runtime: engine.name,
      also: ["cpu"],
      probe: async () => ({ ok: true, label: "WebAssembly", isSoftware: false, identity: "", memoryBytes: wasmBytes, partBytes }),
      open,
    },
  ];
  return ruledDevices({ candidates: () => candidates, absent, standIn: "wasm", selfTest, verdicts, bundled });
}

async function probeWebGpu(adapter: typeof findAdapter, feature: "shader-f16" | undefined): Promise<DeviceProbe> {
  if (navigator.gpu === undefined)
    return { ok: false, reason: "no-adapter", hint: "this browser has no WebGPU, or the page is not served over https" };
  const found = await adapter();
  if (found === undefined) return { ok: false, reason: "no-adapter", hint: "this browser offers no WebGPU adapter" };
  const { label, isSoftware, hasF16, bufferBytes } = found;
  if (feature !== undefined && !hasF16) {
    return { ok: false, reason: "missing-feature", hint: `${label} has no ${feature}, which GGUF models need on WebGPU` };
  }
  // A page is not told its driver; the browser's own version stands for it.
  return { ok: true, label, isSoftware, identity: `llmspell ${version}, ${label}, ${navigator.userAgent}`, bufferBytes };
}
