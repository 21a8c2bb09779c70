/** What Node hands to core. */
import { fileURLToPath } from "node:url";
import type { LogEntry, Platform } from "../core/platform.ts";
import { nodeConfig } from "./config-files.ts";
import { openFileSource } from "./file-source.ts";
import { nodeFiles } from "./files.ts";
import { nodeGgufRuntime } from "./gguf.ts";
import { processIsolate } from "./isolate.ts";
import { nodeSeq2SeqRuntime } from "./seq2seq.ts";

export interface NodePlatformOptions {
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
    files: { available: true, value: nodeFiles() },
    isolate: processIsolate(),
    bundled: (model, file) => openFileSource(fileURLToPath(new URL(`../../builtins/models/${model}/${file}`, import.meta.url))),
    config: nodeConfig(),
    now: () => performance.now(),
    log: options.log ?? (() => undefined),
  };
}
