/**
 * What computes an encoder-decoder model in Node, best first: onnxruntime-node on WebGPU, on CUDA, on the processor, and onnxruntime-web in
 * WebAssembly, which is always there. Each in a child process. Which is taken is decided by core's rules.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type DeviceCandidate, ruledDevices } from "../../core/devices/rules.ts";
import { t5SelfTest } from "../../core/devices/self-test.ts";
import { limits } from "../../core/limits.ts";
import type { RemoteRuntime } from "../../core/remote/runtime.ts";
import { isGpu } from "../../core/spec/devices.ts";
import type { DeviceProbe, Seq2SeqGenerateOptions, Seq2SeqOpenOptions, Seq2SeqRuntime } from "../../core/spec/runtime.ts";
import { childRuntime } from "./child-runtime.ts";
import { absentDevices, beneathWebGpu, glance, missingPackage, type NodeDeviceOptions, nodeDevices, processor } from "./devices.ts";
import { hardwareOnly } from "./graphics.ts";

/** Installs the optional native runtime; its install script would only fetch CUDA libraries. */
export const onnxInstallCommand = "npm install --ignore-scripts onnxruntime-node@1.30.0";
/** Its install script fetches the CUDA libraries from NuGet. */
const cudaInstallCommand = "ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node";

const native = "onnxruntime-node";
const portable = "onnxruntime-web";

type Engine = Pick<RemoteRuntime<Seq2SeqOpenOptions, Seq2SeqGenerateOptions>, "prepare" | "probe" | "open">;
type Candidate = DeviceCandidate<Seq2SeqOpenOptions, Seq2SeqGenerateOptions>;

export interface NodeSeq2SeqOptions extends NodeDeviceOptions {
  /** The native engine; by default in a child process. @param isAuto software adapters are kept out of its sight */
  readonly native?: ((isAuto: boolean) => Engine) | undefined;
  readonly portable?: Engine | undefined;
  /** Whether the files of its CUDA provider are there. */
  readonly hasCuda?: (() => boolean) | undefined;
}

/**
 * The runtime of Node: chooses per model, and says in the report what it chose.
 * @returns a runtime whose open() throws device-* where a device asked for by name cannot be had
 */
export function nodeSeq2SeqRuntime(options: NodeSeq2SeqOptions = {}): Seq2SeqRuntime {
  const { os, graphics, isInstalled, verdicts, bundled, memoryBytes } = nodeDevices(options);
  const nativeEngine = options.native ?? nativeByAuto();
  const portableEngine = options.portable ?? childRuntime<Seq2SeqOpenOptions, Seq2SeqGenerateOptions>({ engine: portable });
  const hasCuda = options.hasCuda ?? hasCudaFiles;

  const candidates = (isAuto: boolean): readonly Candidate[] => {
    const gpu = (device: "webgpu" | "cuda", obstacle: () => DeviceProbe | undefined): Candidate => ({
      device,
      runtime: native,
      also: device === "webgpu" ? beneathWebGpu(os) : [],
      async probe() {
        if (!isInstalled(native)) return missingPackage(onnxInstallCommand);
        return obstacle() ?? glance(graphics(), isAuto) ?? nativeEngine(isAuto).probe(device);
      },
      open: (files, open) => nativeEngine(isAuto).open(files, open),
    });
    return [
      gpu("webgpu", () => undefined),
      ...(os === "darwin" ? [] : [gpu("cuda", () => (hasCuda() ? undefined : missingPackage(cudaInstallCommand)))]),
      {
        device: "cpu",
        runtime: native,
        probe: async () => (isInstalled(native) ? processor(memoryBytes()) : missingPackage(onnxInstallCommand)),
        open: (files, open) => nativeEngine(isAuto).open(files, open),
      },
      {
        device: "wasm",
        runtime: portable,
        also: ["cpu"],
        probe: async () => processor(memoryBytes(), limits.onnxWasmWeightBytes),
        open: (files, open) => portableEngine.open(files, open),
      },
    ];
  };

  return {
    name: "node",
    prepare(device = "auto") {
      const likely = device !== "wasm" && isInstalled(native) ? nativeEngine(device === "auto") : portableEngine;
      likely.prepare(isGpu(device) ? "auto" : device);
    },
    ...ruledDevices({ candidates, absent: absentDevices(os), standIn: "cpu", selfTest: t5SelfTest, verdicts, bundled }),
  };
}

/** One child runtime for `auto`, which keeps software adapters out of sight, and one for devices asked for by name. */
function nativeByAuto(): (isAuto: boolean) => Engine {
  const auto = childRuntime<Seq2SeqOpenOptions, Seq2SeqGenerateOptions>({ engine: native, env: hardwareOnly });
  const named = childRuntime<Seq2SeqOpenOptions, Seq2SeqGenerateOptions>({ engine: native });
  return (isAuto) => (isAuto ? auto : named);
}

function hasCudaFiles(): boolean {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${native}/package.json`));
    const file = process.platform === "win32" ? "onnxruntime_providers_cuda.dll" : "libonnxruntime_providers_cuda.so";
    return existsSync(join(folder, "bin/napi-v6", process.platform, process.arch, file));
  } catch {
    return false;
  }
}
