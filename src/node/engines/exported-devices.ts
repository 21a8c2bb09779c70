/** Exported T5 models in Node: through the optional package @huggingface/transformers, on the CPU, in a child process. */
import { SpellError } from "../../core/errors.ts";
import type {
  DeviceAttempt,
  DeviceChoice,
  DeviceReason,
  Seq2SeqGenerateOptions,
  Seq2SeqOpenOptions,
  Seq2SeqRuntime,
} from "../../core/spec/runtime.ts";
import { childRuntime } from "./child-runtime.ts";
import { isInstalled } from "./devices.ts";

/** Its install scripts would only fetch what this path does not need. */
export const transformersInstallCommand = "npm install --ignore-scripts @huggingface/transformers@4";

const packageName = "@huggingface/transformers";

export interface NodeExportedOptions {
  /** By default in a child process. */
  readonly runtime?: Seq2SeqRuntime | undefined;
  /** Whether the package is installed; looked up when it is needed. */
  readonly isInstalled?: (() => boolean) | undefined;
}

/** @returns a runtime whose open() throws device-unavailable where the package is not installed, or another device than the CPU is asked for */
export function nodeExportedRuntime(options: NodeExportedOptions = {}): Seq2SeqRuntime {
  const runtime = options.runtime ?? childRuntime<Seq2SeqOpenOptions, Seq2SeqGenerateOptions>({ engine: "transformers.js" });
  const isThere = options.isInstalled ?? (() => isInstalled(packageName));
  return {
    name: "transformers.js",
    prepare() {
      if (isThere()) runtime.prepare?.();
    },
    async open(files, openOptions) {
      const { device } = openOptions;
      if (device !== "auto" && device !== "cpu") {
        throw unavailable(device, "not-configured", "exported models run on the CPU here; the same model as safetensors has more devices");
      }
      if (!isThere()) throw unavailable(device, "package-missing", transformersInstallCommand);
      return runtime.open(files, openOptions);
    },
  };
}

function unavailable(device: DeviceChoice, reason: DeviceReason, hint: string): SpellError {
  const isMissing = reason === "package-missing";
  const attempt: DeviceAttempt = { device: device === "auto" ? "cpu" : device, ok: false, reason, hint, runtime: "transformers.js" };
  return new SpellError(
    "device-unavailable",
    isMissing
      ? `exported models are run by ${packageName}, which is not installed (package-missing)`
      : `${device} is not available for exported models: ${hint}`,
    {
      hint: isMissing ? "Install it, or take the folder with safetensors: it runs as it lies." : undefined,
      commands: [...(isMissing ? [hint] : []), "llmspell doctor"],
      details: { tried: [attempt] },
    },
  );
}
