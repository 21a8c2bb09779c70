/**
 * The platform of hosts that are neither Node nor a browser: edge runtimes such as workerd. It has a network and nothing else: names, headers, formats and
 * detection work; a local engine does not run there, and the error says why.
 */
import { SpellError } from "../core/errors.ts";
import type { LogEntry, Offer, Platform } from "../core/platform.ts";
import { memoryStore } from "../core/store/memory-store.ts";

export interface EdgePlatformOptions {
  readonly log?: ((entry: LogEntry) => void) | undefined;
}

const reason = "edge runtimes start no workers and compile no WebAssembly while they run; run models in Node or a browser";
const noEngine: Offer<never> = { available: false, reason };

export function edgePlatform(options: EdgePlatformOptions = {}): Platform {
  return {
    name: "edge",
    fetch: globalThis.fetch.bind(globalThis),
    gguf: noEngine,
    seq2seq: noEngine,
    exported: noEngine,
    files: { available: false, reason: "an edge runtime has no file system; hand in a Blob, or read a header with httpSource" },
    scripts: noEngine,
    store: memoryStore(),
    isolate: {
      run: () => Promise.reject(new SpellError("device-unavailable", `chat templates are not rendered here: ${reason}`)),
      dispose: () => Promise.resolve(),
    },
    bundled: (model) => Promise.reject(new SpellError("device-unavailable", `${model} does not run here: ${reason}`, { where: model })),
    now: () => performance.now(),
    log: options.log ?? (() => undefined),
  };
}
