/** What Node gives core. Code that names and headers do not need is imported at its first use. */
import { availableParallelism, freemem } from "node:os";
import { join } from "node:path";
import { lazyStore } from "../core/download/lazy-store.ts";
import type { ArtifactStore, Isolate, KeptStates, LogEntry, Platform, ScriptRuntime, SideFiles } from "../core/platform.ts";
import { once } from "../core/values.ts";
import { bundledFile } from "./bundled-file.ts";
import { nodeConfig } from "./config-files.ts";
import { lazyRuntime } from "./engines/lazy-runtime.ts";
import { nodeFiles } from "./files.ts";
import { absolute, homeFolder, stateFolder } from "./home.ts";
import { nodeFetch, proxyOf } from "./proxy.ts";
import { homeNotes, nodeForeignModels } from "./store/foreign-models.ts";

export interface NodePlatformOptions {
  /** Folder of the models; default: `models` in `~/.llmspell`, or in LLMSPELL_HOME. */
  readonly modelFolder?: string | undefined;
  /** Default true. False: llama.cpp's WebAssembly as its package has it, without the kernels of this one, to see whether a fault is theirs. */
  readonly wasmKernels?: boolean | undefined;
  /** Receives log entries; default: none are written. */
  readonly log?: ((entry: LogEntry) => void) | undefined;
}

function storeAt(folder: string): ArtifactStore {
  return lazyStore(
    () => folder,
    async () => (await import("./store/fs-artifact-store.ts")).fsArtifactStore(folder),
  );
}

/** Node's module for child processes takes as long to load as a third of this library. */
function lazyIsolate(): Isolate {
  let opened: Promise<Isolate> | undefined;
  const open = (): Promise<Isolate> => {
    opened ??= import("./isolate.ts").then(({ processIsolate }) => processIsolate());
    return opened;
  };
  return {
    run: async (task, payload, options) => (await open()).run(task, payload, options),
    prepare() {
      // what went wrong run() meets too, and tells
      open()
        .then((it) => it.prepare?.())
        .catch(() => undefined);
    },
    dispose: async () => (await opened)?.dispose(),
  };
}

function lazyScripts(): ScriptRuntime {
  const host = once(async () => (await import("./scripts/host.ts")).childScripts);
  return {
    start: async (engine, memoryBytes) => (await host()).start(engine, memoryBytes),
    files: async (folder, allowed) => (await import("./scripts/files.ts")).scriptFiles(absolute(folder), allowed),
    prepare: (engine) => void host().then((scripts) => scripts.prepare?.(engine)),
  };
}

function lazyStates(): KeptStates {
  const folder = stateFolder();
  const states = once(async () => (await import("./store/state-files.ts")).stateFiles(folder));
  return { place: folder, list: async () => (await states()).list(), remove: async (id) => (await states()).remove(id) };
}

function lazySideFiles(): SideFiles {
  const files = async () => (await import("./rag/side-files.ts")).nodeSideFiles;
  return {
    touch: async (...asked) => (await files()).touch(...asked),
    addLine: async (...asked) => (await files()).addLine(...asked),
    write: async (...asked) => (await files()).write(...asked),
    list: async (...asked) => (await files()).list(...asked),
    copyFolder: async (...asked) => (await files()).copyFolder(...asked),
    removeFolder: async (...asked) => (await files()).removeFolder(...asked),
  };
}

/** What opens a database. @throws SpellError store-denied */
async function sqlite() {
  const { findSqlite, sqliteRecords } = await import("./store/sqlite-records.ts");
  return { openSqlite: await findSqlite(), sqliteRecords };
}

/** Starts nothing: runtimes and threads start with the first model. */
export function nodePlatform(options: NodePlatformOptions = {}): Platform {
  const log = options.log ?? (() => undefined);
  const mcp = () => import("./tools/mcp.ts");
  const documents = once(async () => (await import("./rag/document-readers.ts")).documentReaders());
  return {
    name: "node",
    fetch: nodeFetch(process.env),
    gguf: {
      available: true,
      value: lazyRuntime("node", async () => (await import("./engines/devices.ts")).ggufRuntime({ wasmKernels: options.wasmKernels })),
    },
    seq2seq: { available: true, value: lazyRuntime("node", async () => (await import("./engines/devices.ts")).t5Runtime()) },
    exported: {
      available: true,
      value: lazyRuntime("transformers.js", async () => (await import("./engines/devices.ts")).exportedRuntime()),
    },
    files: { available: true, value: nodeFiles() },
    scripts: { available: true, value: lazyScripts() },
    store: storeAt(options.modelFolder === undefined ? join(homeFolder(), "models") : absolute(options.modelFolder)),
    storeAt: options.modelFolder === undefined ? storeAt : undefined,
    documentReaders: {
      pdf: async (bytes, name) => (await documents()).pdf(bytes, name),
      docx: async (bytes, name) => (await documents()).docx(bytes, name),
    },
    sideFiles: lazySideFiles(),
    searchFolder: async (place) => (await import("./store/search-folder.ts")).nodeSearchFolder(place),
    prepareRecords() {
      sqlite().catch(() => undefined); // told when they are opened
    },
    async records(folder) {
      const { openSqlite, sqliteRecords } = await sqlite();
      return sqliteRecords(folder, openSqlite, log);
    },
    graphThreads: {
      most: availableParallelism(),
      build: async (...asked) => (await import("./rag/graph-threads.ts")).buildInThreads(...asked),
    },
    sharedIndexes: async (url) => (await import("./store/postgres-index.ts")).postgresIndexes(url),
    sharedRecords: async (url, space) => (await import("./store/postgres-records.ts")).postgresRecords(url, space),
    states: lazyStates(),
    foreign: nodeForeignModels(process.env, homeNotes()),
    async lookup(host) {
      // behind a proxy names are the proxy's matter
      if (proxyOf(new URL(`https://${host}`), process.env) !== undefined) return [];
      const { lookup } = await import("node:dns/promises");
      return (await lookup(host, { all: true })).map(({ address }) => address);
    },
    looksForServers: true,
    freeMemory: () => process.availableMemory?.() ?? freemem(),
    isolate: lazyIsolate(),
    toolFiles: async (folder, allowed) => (await import("./tools/files.ts")).toolFiles(absolute(folder ?? "."), allowed),
    request: async (hop) => (await import("./tools/request.ts")).requestOnce(hop),
    mcp: {
      sdk: async () => (await mcp()).sdk(),
      start: async (...program) => (await mcp()).start(...program),
      fetch: async (problemOf) => (await mcp()).checkedFetch(problemOf),
    },
    bundled: bundledFile,
    lookBundled: bundledFile,
    config: nodeConfig(),
    now: () => performance.now(),
    log,
  };
}
