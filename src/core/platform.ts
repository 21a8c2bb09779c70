/** What a host gives core. Types only. Built once, by nodePlatform(), browserPlatform() or a test; never changed afterwards. */
import type { ByteSource } from "./formats/byte-source.ts";
import type { GgufRuntime, Seq2SeqRuntime } from "./spec/runtime.ts";

/** A part a host may not be able to offer. What is missing is reported with its reason, not guessed at. */
export type Offer<T> = { readonly available: true; readonly value: T } | { readonly available: false; readonly reason: string };

export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";

export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
}

/** Files of the host's own file system. */
export interface FileHost {
  /**
   * Looks at a path without reading contents. Sources are in name order and carry their real path.
   * A file gives itself; a folder gives the regular files directly inside it, and those of its folder `onnx`, where exporters put graphs.
   * @throws SpellError model-unknown (no such path), model-not-regular, store-denied
   */
  look(path: string): Promise<FoundFiles>;
}

export interface FoundFiles {
  readonly kind: "file" | "folder";
  /** Absolute, symbolic links resolved. */
  readonly path: string;
  readonly sources: readonly ByteSource[];
  /** Names of all regular files beside a single file, to find the other parts of a split model; empty for a folder. */
  sibling(name: string): Promise<ByteSource | undefined>;
}

/** Runs one of the known tasks (text/isolated-tasks.ts) where a hang or a memory bomb can be ended from outside. */
export interface Isolate {
  /**
   * @returns the task's result: plain data
   * @throws SpellError of the task itself, or `limitCode` when time or memory ran out
   */
  run(task: string, payload: unknown, options: IsolateOptions): Promise<unknown>;
  dispose(): Promise<void>;
}

export interface IsolateOptions {
  readonly timeoutMs: number;
  readonly limitCode: "template-limit";
  readonly signal?: AbortSignal;
}

export interface Platform {
  /** "node", "browser", "memory": for messages only, never for decisions. */
  readonly name: string;
  /** The only way core reaches the network. */
  readonly fetch: typeof globalThis.fetch;
  readonly gguf: Offer<GgufRuntime>;
  /** Runs T5 from its checkpoint. */
  readonly seq2seq: Offer<Seq2SeqRuntime>;
  /** Runs T5 models that were exported to ONNX for transformers.js. */
  readonly exported: Offer<Seq2SeqRuntime>;
  readonly files: Offer<FileHost>;
  readonly isolate: Isolate;
  /** Opens one file of a bundled model, such as ("tiny-stories", "tiny-stories.gguf") or ("tiny-t5-en-fr", "config.json"). */
  bundled(model: string, file: string): Promise<ByteSource>;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly log: (entry: LogEntry) => void;
}
