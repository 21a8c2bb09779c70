/**
 * Which runtime computes a GGUF model in Node, and why: the only place that decides it. node-llama-cpp where it is installed, else wllama.
 * Every candidate that was looked at is in the report, with its reason; a fallback is never silent.
 */
import { SpellError } from "../core/errors.ts";
import type { ByteSource } from "../core/formats/byte-source.ts";
import type {
  Device,
  DeviceAttempt,
  DeviceChoice,
  DeviceReason,
  GgufGenerateOptions,
  GgufHandle,
  GgufOpenOptions,
  GgufRuntime,
} from "../core/spec/runtime.ts";
import { deviceHere, isInstalled, withAttempts, withReport } from "./device-choice.ts";
import { childRuntime } from "./engine-host.ts";

/** Installs the optional native runtime beside this package; its install script would only look for what npm has brought already. */
export const nativeInstallCommand = "npm install --ignore-scripts node-llama-cpp@3";

const native = "node-llama-cpp";
const portable = "wllama";

export interface NodeGgufOptions {
  /** The two runtimes; by default each in its child process. */
  readonly native?: GgufRuntime;
  readonly portable?: GgufRuntime;
  /** Whether the native runtime is installed; looked up when it is needed. */
  readonly isNativeInstalled?: () => boolean;
  /** As process.platform. */
  readonly os?: NodeJS.Platform;
}

/**
 * The runtime of Node: chooses per model, and says in the report what it chose.
 * @returns a runtime whose open() throws device-unavailable where a device asked for by name is not there
 */
export function nodeGgufRuntime(options: NodeGgufOptions = {}): GgufRuntime {
  const nativeRuntime = options.native ?? childRuntime<GgufOpenOptions, GgufGenerateOptions>({ engine: native });
  const portableRuntime = options.portable ?? childRuntime<GgufOpenOptions, GgufGenerateOptions>({ engine: portable });
  const isNativeInstalled = options.isNativeInstalled ?? (() => isInstalled(native));
  const os = options.os ?? process.platform;

  return {
    name: "node",
    prepare(device: DeviceChoice = "auto") {
      if (device === "webgpu") return;
      const likely = device !== "wasm" && isNativeInstalled() ? nativeRuntime : portableRuntime;
      likely.prepare?.(device);
    },
    async open(files, openOptions) {
      const { device, note } = deviceHere(openOptions.device, os);
      const tried: DeviceAttempt[] = [];
      const notes = note === undefined ? [] : [note];
      const finish = (handle: GgufHandle): GgufHandle => withReport(handle, tried, notes);
      if (note !== undefined && openOptions.device !== "auto") tried.push(attempt(openOptions.device, "not-on-this-platform", note));

      if (device === "webgpu") {
        throw unavailable(device, attempt("webgpu", "not-configured", "WebGPU in Node comes with a later release; take cpu, or auto"));
      }
      if (device !== "wasm") {
        const obstacle = whyNotNative(files, isNativeInstalled);
        if (obstacle === undefined) {
          try {
            return finish(await nativeRuntime.open(files, { ...openOptions, device }));
          } catch (error) {
            const failure = startFailure(error, device);
            if (failure === undefined || (device !== "auto" && device !== "cpu")) throw error;
            tried.push(failure);
          }
        } else if (device === "auto" || device === "cpu") {
          tried.push({ ...obstacle, device: "cpu" });
        } else {
          throw unavailable(device, { ...obstacle, device });
        }
      }
      try {
        return finish(await portableRuntime.open(files, { ...openOptions, device: "wasm" }));
      } catch (error) {
        throw withAttempts(error, tried);
      }
    },
  };
}

function whyNotNative(files: readonly ByteSource[], isNativeInstalled: () => boolean): Omit<DeviceAttempt, "device"> | undefined {
  if (!isNativeInstalled()) return { ok: false, reason: "package-missing", hint: nativeInstallCommand, runtime: native };
  if (files.some(({ path }) => path === undefined)) {
    return {
      ok: false,
      reason: "missing-feature",
      hint: "it reads local files only; this model comes from memory or from a server",
      runtime: native,
    };
  }
  return undefined;
}

/** Only an engine that does not start is passed over. A model it refuses, or dies of, is no reason to feed it to another. */
function startFailure(error: unknown, device: DeviceChoice): DeviceAttempt | undefined {
  if (!(error instanceof SpellError) || error.code !== "device-unavailable") return undefined;
  return attempt(device === "auto" ? "cpu" : device, "driver-missing", error.message);
}

function attempt(device: Device, reason: DeviceReason, hint: string): DeviceAttempt {
  return { device, ok: false, reason, hint, runtime: device === "webgpu" ? portable : native };
}

function unavailable(device: DeviceChoice, why: DeviceAttempt): SpellError {
  const isMissing = why.reason === "package-missing";
  return new SpellError(
    "device-unavailable",
    `${device} is not available: ${isMissing ? `it needs ${native}, which is not installed` : (why.hint ?? why.reason)}`,
    {
      ...(isMissing ? { hint: `Install it: ${nativeInstallCommand}` } : {}),
      commands: [...(isMissing ? [nativeInstallCommand] : []), "llmspell doctor"],
      details: { tried: [why] },
    },
  );
}
