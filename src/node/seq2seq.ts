/**
 * Which ONNX Runtime computes an encoder-decoder model in Node, and why: onnxruntime-node where it is installed, else onnxruntime-web, which
 * always is. Every candidate that was looked at is in the report, with its reason; a fallback is never silent.
 */
import { SpellError } from "../core/errors.ts";
import type { DeviceAttempt, DeviceChoice, Seq2SeqGenerateOptions, Seq2SeqOpenOptions, Seq2SeqRuntime } from "../core/spec/runtime.ts";
import { deviceHere, isInstalled, withAttempts, withReport } from "./device-choice.ts";
import { childRuntime } from "./engine-host.ts";

/** Installs the optional native runtime; its install script would only fetch CUDA libraries. */
export const onnxInstallCommand = "npm install --ignore-scripts onnxruntime-node@1.30.0";

const native = "onnxruntime-node";
const portable = "onnxruntime-web";

export interface NodeSeq2SeqOptions {
  /** The two runtimes; by default each in its child process. */
  readonly native?: Seq2SeqRuntime;
  readonly portable?: Seq2SeqRuntime;
  /** Whether the native runtime is installed; looked up when it is needed. */
  readonly isNativeInstalled?: () => boolean;
  /** As process.platform. */
  readonly os?: NodeJS.Platform;
}

/**
 * The runtime of Node: chooses per model, and says in the report what it chose.
 * @returns a runtime whose open() throws device-unavailable where a device asked for by name is not there
 */
export function nodeSeq2SeqRuntime(options: NodeSeq2SeqOptions = {}): Seq2SeqRuntime {
  const nativeRuntime = options.native ?? childRuntime<Seq2SeqOpenOptions, Seq2SeqGenerateOptions>({ engine: native });
  const portableRuntime = options.portable ?? childRuntime<Seq2SeqOpenOptions, Seq2SeqGenerateOptions>({ engine: portable });
  const isNativeInstalled = options.isNativeInstalled ?? (() => isInstalled(native));
  const os = options.os ?? process.platform;

  return {
    name: "node",
    prepare(device: DeviceChoice = "auto") {
      const likely = device !== "wasm" && isNativeInstalled() ? nativeRuntime : portableRuntime;
      likely.prepare?.(device);
    },
    async open(files, openOptions) {
      const { device, note } = deviceHere(openOptions.device, os);
      const tried: DeviceAttempt[] = [];
      const notes = note === undefined ? [] : [note];
      if (note !== undefined && openOptions.device !== "auto") {
        tried.push({ device: openOptions.device, ok: false, reason: "not-on-this-platform", hint: note, runtime: native });
      }
      if (device !== "auto" && device !== "cpu" && device !== "wasm") throw unavailable(device);
      if (device !== "wasm") {
        if (isNativeInstalled()) {
          try {
            return withReport(await nativeRuntime.open(files, { ...openOptions, device: "cpu" }), tried, notes);
          } catch (error) {
            // Only an engine that does not start is passed over. A model it refuses, or dies of, is no reason to feed it to another.
            if (!(error instanceof SpellError) || error.code !== "device-unavailable") throw error;
            tried.push({ device: "cpu", ok: false, reason: "driver-missing", hint: error.message, runtime: native });
          }
        } else {
          tried.push({ device: "cpu", ok: false, reason: "package-missing", hint: onnxInstallCommand, runtime: native });
        }
      }
      try {
        return withReport(await portableRuntime.open(files, { ...openOptions, device: "wasm" }), tried, notes);
      } catch (error) {
        throw withAttempts(error, tried);
      }
    },
  };
}

function unavailable(device: Exclude<DeviceChoice, "auto">): SpellError {
  const hint = "GPUs for T5 come with a later release; take cpu, or auto";
  return new SpellError("device-unavailable", `${device} is not available for T5 models: ${hint}`, {
    commands: ["llmspell doctor"],
    details: { tried: [{ device, ok: false, reason: "not-configured", hint, runtime: native }] },
  });
}
