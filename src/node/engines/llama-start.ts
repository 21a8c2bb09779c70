/** Starting node-llama-cpp in this process, and what it finds of graphics cards. Nothing is compiled and nothing downloaded. */
import child_process, { type ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { syncBuiltinESMExports } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Llama } from "node-llama-cpp";
import { messageOf, SpellError } from "../../core/errors.ts";
import { isSoftwareAdapter } from "../../core/spec/devices.ts";
import type { DeviceChoice, DeviceProbe } from "../../core/spec/runtime.ts";
import { loadComplaint } from "../../engines/load-complaint.ts";
import { lookAtGraphics } from "./graphics.ts";
import { installCommand, isInstalled, llamaBinary, packageFolder, packageVersion } from "./packages.ts";

export const engineName = "node-llama-cpp";

/** What llama.cpp said last of a model that it does not load; it throws no reason. */
let complaint: string | undefined;

/** @returns "missing tensor 'blk.0.ffn_up.weight'", once */
export function takeComplaint(): string | undefined {
  const said = complaint;
  complaint = undefined;
  return said;
}

export type Gpu = "cuda" | "vulkan" | "metal" | false;

/**
 * Starts the engine. It never compiles and never downloads (E18).
 * @throws SpellError device-unavailable
 */
export async function startLlama(gpu: Gpu): Promise<Llama> {
  let mend: (() => void) | undefined;
  try {
    const { getLlama, LlamaLogLevel } = await importLlama();
    // A GPU's binary is tested the long way: where it fails, the next one is taken.
    if (gpu === false) mend = skipBinaryTest();
    return await getLlama({
      gpu,
      build: "never",
      skipDownload: true,
      progressLogs: false,
      logLevel: LlamaLogLevel.error,
      maxThreads: availableParallelism(),
      // stdout is ignored; the end of stderr is part of a crash's report
      logger: (_level, message) => {
        complaint = loadComplaint(message) ?? complaint;
        process.stderr.write(`${message}\n`);
      },
    });
  } catch (cause) {
    const text = messageOf(cause);
    const isMissing = /NoBinaryFound/.test(cause instanceof Error ? `${cause.name} ${cause.constructor.name} ${text}` : text);
    if (isMissing && (gpu === "cuda" || gpu === "vulkan")) {
      throw new SpellError("device-unavailable", `${gpu} is not available: ${engineName} has no binary for it here`, {
        hint: "Install the binary, or use the CPU.",
        actions: [{ kind: "shell", line: installCommand(llamaBinary(gpu)) }, { kind: "diagnose" }],
        details: { reason: "package-missing" },
        cause,
      });
    }
    throw new SpellError("device-unavailable", `${engineName} does not start${gpu === false ? "" : ` with ${gpu}`}: ${text}`, { cause });
  } finally {
    mend?.();
  }
}

/** The version whose code lies in llama-package.ts's one file; the build compares. */
export const packedVersion = "3.22.1";

export function importLlama(): Promise<typeof import("./llama-package.ts")> {
  return packageVersion(engineName) === packedVersion ? import("./llama-package.ts") : import("node-llama-cpp");
}

/**
 * Before it loads its binary, node-llama-cpp tries it in a process of its own, which takes 0.36 s of each start. This process is such a one
 * already: should the binary crash, the parent sees it and says so. So the test is answered here, in its own words (ready, start, loaded, test,
 * done, exit); every other fork passes. If the test changes its name or its words, it simply runs again (or, at worst, answers "not compatible").
 * @returns puts the real fork back
 */
function skipBinaryTest(): () => void {
  const real = child_process.fork;
  const answerTest = (): ChildProcess => {
    const test = new EventEmitter();
    const send = (message: { readonly type: string }): boolean => {
      if (message.type === "start") queueMicrotask(() => test.emit("message", { type: "loaded" }));
      else if (message.type === "test") queueMicrotask(() => test.emit("message", { type: "done" }));
      else queueMicrotask(() => test.emit("exit", 0));
      return true;
    };
    setImmediate(() => test.emit("message", { type: "ready" }));
    return Object.assign(test, { send, kill: () => true, killed: false, exitCode: null }) as unknown as ChildProcess;
  };
  child_process.fork = ((file: string, ...rest: []) =>
    /[\\/]testBindingBinary\.js$/.test(String(file)) ? answerTest() : real(file, ...rest)) as typeof real;
  syncBuiltinESMExports();
  return () => {
    child_process.fork = real;
    syncBuiltinESMExports();
  };
}

/** Whether a binary for a GPU is installed: Metal comes with the one for Apple's processors, the others are packages of their own. */
export function mayHaveGpu(): boolean {
  if (process.platform === "darwin") return process.arch === "arm64";
  const from = join(packageFolder(engineName), "index.js");
  return (["cuda", "vulkan"] as const).some((gpu) => isInstalled(llamaBinary(gpu), from));
}

export function engineVersion(): string {
  return packageVersion(engineName);
}

/** @throws SpellError device-unavailable */
export function gpuOf(device: DeviceChoice): Gpu {
  if (device === "cpu" || device === "auto") return false;
  if (device !== "webgpu" && device !== "wasm") return device;
  throw new SpellError("device-unavailable", `${engineName} cannot compute on ${device}`, { details: { reason: "missing-feature" } });
}

/** What the engine says of its graphics cards. */
export interface LlamaGpu {
  readonly gpu: Llama["gpu"];
  getGpuDeviceNames(): Promise<readonly string[]>;
  getVramState(): Promise<{ readonly total: number; readonly free: number }>;
}

/** A GPU counts only with a device that has a name and memory: the name of the backend is no proof (E19). */
export async function lookAtGpu(llama: LlamaGpu, asked: Exclude<Gpu, false>): Promise<DeviceProbe> {
  const names = await llama.getGpuDeviceNames().catch((): readonly string[] => []);
  const memory = await llama.getVramState().catch(() => ({ total: 0, free: 0 }));
  if (llama.gpu !== asked || names.length === 0 || memory.total === 0) {
    return { ok: false, reason: "driver-missing", hint: `${engineName} has ${asked}, but found no device behind it` };
  }
  const label = names.join(", ");
  return {
    ok: true,
    label,
    isSoftware: isSoftwareAdapter(label),
    identity: `${engineName} ${engineVersion()}, ${label}, ${lookAtGraphics().identity}`,
    memoryBytes: memory.free,
  };
}
