/**
 * The engine of GGUF models in a page's worker: wllama, on WebGPU or in WebAssembly. Which build, how many threads, and why. Which device is
 * decided in devices.ts; everything else about the engine is in src/engines/wllama/driver.ts, shared with Node.
 */
import { CacheManager, Wllama } from "@wllama/wllama/esm/index.js";
import { SpellError } from "../../core/errors.ts";
import type { GgufRuntime, ThreadChoice } from "../../core/spec/runtime.ts";
import { openWllama, type WllamaHost } from "../../engines/wllama/driver.ts";
import { maxFileBytes, usefulThreads } from "../../engines/wllama/features.ts";
import { instanceConfig, type WllamaLike } from "../../engines/wllama/instance.ts";
import { kernels } from "../../engines/wllama/kernels.generated.ts";
import { explained } from "./explained.ts";
import { wllamaBuild } from "./largest-model.ts";
import { chooseThreads } from "./threads.ts";

/**
 * Where the engine's files are served from: the page's own origin. Nothing is ever fetched from a public server. By default those of dist/wasm, with our
 * kernels; those of the packages @wllama/wllama and @wllama/wllama-compat, named here, are the engine without them.
 */
export interface WllamaFiles {
  /** wllama.wasm */
  readonly wasm: string;
  /** wllama.wasm and wllama.js, for browsers without 64-bit memory or promise integration */
  readonly compat: { readonly wasm: string; readonly worker: string };
}

/** Bundlers look for exactly this form, and serve the files from the page's own origin. */
const ownFiles = (): WllamaFiles => ({
  wasm: new URL("../../../dist/wasm/wllama-default.wasm", import.meta.url).href,
  compat: {
    wasm: new URL("../../../dist/wasm/wllama-compat.wasm", import.meta.url).href,
    worker: new URL("../../../dist/wasm/wllama-compat.js", import.meta.url).href,
  },
});

/** @returns an engine for the device it is told: `webgpu`, or `wasm` for any other */
export function wllamaEngine(given?: WllamaFiles): GgufRuntime {
  const files = given ?? ownFiles();
  return {
    name: "wllama",
    async open(sources, options) {
      const device = options.device === "webgpu" ? "webgpu" : "wasm";
      const build = wllamaBuild();
      // On a card one thread hands out the work.
      const one: ThreadChoice = { prompt: 1, decode: 1, origin: "default" };
      const { threads, notes } = device === "webgpu" ? { threads: one, notes: [] } : ownThreads(options.threads, given === undefined);
      const starting = new AbortController();
      const host: WllamaHost = {
        label: `wllama, ${build} build${given === undefined ? `, kernels ${kernels}` : ""}`,
        device,
        maxFileBytes: maxFileBytes[build],
        threads,
        notes,
        create(onDeath, onLog) {
          // wllama 3.13.0 throws where it is told that its WebAssembly does not start, and its call never settles.
          const onError = (event: Event): void => {
            event.preventDefault();
            onDeath("its WebAssembly does not start");
          };
          addEventListener("error", onError, { signal: starting.signal });
          return createInstance(files, onDeath, onLog);
        },
      };
      try {
        return await explained(build === "default" ? files.wasm : files.compat.wasm, () =>
          whenThereIsMemory(() => openWllama(host, sources, options)),
        );
      } finally {
        starting.abort();
      }
    },
  };
}

/** A page that is loaded again is told of no memory until the browser has ended the workers of the page before it. */
async function whenThereIsMemory<T>(open: () => Promise<T>): Promise<T> {
  for (let left = 5; ; left -= 1) {
    try {
      return await open();
    } catch (error) {
      const isRefused = error instanceof SpellError && error.message.includes("Cannot allocate WebAssembly.Memory");
      if (!isRefused || left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** @param isOurs the kernels are in the engine: they choose while they compute */
function ownThreads(asked: number, isOurs: boolean): ReturnType<typeof chooseThreads> {
  const { threads, notes } = chooseThreads(asked, isOurs ? usefulThreads : (cores) => Math.max(1, Math.floor(cores / 2)));
  const isOpen = isOurs && asked === 0 && threads.decode > 1;
  return { threads: isOpen ? { ...threads, origin: "running" } : threads, notes };
}

/** @param onLog gets the engine's own lines */
function createInstance(files: WllamaFiles, onDeath: (reason: string) => void, onLog: (line: string) => void): WllamaLike {
  const config = instanceConfig(CacheManager, onLog);
  // The worker's error event arrives here and nowhere else; it would leave every call unsettled.
  const error = (first: unknown, ...rest: unknown[]): void => {
    if (first instanceof Event && first.type === "error") onDeath((first as ErrorEvent).message || "its worker failed");
    else config.logger.error(first, ...rest);
  };
  const instance = new Wllama({ default: files.wasm }, { ...config, logger: { ...config.logger, error } });
  // Always our own files: its default is a public server. It takes them only where the default build cannot run.
  instance.setCompat({ wasm: files.compat.wasm, worker: files.compat.worker });
  if (wllamaBuild() === "compat") {
    // Without relaxed SIMD too, of which wllama knows nothing.
    const resources = instance.getWorkerResources.bind(instance);
    instance.getWorkerResources = () => ({ ...resources(), wasmPath: files.compat.wasm, jsPath: files.compat.worker, compat: true });
  }
  return instance as unknown as WllamaLike;
}
