/** What a browser hands to core. Worker-safe web globals only; never the page. */
import { SpellError } from "../core/errors.ts";
import { blobSource, bytesSource } from "../core/formats/byte-source.ts";
import type { LogEntry, Platform } from "../core/platform.ts";
import { exportedRuntime, ggufRuntime, t5Runtime } from "./engines/devices.ts";
import { type EngineFiles, engineFiles } from "./engines/engine-files.ts";
import type { TransformersLoader } from "./engines/transformers-engine.ts";
import { workerRuntime } from "./engines/worker-runtime.ts";
import { workerIsolate } from "./isolate.ts";
import { browserStore } from "./store/store.ts";

/** `wllama`, `onnx`: where the engines' files are served, for pages that have neither a bundler nor an import map. */
export interface BrowserPlatformOptions extends EngineFiles {
  /** `() => import("@huggingface/transformers")`, for models that were exported to ONNX: an optional package that only the page can name. */
  readonly transformers?: TransformersLoader | undefined;
  /** A token of the Hugging Face Hub that the page's user has typed, or where it is now; sent to the hub only. */
  readonly hubToken?: string | (() => string | undefined) | undefined;
  /** Folder of the bundled models, with a slash at its end; default: beside this package. */
  readonly models?: string | undefined;
  readonly log?: ((entry: LogEntry) => void) | undefined;
}

export function browserPlatform(options: BrowserPlatformOptions = {}): Platform {
  const files = engineFiles(options);
  const log = options.log ?? (() => undefined);
  const bundled: Platform["bundled"] = async (model, file) => {
    const address = options.models === undefined ? packaged(model, file) : new URL(`${model}/${file}`, options.models);
    // Bundlers write small files into the code; a policy that names origins would not let them be fetched.
    if (address.protocol === "data:") return bytesSource(file, dataBytes(address));
    const response = await fetchPlainly(address);
    if (!response.ok)
      throw new SpellError("net-status", `${address.href}: the server answered ${response.status}`, { where: address.href });
    return blobSource(file, await response.blob());
  };
  return {
    name: "browser",
    fetch: fetchPlainly,
    gguf: { available: true, value: ggufRuntime(workerRuntime("wllama", { files }), { bundled }) },
    seq2seq: { available: true, value: t5Runtime(workerRuntime("onnxruntime-web", { files }), { bundled }) },
    exported:
      options.transformers === undefined
        ? {
            available: false,
            reason: 'hand in transformers.js: browserPlatform({ transformers: () => import("@huggingface/transformers") })',
          }
        : { available: true, value: exportedRuntime(options.transformers, files.onnx, { bundled }) },
    files: { available: false, reason: "a page has no file system; hand in a File, or name a bundled model" },
    config: { hubToken: () => (typeof options.hubToken === "function" ? options.hubToken() : options.hubToken) },
    store: browserStore(log),
    isolate: workerIsolate(),
    bundled,
    now: () => performance.now(),
    log,
  };
}

/**
 * Hubs keep large files on hosts that refuse to be asked beforehand (CORS preflights), as a browser does for every header but a few. A single range is
 * one of these few, `If-Range` is not; what it guards is looked at again when the answer is there.
 */
function fetchPlainly(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  if (init?.headers === undefined) return globalThis.fetch(input, init);
  const headers = new Headers(init.headers);
  headers.delete("if-range");
  return globalThis.fetch(input, { ...init, headers });
}

function dataBytes({ href }: URL): Uint8Array {
  const comma = href.indexOf(",");
  const data = href.slice(comma + 1);
  if (!href.slice(0, comma).endsWith(";base64")) return new TextEncoder().encode(decodeURIComponent(data));
  return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
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
