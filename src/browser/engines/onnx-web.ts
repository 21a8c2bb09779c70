/**
 * OnnxRuntime over onnxruntime-web in a page or a worker: the WebAssembly build for processors, the WebGPU build for graphics cards.
 * Never the package's `/all` build: it multiplies wrongly by transposed weights.
 */
import { SpellError, toSpellError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { fastBlocksOn } from "../../core/onnx/weights.ts";
import type { OnnxRuntime } from "../../core/spec/onnx.ts";
import { type GpuMemory, type OrtHost, ortRuntime, placeInMemory, type WebOrtModule } from "../../engines/ort/driver.ts";
import { blobWeight } from "./blob-weights.ts";
import type { OnnxFiles } from "./engine-files.ts";
import { explained } from "./explained.ts";

/** Bundlers look for exactly this form. */
const wasmFile = (): string => new URL("onnxruntime-web/ort-wasm-simd-threaded.wasm", import.meta.url).href;
const webgpuFile = (): string => new URL("onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm", import.meta.url).href;

/** @throws SpellError device-unavailable where the build does not start */
export async function openWasmOnnx(files: OnnxFiles = {}): Promise<OnnxRuntime> {
  return start(() => import("onnxruntime-web/wasm") as Promise<unknown>, files.wasm ?? wasmFile(), {
    device: "wasm",
    executionProvider: "wasm",
    reads16Bit: true,
    widens: true,
    fastBlocks: fastBlocksOn("wasm"),
    columnLimit: 127,
  });
}

/**
 * On a GPUDevice of its own, so that its loss is heard. It is given back when the worker that holds it ends.
 * @throws SpellError device-unavailable where there is no adapter, or the build does not start
 */
export async function openWebGpuOnnx(files: OnnxFiles = {}, gpu: GPU | undefined = navigator.gpu): Promise<OnnxRuntime> {
  const adapter = await gpu?.requestAdapter().catch(() => null);
  if (adapter === null || adapter === undefined) {
    throw new SpellError("device-unavailable", "this browser offers no WebGPU adapter", { hint: "Take wasm, or auto." });
  }
  const device = await requestDevice(adapter);
  const lost = device.lost.then(({ reason, message }) => message || reason);
  return start(() => import("onnxruntime-web/webgpu") as Promise<unknown>, files.webgpu ?? webgpuFile(), {
    device: "webgpu",
    executionProvider: { name: "webgpu", device } as { readonly name: string },
    // only adapters with shader-f16 could; F32 activations do without
    reads16Bit: false,
    widens: true,
    fastBlocks: fastBlocksOn("webgpu"),
    columnLimit: 127,
    keptLocation: "gpu-buffer",
    gpu: device as unknown as GpuMemory,
    lost,
  });
}

/** As the engine would ask for it: whatever helps it that this adapter has. @throws SpellError device-unavailable */
async function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const { limits: most } = adapter;
  try {
    return await adapter.requestDevice({
      requiredFeatures: (["shader-f16", "subgroups", "timestamp-query"] as GPUFeatureName[]).filter((name) => adapter.features.has(name)),
      requiredLimits: {
        maxBufferSize: most.maxBufferSize,
        maxStorageBufferBindingSize: most.maxStorageBufferBindingSize,
        maxStorageBuffersPerShaderStage: most.maxStorageBuffersPerShaderStage,
        maxBindGroups: most.maxBindGroups,
        maxComputeWorkgroupStorageSize: most.maxComputeWorkgroupStorageSize,
        maxComputeWorkgroupsPerDimension: most.maxComputeWorkgroupsPerDimension,
        maxComputeInvocationsPerWorkgroup: most.maxComputeInvocationsPerWorkgroup,
        maxComputeWorkgroupSizeX: most.maxComputeWorkgroupSizeX,
        maxComputeWorkgroupSizeY: most.maxComputeWorkgroupSizeY,
        maxComputeWorkgroupSizeZ: most.maxComputeWorkgroupSizeZ,
      },
    });
  } catch (error) {
    throw toSpellError(error, "device-unavailable", "the WebGPU adapter gives no device");
  }
}

/** What both builds have in common. */
async function start(
  load: () => Promise<unknown>,
  wasm: string,
  build: Omit<OrtHost, "name" | "ort" | "clampThreads" | "place">,
): Promise<OnnxRuntime> {
  let ort: WebOrtModule;
  try {
    ort = (await load()) as WebOrtModule;
  } catch (error) {
    throw toSpellError(error, "device-unavailable", "onnxruntime-web does not start");
  }
  ort.env.wasm.wasmPaths = { wasm };
  ort.env.logLevel = "error";
  const runtime = ortRuntime({
    ...build,
    name: "onnxruntime-web",
    ort,
    clampThreads: (threads) => clampThreads(ort, threads),
    place: (weights, signal) => placeInMemory(weights, signal, limits.onnxWasmWeightBytes, blobWeight),
  });
  return { ...runtime, open: (model, options) => explained(wasm, () => runtime.open(model, options)) };
}

/** One number for the whole module, fixed by its first session; more than one needs an isolated page. */
function clampThreads(ort: WebOrtModule, threads: number): number {
  // the package sets it by itself once it starts
  const most = crossOriginIsolated ? navigator.hardwareConcurrency || 1 : 1;
  const wanted = Math.min(Math.max(1, threads), most);
  if (!fixed.has(ort)) {
    fixed.add(ort);
    ort.env.wasm.numThreads = wanted;
  }
  return ort.env.wasm.numThreads ?? wanted;
}

/** Modules whose number of threads is settled: a page loads each build once. */
const fixed = new WeakSet<WebOrtModule>();
