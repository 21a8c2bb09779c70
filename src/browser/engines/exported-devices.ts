/** Exported T5 models in a page or a worker: through @huggingface/transformers, which the page hands in, on WebAssembly. */
import { SpellError, toSpellError } from "../../core/errors.ts";
import type { Seq2SeqRuntime } from "../../core/spec/runtime.ts";
import { openExported, type TransformersModule } from "../../engines/transformers/driver.ts";
import type { OnnxFiles } from "./engine-files.ts";
import { chooseThreads, createPause } from "./t5-engine.ts";

/** Imports the package. Bundlers follow an import only where the page itself writes it. */
export type TransformersLoader = () => Promise<unknown>;

/** @param engine where the page serves the engine, if not beside the package */
export function browserExportedRuntime(load: TransformersLoader, engine: OnnxFiles = {}): Seq2SeqRuntime {
  let loading: Promise<TransformersModule> | undefined;
  return {
    name: "transformers.js",
    async open(files, options) {
      const { device } = options;
      if (device !== "auto" && device !== "wasm" && device !== "cpu") {
        const hint = "exported models run on wasm here; the same model as safetensors has more devices";
        throw new SpellError("device-unavailable", `${device} is not available for exported models: ${hint}`, {
          details: { tried: [{ device, ok: false, reason: "not-configured", hint, runtime: "transformers.js" }] },
        });
      }
      loading ??= load().then(
        (module) => ownFilesOnly(module as TransformersModule, engine),
        (error: unknown) => {
          loading = undefined;
          throw toSpellError(error, "device-unavailable", "transformers.js does not start");
        },
      );
      const module = await loading;
      const notes: string[] = [];
      const { threads, origin } = chooseThreads(options.threads, notes);
      return openExported(
        files,
        {
          module,
          device: "wasm",
          threads,
          report: {
            chosen: "wasm",
            tried: [{ device: "wasm", ok: true, reason: "ok", runtime: "transformers.js" }],
            runtime: "transformers.js",
            threads: { prompt: threads, decode: threads, origin },
          },
          notes,
          pause: createPause(),
          now: () => performance.now(),
        },
        options,
      );
    },
  };
}

/** By default the package fetches its engine from a public server; the page's own origin has it too. */
function ownFilesOnly(module: TransformersModule, { webgpu }: OnnxFiles): TransformersModule {
  const { onnx } = module.env["backends"] as { readonly onnx: { readonly wasm?: { wasmPaths?: unknown } | undefined } };
  if (onnx.wasm !== undefined) onnx.wasm.wasmPaths = webgpu === undefined ? undefined : { wasm: webgpu };
  return module;
}
