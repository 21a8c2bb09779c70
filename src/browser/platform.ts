/** What a browser hands to core. Worker-safe web globals only; never the page. */
import { SpellError } from "../core/errors.ts";
import { blobSource } from "../core/formats/byte-source.ts";
import type { LogEntry, Platform } from "../core/platform.ts";
import { browserExportedRuntime, type TransformersLoader } from "./exported.ts";
import { browserGgufRuntime, type WllamaFiles } from "./gguf.ts";
import { workerIsolate } from "./isolate.ts";
import type { OnnxFiles } from "./onnx.ts";
import { browserSeq2SeqRuntime } from "./seq2seq.ts";
import { browserStore } from "./store.ts";

export interface BrowserPlatformOptions {
  /** Where the engine's files are served, for pages that are not built by a bundler. */
  readonly wllama?: WllamaFiles;
  readonly onnx?: OnnxFiles;
  /** `() => import("@huggingface/transformers")`, for models that were exported to ONNX: an optional package that only the page can name. */
  readonly transformers?: TransformersLoader;
  /** Folder of the bundled models, with a slash at its end; default: beside this package. */
  readonly models?: string;
  readonly log?: (entry: LogEntry) => void;
}

export function browserPlatform(options: BrowserPlatformOptions = {}): Platform {
  const fetchHere = globalThis.fetch.bind(globalThis);
  const log = options.log ?? (() => undefined);
  return {
    name: "browser",
    fetch: fetchHere,
    gguf: { available: true, value: browserGgufRuntime(options.wllama) },
    seq2seq: { available: true, value: browserSeq2SeqRuntime(options.onnx) },
    exported:
      options.transformers === undefined
        ? {
            available: false,
            reason: 'hand in transformers.js: browserPlatform({ transformers: () => import("@huggingface/transformers") })',
          }
        : { available: true, value: browserExportedRuntime(options.transformers, options.onnx) },
    files: { available: false, reason: "a page has no file system; hand in a File, or name a bundled model" },
    store: browserStore(log),
    isolate: workerIsolate(),
    async bundled(model, file) {
      const address = options.models === undefined ? packaged(model, file) : new URL(`${model}/${file}`, options.models);
      const response = await fetchHere(address);
      if (!response.ok)
        throw new SpellError("net-status", `${address.href}: the server answered ${response.status}`, { where: address.href });
      return blobSource(file, await response.blob());
    },
    now: () => performance.now(),
    log,
  };
}

/** Each file by itself, in the form bundlers look for, so that they serve it. */
function packaged(model: string, file: string): URL {
  const address = packagedFiles[`${model}/${file}`];
  if (address === undefined) throw new SpellError("internal-error", `${model}/${file} is not in this package`);
  return address();
}

const packagedFiles: Readonly<Record<string, () => URL>> = {
  "tiny-stories/tiny-stories.gguf": () => new URL("../../builtins/models/tiny-stories/tiny-stories.gguf", import.meta.url),
  "tiny-t5-en-fr/config.json": () => new URL("../../builtins/models/tiny-t5-en-fr/config.json", import.meta.url),
  "tiny-t5-en-fr/generation_config.json": () => new URL("../../builtins/models/tiny-t5-en-fr/generation_config.json", import.meta.url),
  "tiny-t5-en-fr/model.safetensors": () => new URL("../../builtins/models/tiny-t5-en-fr/model.safetensors", import.meta.url),
  "tiny-t5-en-fr/tokenizer.json": () => new URL("../../builtins/models/tiny-t5-en-fr/tokenizer.json", import.meta.url),
  "tiny-t5-en-fr/tokenizer_config.json": () => new URL("../../builtins/models/tiny-t5-en-fr/tokenizer_config.json", import.meta.url),
};
