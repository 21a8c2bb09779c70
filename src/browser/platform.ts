/** What a browser hands to core. Worker-safe web globals only; never the page. */
import { SpellError } from "../core/errors.ts";
import { blobSource } from "../core/formats/byte-source.ts";
import type { LogEntry, Platform } from "../core/platform.ts";
import { browserGgufRuntime, type WllamaFiles } from "./gguf.ts";
import { workerIsolate } from "./isolate.ts";

export interface BrowserPlatformOptions {
  /** Where the engine's files are served, for pages that are not built by a bundler. */
  readonly wllama?: WllamaFiles;
  /** Folder of the bundled models, with a slash at its end; default: beside this package. */
  readonly models?: string;
  readonly log?: (entry: LogEntry) => void;
}

export function browserPlatform(options: BrowserPlatformOptions = {}): Platform {
  const fetchHere = globalThis.fetch.bind(globalThis);
  return {
    name: "browser",
    fetch: fetchHere,
    gguf: { available: true, value: browserGgufRuntime(options.wllama) },
    seq2seq: { available: false, reason: "T5 in the browser comes with a later release" },
    files: { available: false, reason: "a page has no file system; hand in a File, or name a bundled model" },
    isolate: workerIsolate(),
    async bundled(model, file) {
      const address = options.models === undefined ? packaged(model, file) : new URL(`${model}/${file}`, options.models);
      const response = await fetchHere(address);
      if (!response.ok)
        throw new SpellError("net-status", `${address.href}: the server answered ${response.status}`, { where: address.href });
      return blobSource(file, await response.blob());
    },
    now: () => performance.now(),
    log: options.log ?? (() => undefined),
  };
}

/** Each file by itself, in the form bundlers look for, so that they serve it. */
function packaged(model: string, file: string): URL {
  if (model === "tiny-stories" && file === "tiny-stories.gguf") {
    return new URL("../../builtins/models/tiny-stories/tiny-stories.gguf", import.meta.url);
  }
  throw new SpellError("internal-error", `${model}/${file} is not in this package`);
}
