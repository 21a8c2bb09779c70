/**
 * What computes in Node: which devices, through which runtime, best first, for each kind of model. Each engine runs in a child process.
 * Which device is taken is decided by the rules of core/devices; src/browser/engines/devices.ts is the same table for pages.
 */
import { existsSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { type DeviceRules, type RuledDevices, ruledDevices } from "../../core/devices/rules.ts";
import { ggufSelfTest, t5SelfTest, type VerdictStore } from "../../core/devices/self-test.ts";
import type { ByteSource } from "../../core/formats/byte-source.ts";
import { limits } from "../../core/limits.ts";
import type { Platform } from "../../core/platform.ts";
import type { CommonOpenOptions } from "../../core/remote/caller.ts";
import type { RemoteRuntime } from "../../core/remote/runtime.ts";
import { isGpu } from "../../core/spec/devices.ts";
import type {
  Device,
  DeviceChoice,
  DeviceOptions,
  DeviceProbe,
  GgufGenerateOptions,
  GgufOpenOptions,
  GgufRuntime,
  Seq2SeqGenerateOptions,
  Seq2SeqOpenOptions,
  Seq2SeqRuntime,
} from "../../core/spec/runtime.ts";
import { canRunDefaultBuild, maxFileBytes } from "../../engines/wllama/features.ts";
import { bundledFile } from "../bundled-file.ts";
import { childRuntime } from "./child-runtime.ts";
import type { EngineName } from "./fork-engine.ts";
import { type Graphics, glance, hardwareOnly, lookAtGraphics } from "./graphics.ts";
import { installCommand, isInstalled, llamaBinary, packageFolder } from "./packages.ts";
import { homeVerdicts } from "./verdict-store.ts";
import { kernelsVariable } from "./wllama-files.ts";

/** What the tables know of this machine; tests replace it. */
export interface NodeDeviceOptions {
  /** As process.platform. */
  readonly os?: NodeJS.Platform | undefined;
  readonly graphics?: (() => Graphics) | undefined;
  readonly isInstalled?: ((packageName: string) => boolean) | undefined;
  readonly verdicts?: VerdictStore | undefined;
  readonly bundled?: Platform["bundled"] | undefined;
  /** bytes that models on the CPU may take */
  readonly memoryBytes?: (() => number) | undefined;
}

type Engine<O, C> = Pick<RemoteRuntime<O, C>, "prepare" | "probe" | "open">;
/** @param isAuto software adapters are kept out of its sight */
type EngineFor<O, C> = (isAuto: boolean) => Engine<O, C>;

/** A line of a table: a device through one runtime. */
interface Row<O, C> {
  readonly device: Device;
  readonly runtime: EngineName;
  readonly engine: EngineFor<O, C>;
  /** What has to be installed. */
  readonly packages?: readonly string[];
  /** Why it does not run these files; without files, why it does not run here. */
  readonly obstacle?: ((files: readonly ByteSource[]) => DeviceProbe | undefined) | undefined;
  /** A model that does not fit is divided between this device and the CPU. */
  readonly divides?: boolean;
  /** bytes of the largest part that the engine takes, where that is less than memory */
  readonly partBytes?: number;
}

export interface NodeGgufOptions extends NodeDeviceOptions {
  readonly native?: EngineFor<GgufOpenOptions, GgufGenerateOptions> | undefined;
  readonly portable?: EngineFor<GgufOpenOptions, GgufGenerateOptions> | undefined;
  /** Default true; false: llama.cpp's WebAssembly as its package has it. */
  readonly wasmKernels?: boolean | undefined;
}

/** @returns a runtime for GGUF models whose open() throws device-* where a device asked for by name cannot be used */
export function ggufRuntime(options: NodeGgufOptions = {}): GgufRuntime {
  const { os = process.platform } = options;
  const native = options.native ?? children("node-llama-cpp");
  const portable = options.portable ?? children("wllama", options.wasmKernels === false ? { [kernelsVariable]: "off" } : {});
  const llama = { runtime: "node-llama-cpp", engine: native, packages: ["node-llama-cpp"], obstacle: needsPaths } as const;
  const gpus: readonly Row<GgufOpenOptions, GgufGenerateOptions>[] =
    os === "darwin"
      ? [{ ...llama, device: "metal", divides: true }]
      : (["cuda", "vulkan"] as const).map((device) => ({
          ...llama,
          device,
          divides: true,
          packages: [...llama.packages, llamaBinary(device, os)],
        }));
  return tableRuntime(options, { selfTest: ggufSelfTest }, [
    ...gpus,
    { device: "webgpu", runtime: "wllama", engine: portable, packages: ["webgpu"] },
    { device: "cpu", ...llama },
    { device: "wasm", runtime: "wllama", engine: portable, partBytes: maxFileBytes[canRunDefaultBuild() ? "default" : "compat"] },
  ]);
}

export interface NodeT5Options extends NodeDeviceOptions {
  readonly native?: EngineFor<Seq2SeqOpenOptions, Seq2SeqGenerateOptions> | undefined;
  readonly portable?: EngineFor<Seq2SeqOpenOptions, Seq2SeqGenerateOptions> | undefined;
  /** Whether the files of onnxruntime-node's CUDA provider are there. */
  readonly hasCuda?: (() => boolean) | undefined;
}

/** @returns a runtime for T5 checkpoints whose open() throws device-* where a device asked for by name cannot be used */
export function t5Runtime(options: NodeT5Options = {}): Seq2SeqRuntime {
  const { os = process.platform, hasCuda = hasCudaFiles } = options;
  const native = options.native ?? children("onnxruntime-node");
  const portable = options.portable ?? children("onnxruntime-web");
  const onnx = { runtime: "onnxruntime-node", engine: native, packages: ["onnxruntime-node"] } as const;
  const cuda = { ...onnx, device: "cuda", obstacle: () => (hasCuda() ? undefined : missingPackage(cudaInstallCommand)) } as const;
  return tableRuntime(options, { selfTest: t5SelfTest }, [
    { device: "webgpu", ...onnx },
    ...(os === "darwin" ? [] : [cuda]),
    { device: "cpu", ...onnx },
    { device: "wasm", runtime: "onnxruntime-web", engine: portable, partBytes: limits.onnxWasmWeightBytes },
  ]);
}

/** @returns a runtime for T5 models exported to ONNX: transformers.js on the CPU */
export function exportedRuntime(options: NodeDeviceOptions = {}): Seq2SeqRuntime {
  const engine = children<Seq2SeqOpenOptions, Seq2SeqGenerateOptions>("transformers.js");
  const hint = "Take the folder with safetensors: the same model has more devices there.";
  return tableRuntime(options, { selfTest: t5SelfTest, hint }, [
    { device: "cpu", runtime: "transformers.js", engine, packages: ["@huggingface/transformers"] },
  ]);
}

/** A runtime over one table; the rules of core choose among its rows. */
function tableRuntime<O extends DeviceOptions, C extends { readonly signal?: AbortSignal | undefined }>(
  options: NodeDeviceOptions,
  about: Pick<DeviceRules<O, C>, "selfTest" | "hint">,
  rows: readonly Row<O, C>[],
): RuledDevices<O, C> & { readonly name: string; prepare(device?: DeviceChoice): void } {
  const { os = process.platform, graphics = () => lookAtGraphics(os), memoryBytes = usableMemory } = options;
  const isThere = options.isInstalled ?? isInstalled;
  const obstacleTo = ({ packages = [], obstacle }: Row<O, C>, files: readonly ByteSource[]): DeviceProbe | undefined => {
    const missing = packages.find((name) => !isThere(name));
    return missing === undefined ? obstacle?.(files) : missingPackage(installCommand(missing));
  };
  /** Other names of a device: what Dawn computes with underneath; WebAssembly runs on the CPU. */
  const otherNames = (device: Device): readonly Device[] => {
    if (device === "wasm") return ["cpu"];
    return device !== "webgpu" || os === "win32" ? [] : [os === "darwin" ? "metal" : "vulkan"];
  };
  return {
    name: "node",
    prepare(device = "auto") {
      const isAuto = device === "auto";
      const isLikely = (row: Row<O, C>): boolean =>
        isAuto ? !isGpu(row.device) : row.device === device || otherNames(row.device).includes(device);
      rows
        .find((row) => isLikely(row) && obstacleTo(row, []) === undefined)
        ?.engine(isAuto)
        .prepare();
    },
    ...ruledDevices<O, C>({
      ...about,
      candidates: (isAuto) =>
        rows.map((row) => ({
          ...row,
          also: otherNames(row.device),
          async probe(files) {
            const obstacle = obstacleTo(row, files);
            if (obstacle !== undefined) return obstacle;
            if (!isGpu(row.device)) return processor(memoryBytes(), row.partBytes);
            return glance(graphics(), isAuto) ?? row.engine(isAuto).probe(row.device);
          },
          open: (files, open) => row.engine(isAuto).open(files, open),
        })),
      absent: os === "darwin" ? { cuda: "metal", vulkan: "metal" } : { metal: "webgpu or cuda" },
      standIn: "cpu",
      verdicts: options.verdicts ?? homeVerdicts(),
      bundled: options.bundled ?? bundledFile,
    }),
  };
}

/** A child runtime for `auto`, which keeps software adapters out of sight, and one for devices asked for by name. */
function children<O extends CommonOpenOptions, C extends { readonly signal?: AbortSignal | undefined }>(
  engine: EngineName,
  env: Readonly<Record<string, string>> = {},
): EngineFor<O, C> {
  const auto = childRuntime<O, C>({ engine, env: { ...hardwareOnly, ...env } });
  const named = childRuntime<O, C>({ engine, env });
  return (isAuto) => (isAuto ? auto : named);
}

function missingPackage(command: string): DeviceProbe {
  return { ok: false, reason: "package-missing", hint: command, actions: [{ kind: "shell", line: command }] };
}

function needsPaths(files: readonly ByteSource[]): DeviceProbe | undefined {
  if (files.every(({ path }) => path !== undefined)) return undefined;
  return { ok: false, reason: "missing-feature", hint: "it reads local files only; this model comes from memory or from a server" };
}

/** The CPU is always present, and needs no self-test: nothing would be left if it failed. */
function processor(memoryBytes: number, partBytes: number | undefined): DeviceProbe {
  const cores = availableParallelism();
  const label = `${cores} ${cores === 1 ? "processor" : "processors"}`;
  return { ok: true, label, isSoftware: false, identity: "", memoryBytes, partBytes };
}

/** bytes that a program gets at most, whatever else runs */
function usableMemory(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

/** The install script of onnxruntime-node fetches the CUDA libraries from NuGet. */
const cudaInstallCommand = "ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node";

function hasCudaFiles(): boolean {
  const file = process.platform === "win32" ? "onnxruntime_providers_cuda.dll" : "libonnxruntime_providers_cuda.so";
  return existsSync(join(packageFolder("onnxruntime-node"), "bin/napi-v6", process.platform, process.arch, file));
}
