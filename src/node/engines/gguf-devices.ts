/**
 * What computes a GGUF model in Node, best first: node-llama-cpp on its own GPU, wllama on WebGPU, node-llama-cpp on the processor, wllama in
 * WebAssembly, which is always there. Each in a child process. Which is taken is decided by core's rules.
 */
import { type DeviceCandidate, ruledDevices } from "../../core/devices/rules.ts";
import { ggufSelfTest } from "../../core/devices/self-test.ts";
import type { ByteSource } from "../../core/formats/byte-source.ts";
import type { RemoteRuntime } from "../../core/remote/runtime.ts";
import { isGpu } from "../../core/spec/devices.ts";
import type { Device, DeviceProbe, GgufGenerateOptions, GgufOpenOptions, GgufRuntime } from "../../core/spec/runtime.ts";
import { hasMemory64, maxFileBytes } from "../../engines/wllama/features.ts";
import { childRuntime } from "./child-runtime.ts";
import { dawnInstallCommand } from "./dawn.ts";
import { absentDevices, beneathWebGpu, glance, missingPackage, type NodeDeviceOptions, nodeDevices, processor } from "./devices.ts";
import { hardwareOnly } from "./graphics.ts";

/** Installs the optional native runtime beside this package; its install script would only look for what npm has brought already. */
export const nativeInstallCommand = "npm install --ignore-scripts node-llama-cpp@3";

const native = "node-llama-cpp";
const portable = "wllama";

type Engine = Pick<RemoteRuntime<GgufOpenOptions, GgufGenerateOptions>, "prepare" | "probe" | "open">;
type Candidate = DeviceCandidate<GgufOpenOptions, GgufGenerateOptions>;

export interface NodeGgufOptions extends NodeDeviceOptions {
  /** The two engines; by default each in its child process. @param isAuto software adapters are kept out of its sight */
  readonly native?: ((isAuto: boolean) => Engine) | undefined;
  readonly portable?: ((isAuto: boolean) => Engine) | undefined;
}

/**
 * The runtime of Node: chooses per model, and says in the report what it chose.
 * @returns a runtime whose open() throws device-* where a device asked for by name cannot be had
 */
export function nodeGgufRuntime(options: NodeGgufOptions = {}): GgufRuntime {
  const { os, graphics, isInstalled, verdicts, bundled, memoryBytes } = nodeDevices(options);
  const nativeEngine = options.native ?? byAuto(native);
  const portableEngine = options.portable ?? byAuto(portable);

  const candidates = (isAuto: boolean): readonly Candidate[] => {
    const gpus = os === "darwin" ? (["metal"] as const) : (["cuda", "vulkan"] as const);
    return [
      ...gpus.map(
        (device): Candidate => ({
          device,
          runtime: native,
          divides: true,
          async probe(files) {
            const obstacle = whyNotNative(files, isInstalled);
            if (obstacle !== undefined) return obstacle;
            const binary = gpuBinary(device, os);
            if (binary !== undefined && !isInstalled(binary)) return missingPackage(`npm install ${binary}@3`);
            return glance(graphics(), isAuto) ?? nativeEngine(isAuto).probe(device);
          },
          open: (files, open) => nativeEngine(isAuto).open(files, open),
        }),
      ),
      {
        device: "webgpu",
        runtime: portable,
        also: beneathWebGpu(os),
        async probe() {
          if (!isInstalled("webgpu")) return missingPackage(dawnInstallCommand);
          return glance(graphics(), isAuto) ?? portableEngine(isAuto).probe("webgpu");
        },
        open: (files, open) => portableEngine(isAuto).open(files, open),
      },
      {
        device: "cpu",
        runtime: native,
        probe: async (files) => whyNotNative(files, isInstalled) ?? processor(memoryBytes()),
        open: (files, open) => nativeEngine(isAuto).open(files, open),
      },
      {
        device: "wasm",
        runtime: portable,
        also: ["cpu"],
        probe: async () => processor(memoryBytes(), maxFileBytes[hasMemory64() ? "default" : "compat"]),
        open: (files, open) => portableEngine(isAuto).open(files, open),
      },
    ];
  };

  return {
    name: "node",
    prepare(device = "auto") {
      if (device === "webgpu") return;
      const isAuto = device === "auto";
      const likely = device !== "wasm" && isInstalled(native) ? nativeEngine(isAuto) : portableEngine(isAuto);
      likely.prepare(isGpu(device) ? "auto" : device);
    },
    ...ruledDevices({ candidates, absent: absentDevices(os), standIn: "cpu", selfTest: ggufSelfTest, verdicts, bundled }),
  };
}

/** One child runtime for `auto`, which keeps software adapters out of sight, and one for devices asked for by name. */
function byAuto(engine: "node-llama-cpp" | "wllama"): (isAuto: boolean) => Engine {
  const auto = childRuntime<GgufOpenOptions, GgufGenerateOptions>({ engine, env: hardwareOnly });
  const named = childRuntime<GgufOpenOptions, GgufGenerateOptions>({ engine });
  return (isAuto) => (isAuto ? auto : named);
}

function whyNotNative(files: readonly ByteSource[], isInstalled: (name: string) => boolean): DeviceProbe | undefined {
  if (!isInstalled(native)) return missingPackage(nativeInstallCommand);
  if (files.some(({ path }) => path === undefined)) {
    return { ok: false, reason: "missing-feature", hint: "it reads local files only; this model comes from memory or from a server" };
  }
  return undefined;
}

/** Metal comes with the package for Apple's processors; the others are packages of their own. */
function gpuBinary(device: Device, os: NodeJS.Platform): string | undefined {
  return device === "metal" ? undefined : `@node-llama-cpp/${os === "win32" ? "win" : os}-${process.arch}-${device}`;
}
