/**
 * GgufRuntime over wllama in Node, as it is used inside the child process of engine-child.ts: it sets globals that a library must not set in
 * its user's process. Which build, which files, how many threads; everything else is in src/engines/wllama/driver.ts, shared with browsers.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { messageOf } from "../../core/errors.ts";
import type { ByteSource } from "../../core/formats/byte-source.ts";
import type { Device, DeviceProbe, GgufHandle, GgufRuntime, ThreadChoice } from "../../core/spec/runtime.ts";
import { once } from "../../core/values.ts";
import { describeAdapter, type GpuAdapter } from "../../engines/adapter.ts";
import { openWllama, type WllamaHost } from "../../engines/wllama/driver.ts";
import { maxFileBytes, usefulThreads } from "../../engines/wllama/features.ts";
import { instanceConfig, type WllamaLike } from "../../engines/wllama/instance.ts";
import { builtFile } from "../built-file.ts";
import { openFileSource } from "../file-source.ts";
import { loadDawn, openGpu } from "./dawn.ts";
import { packageFolder, packageVersion } from "./packages.ts";
import { clampThreads, defaultThreads } from "./threads.ts";
import { webWorkerClass } from "./web-worker.ts";
import { hasKernels, type WllamaBuild, wllamaBuild } from "./wllama-files.ts";

/** What is used of the package; its own types need a bundler's resolution. */
interface WllamaModule {
  readonly Wllama: new (
    paths: { readonly default: string },
    config: Readonly<Record<string, unknown>>,
  ) => WllamaLike & {
    setCompat(compat: null): void;
    getWorkerResources(): Readonly<Record<string, unknown>>;
  };
  readonly CacheManager: new (backends: never) => unknown;
}

/** In Bun the process ends with a second thread of the engine (1.4.4). */
const mostThreads = process.versions["bun"] === undefined ? availableParallelism() : 1;

/**
 * Bytes of code that a function runs before V8 optimises it; its own number is 1.8 million. Of llama.cpp that takes in large functions that run a few
 * times (the parser of chat templates, constructors, JSON): seconds of its compiler in each process, and a hundred megabytes. The kernels reach this
 * number within a tenth of a second.
 */
const optimisedAfter = 400_000_000;

/** One engine per process; a model each gets an instance of its own. */
export function wllamaEngine(): GgufRuntime & { probe(device: Device): Promise<DeviceProbe> } {
  if (process.versions["bun"] === undefined && process.versions["deno"] === undefined) {
    setFlagsFromString(`--wasm-tiering-budget=${optimisedAfter}`);
  }
  let deathListeners: ((reason: string) => void)[] = [];
  const scope = { hasGpu: false };
  const start = once(() =>
    importWllama(scope, (reason) => {
      for (const listener of deathListeners.splice(0)) listener(reason);
    }),
  );

  const hostFor = (wllama: WllamaModule, device: "webgpu" | "wasm", threads: ThreadChoice, notes: readonly string[]): WllamaHost => {
    const files = wllamaBuild();
    return {
      label: `wllama ${files.version}, ${files.build} build`,
      device,
      maxFileBytes: maxFileBytes[files.build],
      threads,
      notes,
      create(onDeath, onLog) {
        deathListeners = [...deathListeners, onDeath];
        return createInstance(wllama, files, onLog);
      },
    };
  };

  return {
    name: "wllama",
    prepare() {
      start().catch(() => undefined); // open() reports it
    },
    probe: probeDawn,
    async open(given, options) {
      const files = await Promise.all(given.map(readHere));
      const { threads: asked, note } = clampThreads(options.threads, mostThreads);
      const notes = note === undefined ? [] : [note];
      const device = options.device === "webgpu" ? "webgpu" : "wasm";
      scope.hasGpu = device === "webgpu";
      const wllama = await start();
      const openWith = (choice: ThreadChoice): Promise<GgufHandle> => openWllama(hostFor(wllama, device, choice, notes), files, options);
      // The card computes; a thread waits for it.
      if (device === "webgpu") return openWith({ prompt: 1, decode: 1, origin: "default" });
      if (asked > 0) return openWith({ prompt: asked, decode: asked, origin: "asked" });
      // The kernels choose among these while they compute; the engine alone has no choice.
      const [threads, origin] = hasKernels()
        ? ([usefulThreads(mostThreads), "running"] as const)
        : ([defaultThreads(mostThreads), "default"] as const);
      return openWith({ prompt: threads, decode: threads, origin });
    },
  };
}

/** Local files are read in this process: through the caller's each byte goes over a pipe. A file that has changed is left to the caller, who says so. */
async function readHere(source: ByteSource): Promise<ByteSource> {
  if (source.path === undefined) return source;
  const own = await openFileSource(source.path).catch(() => undefined);
  return own !== undefined && own.version === source.version ? { ...source, read: own.read } : source;
}

/** Here, in the child's main thread; the model's worker loads the package anew. */
async function probeDawn(device: Device): Promise<DeviceProbe> {
  if (device !== "webgpu") return { ok: false, reason: "missing-feature", hint: `wllama does not compute on ${device}` };
  let adapter: GpuAdapter | null;
  try {
    const dawn = loadDawn(import.meta.url);
    Object.assign(globalThis, dawn.globals);
    adapter = await openGpu(dawn).requestAdapter();
  } catch (error) {
    return { ok: false, reason: "driver-missing", hint: `webgpu (Dawn) does not start: ${messageOf(error)}` };
  }
  if (adapter === null) return { ok: false, reason: "no-adapter", hint: "Dawn finds no graphics card" };
  const { label, isSoftware, hasF16, bufferBytes } = describeAdapter(adapter);
  if (!hasF16) return { ok: false, reason: "missing-feature", hint: `${label} has no shader-f16, which GGUF models need on WebGPU` };
  const identity = `wllama ${wllamaBuild().version}, webgpu ${packageVersion("webgpu")}, ${label}`;
  return { ok: true, label, isSoftware, identity, bufferBytes };
}

/** @param gpu read when a worker starts: whether it shall have navigator.gpu */
async function importWllama(gpu: { readonly hasGpu: boolean }, onDeath: (reason: string) => void): Promise<WllamaModule> {
  const scope = builtFile("engines/web-worker-scope");
  const globals = globalThis as Record<string, unknown>;
  globals["Worker"] = webWorkerClass(scope, () => gpu.hasGpu, onDeath);
  globals["self"] = globalThis;
  globals["location"] ??= { href: "file:///" };
  if (!("navigator" in globalThis)) globals["navigator"] = { userAgent: "Node.js", hardwareConcurrency: availableParallelism() };
  return (await import(pathToFileURL(join(packageFolder("@wllama/wllama"), "esm/index.js")).href)) as WllamaModule;
}

/** @param onLog gets the engine's own lines */
function createInstance({ Wllama, CacheManager }: WllamaModule, { wasm, program }: WllamaBuild, onLog: (line: string) => void): WllamaLike {
  const wasmPath = `node${pathToFileURL(wasm).href}`;
  const instance = new Wllama({ default: wasmPath }, instanceConfig(CacheManager, onLog));
  instance.setCompat(null); // never its default: files from a public server
  if (program !== undefined) {
    const resources = instance.getWorkerResources.bind(instance);
    const code = readFileSync(program, "utf8");
    instance.getWorkerResources = () => ({ ...resources(), wasmPath, jsPath: { code }, compat: true });
  }
  return instance;
}
