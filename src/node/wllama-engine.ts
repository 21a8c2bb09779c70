/**
 * GgufRuntime over wllama in Node, as it is used inside the child process of engine-child.ts: it sets globals that a library must not set in
 * its user's process. Which build, which files, how many threads; everything else is in src/wllama/driver.ts, shared with browsers.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ByteSource } from "../core/formats/byte-source.ts";
import type { GgufHandle, GgufOpenOptions, GgufRuntime, ThreadChoice } from "../core/spec/runtime.ts";
import { openWllama, type WllamaHost, type WllamaLike } from "../wllama/driver.ts";
import { hasMemory64, maxFileBytes } from "../wllama/features.ts";
import { builtFile } from "./built-file.ts";
import { clampThreads, readThreadCache, threadCandidates, threadKey, writeThreadCache } from "./threads.ts";
import { webWorkerClass } from "./web-worker.ts";

/** What is used of the package; its own types need a bundler's resolution. */
interface WllamaModule {
  readonly Wllama: new (
    paths: { readonly default: string },
    config: Readonly<Record<string, unknown>>,
  ) => WllamaLike & {
    setCompat(compat: null): void;
    getWorkerResources(): Readonly<Record<string, unknown>>;
  };
  readonly CacheManager: new (backends: readonly unknown[]) => unknown;
}

const require = createRequire(import.meta.url);

/** One engine per process; a model each gets an instance of its own. */
export function createWllamaEngine(): GgufRuntime {
  let deathListeners: ((reason: string) => void)[] = [];
  let loading: Promise<WllamaModule> | undefined;
  const start = (): Promise<WllamaModule> => {
    loading ??= importWllama((reason) => {
      for (const listener of deathListeners.splice(0)) listener(reason);
    });
    return loading;
  };

  const hostFor = (wllama: WllamaModule, threads: ThreadChoice, notes: readonly string[]): WllamaHost => {
    const build = hasMemory64() ? "default" : "compat";
    return {
      label: `wllama ${wllamaVersion()}, ${build} build`,
      maxFileBytes: maxFileBytes[build],
      threads,
      notes,
      create(onDeath) {
        deathListeners = [...deathListeners, onDeath];
        return createInstance(wllama, build);
      },
    };
  };

  return {
    name: "wllama",
    prepare() {
      start().catch(() => undefined); // open() reports it
    },
    async open(files, options) {
      const { threads: asked, note } = clampThreads(options.threads);
      const notes = note === undefined ? [] : [note];
      const wllama = await start();
      const openWith = (choice: ThreadChoice): Promise<GgufHandle> => openWllama(hostFor(wllama, choice, notes), files, options);
      if (asked > 0) return openWith({ prompt: asked, decode: asked, origin: "asked" });
      return openWithBestThreads(files, options, openWith);
    },
  };
}

/**
 * A thread count is fixed for the life of an instance, so each candidate is loaded and tried once per machine and model size.
 * The compiled code is shared between instances of a process, so the second load costs little more than reading the file.
 */
async function openWithBestThreads(
  files: readonly ByteSource[],
  options: GgufOpenOptions,
  openWith: (choice: ThreadChoice) => Promise<GgufHandle>,
): Promise<GgufHandle> {
  const candidates = threadCandidates();
  const key = threadKey(
    "wllama",
    wllamaVersion(),
    files.reduce((sum, { size }) => sum + size, 0),
  );
  const cached = readThreadCache(key);
  if (cached !== undefined) return openWith({ ...cached, origin: "cached" });
  if (candidates.length === 1) return openWith({ prompt: 1, decode: 1, origin: "default" });

  let best: { readonly handle: GgufHandle; readonly ms: number; readonly threads: number } | undefined;
  for (const threads of candidates) {
    const handle = await openWith({ prompt: threads, decode: threads, origin: "measured" });
    const ms = await timeOf(handle, options.signal);
    if (best !== undefined && ms * worthwhile > best.ms) {
      await handle.dispose();
      continue;
    }
    await best?.handle.dispose();
    best = { handle, ms, threads };
  }
  if (best === undefined) return openWith({ prompt: 1, decode: 1, origin: "default" });
  writeThreadCache(key, { prompt: best.threads, decode: best.threads, isSteady: true });
  return best.handle;
}

/** More threads must win by this much: they take processors away from others, and measurements differ by a few percent anyway. */
const worthwhile = 1.08;

/** Milliseconds for a short prompt and a few tokens, in the shares of a usual call; the first run, which still compiles, does not count. */
async function timeOf(handle: GgufHandle, signal: AbortSignal | undefined): Promise<number> {
  const sampling = {
    temperature: 0,
    topK: 0,
    topP: 1,
    minP: 0,
    repeatPenalty: 1,
    repeatLastN: 0,
    presencePenalty: 0,
    frequencyPenalty: 0,
    seed: 0,
  };
  let ms = 0;
  for (const prompt of ["a b c", "one two three four five six seven eight nine ten eleven twelve and so on"]) {
    for await (const piece of handle.generate(prompt, { maxTokens: 8, sampling, stop: [], ...(signal === undefined ? {} : { signal }) })) {
      if (piece.type === "end") ms = piece.prefillMs + piece.decodeMs;
    }
  }
  return ms;
}

async function importWllama(onDeath: (reason: string) => void): Promise<WllamaModule> {
  const scope = builtFile("web-worker-scope");
  const globals = globalThis as Record<string, unknown>;
  globals["Worker"] = webWorkerClass(scope, onDeath);
  globals["self"] = globalThis;
  globals["location"] ??= { href: "file:///" };
  if (!("navigator" in globalThis)) globals["navigator"] = { userAgent: "Node.js", hardwareConcurrency: availableParallelism() };
  // not the package's main entry: that names a file which is not in it
  return (await import(pathToFileURL(join(packageFolder("@wllama/wllama"), "esm/index.js")).href)) as WllamaModule;
}

function createInstance({ Wllama, CacheManager }: WllamaModule, build: "default" | "compat"): WllamaLike {
  const silent = (): void => undefined;
  const noStore = {
    isSupported: () => true,
    read: async () => null,
    write: async () => undefined,
    getSize: async () => -1,
    list: async () => [],
    delete: async () => undefined,
  };
  const instance = new Wllama(
    { default: wasmUrl("@wllama/wllama", "src/wasm/wllama.wasm") },
    {
      cacheManager: new CacheManager([noStore]), // without one it looks for the browser's file system and throws
      suppressNativeLog: true,
      logger: { debug: silent, log: silent, warn: silent, error: silent },
    },
  );
  instance.setCompat(null); // never its default: files from a public server
  if (build === "compat") {
    const resources = instance.getWorkerResources.bind(instance);
    const code = readFileSync(join(packageFolder("@wllama/wllama-compat"), "wasm/wllama.js"), "utf8");
    instance.getWorkerResources = () => ({
      ...resources(),
      wasmPath: wasmUrl("@wllama/wllama-compat", "wasm/wllama.wasm"),
      jsPath: { code },
      compat: true,
    });
  }
  return instance;
}

function wasmUrl(packageName: string, file: string): string {
  return `node${pathToFileURL(join(packageFolder(packageName), file)).href}`;
}

/** Folder of an installed package whose `exports` or `main` may hide everything. */
function packageFolder(name: string): string {
  return dirname(require.resolve(`${name}/package.json`));
}

function wllamaVersion(): string {
  return String((JSON.parse(readFileSync(join(packageFolder("@wllama/wllama"), "package.json"), "utf8")) as { version?: unknown }).version);
}
