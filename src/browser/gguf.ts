/**
 * GgufRuntime over wllama in a page or a worker: which build, how many threads, and why. WebAssembly only in this release; WebGPU is
 * reported as not configured. Everything else about the engine is in src/wllama/driver.ts, shared with Node.
 */
import { CacheManager, Wllama } from "@wllama/wllama/esm/index.js";
import { SpellError } from "../core/errors.ts";
import type { DeviceAttempt, GgufHandle, GgufRuntime, ThreadChoice } from "../core/spec/runtime.ts";
import { openWllama, type WllamaLike } from "../wllama/driver.ts";
import { hasMemory64, hasPromiseIntegration, maxFileBytes } from "../wllama/features.ts";

/** Where the engine's files are served from: the page's own origin. Nothing is ever fetched from a public server. */
export interface WllamaFiles {
  /** wllama.wasm of @wllama/wllama */
  readonly wasm: string;
  /** wllama.wasm and wllama.js of @wllama/wllama-compat, for browsers without 64-bit memory or promise integration */
  readonly compat: { readonly wasm: string; readonly worker: string };
}

/** Bundlers look for exactly this form, find the files by their package, and serve them from the page's own origin. */
const defaultFiles = (): WllamaFiles => ({
  wasm: new URL("@wllama/wllama/src/wasm/wllama.wasm", import.meta.url).href,
  compat: {
    wasm: new URL("@wllama/wllama-compat/wasm/wllama.wasm", import.meta.url).href,
    worker: new URL("@wllama/wllama-compat/wasm/wllama.js", import.meta.url).href,
  },
});

/** wllama's own cache is not used: models come from a ByteSource. */
const noStore = {
  isSupported: () => true,
  read: async () => null,
  write: async () => undefined,
  getSize: async () => -1,
  list: async () => [],
  delete: async () => undefined,
};

export function browserGgufRuntime(files: WllamaFiles = defaultFiles()): GgufRuntime {
  return {
    name: "wllama",
    async open(sources, options) {
      const { device } = options;
      const tried: DeviceAttempt[] = [];
      const notes: string[] = [];
      const webgpu: DeviceAttempt = {
        device: "webgpu",
        ok: false,
        reason: "not-configured",
        hint: "WebGPU comes with a later release",
        runtime: "wllama",
      };
      if (device === "webgpu") {
        throw new SpellError("device-unavailable", "webgpu is not available: it comes with a later release", {
          hint: "Take wasm, or auto.",
          details: { tried: [webgpu] },
        });
      }
      if (device === "auto") tried.push(webgpu);
      if (device === "cuda" || device === "metal" || device === "vulkan") {
        tried.push({ device, ok: false, reason: "not-on-this-platform", hint: "use webgpu", runtime: "wllama" });
        notes.push(`${device} does not exist in a browser; wasm is used (use webgpu)`);
      }
      const build = hasMemory64() && hasPromiseIntegration() ? "default" : "compat";
      const threads = chooseThreads(options.threads, notes);
      const handle = await openWllama(
        {
          label: `wllama, ${build} build`,
          device: "wasm",
          maxFileBytes: maxFileBytes[build],
          threads,
          notes,
          create: (onDeath) => createInstance(files, onDeath),
        },
        sources,
        options,
      );
      return withTried(handle, tried);
    },
  };
}

function createInstance(files: WllamaFiles, onDeath: (reason: string) => void): WllamaLike {
  const silent = (): void => undefined;
  const instance = new Wllama(
    { default: files.wasm },
    {
      // biome-ignore format: one line reads better
      cacheManager: new CacheManager([noStore] as unknown as ConstructorParameters<typeof CacheManager>[0]),
      suppressNativeLog: true,
      logger: {
        debug: silent,
        log: silent,
        warn: silent,
        // The worker's error event arrives here and nowhere else; it would leave every call unsettled.
        error: (first: unknown) => {
          if (first instanceof Event && first.type === "error") onDeath((first as ErrorEvent).message || "its worker failed");
        },
      },
    },
  );
  // Always our own files: its default is a public server. It takes them only where the default build cannot run.
  instance.setCompat({ wasm: files.compat.wasm, worker: files.compat.worker });
  return instance as unknown as WllamaLike;
}

function chooseThreads(asked: number, notes: string[]): ThreadChoice {
  const cores = navigator.hardwareConcurrency || 1;
  if (!crossOriginIsolated) {
    notes.push("1 thread because the page is not cross-origin isolated");
    return { prompt: 1, decode: 1, origin: "default" };
  }
  if (asked > cores) notes.push(`${asked} threads were asked for; this machine offers ${cores}, so ${cores} are used`);
  const threads = asked > 0 ? Math.min(asked, cores) : Math.max(1, Math.floor(cores / 2));
  return { prompt: threads, decode: threads, origin: asked > 0 ? "asked" : "default" };
}

/** The handle, with what was tried before it in its report. Its own fields stay live. */
function withTried(handle: GgufHandle, tried: readonly DeviceAttempt[]): GgufHandle {
  return {
    ...handle,
    get alive() {
      return handle.alive;
    },
    device: { ...handle.device, tried: [...tried, ...handle.device.tried] },
  };
}
