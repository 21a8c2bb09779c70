/** The engine of exported T5 models in a page or a worker: @huggingface/transformers, which the page hands in, on WebAssembly. */
import { reportOf } from "../../core/devices/report.ts";
import { toSpellError } from "../../core/errors.ts";
import type { Seq2SeqRuntime } from "../../core/spec/runtime.ts";
import { openExported, type TransformersModule } from "../../engines/transformers/driver.ts";
import type { OnnxFiles } from "./engine-files.ts";
import { createPause } from "./pause.ts";
import { chooseThreads, usualOnnxThreads } from "./threads.ts";

/** Imports the package. Bundlers follow an import only where the page itself writes it. */
export type TransformersLoader = () => Promise<unknown>;

/** @param files where the page serves the engine, if not beside the package */
export function transformersEngine(load: TransformersLoader, files: OnnxFiles = {}): Seq2SeqRuntime {
  let loading: Promise<TransformersModule> | undefined;
  const start = async (): Promise<TransformersModule> => {
    try {
      return ownFilesOnly((await load()) as TransformersModule, files);
    } catch (error) {
      loading = undefined;
      throw toSpellError(error, "device-unavailable", "transformers.js does not start");
    }
  };
  return {
    name: "transformers.js",
    async open(sources, options) {
      loading ??= start();
      const module = await loading;
      const { threads, notes } = chooseThreads(options.threads, usualOnnxThreads);
      const report = reportOf("wasm", "transformers.js", threads);
      const host = { module, device: "wasm", threads: threads.decode, report, notes, pause: createPause(), now: () => performance.now() };
      return openExported(sources, host, options);
    },
  };
}

/** By default the package fetches its engine from a public server; the page's own origin has it too. */
function ownFilesOnly(module: TransformersModule, { webgpu }: OnnxFiles): TransformersModule {
  const { onnx } = module.env["backends"] as { readonly onnx: { readonly wasm?: { wasmPaths?: unknown } | undefined } };
  if (onnx.wasm !== undefined) onnx.wasm.wasmPaths = webgpu === undefined ? undefined : { wasm: webgpu };
  return module;
}
