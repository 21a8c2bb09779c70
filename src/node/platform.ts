/** What Node hands to core. */
import { lookup } from "node:dns/promises";
import { freemem } from "node:os";
import { join, resolve } from "node:path";
import type { LogEntry, Platform } from "../core/platform.ts";
import { nodeConfig } from "./config-files.ts";
import { bundledFile } from "./device-choice.ts";
import { nodeExportedRuntime } from "./exported.ts";
import { nodeFiles } from "./files.ts";
import { homeNotes, nodeForeignModels } from "./foreign-models.ts";
import { fsArtifactStore } from "./fs-artifact-store.ts";
import { nodeGgufRuntime } from "./gguf.ts";
import { homeFolder } from "./home.ts";
import { processIsolate } from "./isolate.ts";
import { nodeSeq2SeqRuntime } from "./seq2seq.ts";

export interface NodePlatformOptions {
  /** Where models are kept; default: `models` in `~/.llmspell`, or in LLMSPELL_HOME. */
  readonly modelFolder?: string;
  /** Receives log entries; silent by default: a library prints nothing. */
  readonly log?: (entry: LogEntry) => void;
}

/** Starts nothing: runtimes and threads come to life with the first model. */
export function nodePlatform(options: NodePlatformOptions = {}): Platform {
  return {
    name: "node",
    fetch: globalThis.fetch,
    gguf: { available: true, value: nodeGgufRuntime() },
    seq2seq: { available: true, value: nodeSeq2SeqRuntime() },
    exported: { available: true, value: nodeExportedRuntime() },
    files: { available: true, value: nodeFiles() },
    store: fsArtifactStore(options.modelFolder === undefined ? join(homeFolder(), "models") : resolve(options.modelFolder)),
    ...(options.modelFolder === undefined ? { storeAt: (folder: string) => fsArtifactStore(folder) } : {}),
    foreign: nodeForeignModels(process.env, homeNotes()),
    lookup: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
    freeMemory: () => process.availableMemory?.() ?? freemem(),
    isolate: processIsolate(),
    bundled: bundledFile,
    lookBundled: bundledFile,
    config: nodeConfig(),
    now: () => performance.now(),
    log: options.log ?? (() => undefined),
  };
}
