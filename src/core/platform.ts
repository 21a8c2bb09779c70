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
   * A file gives itself; a folder gives the regular files directly inside it.
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

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the configuration takes from its host. It is looked at when a configuration is resolved, never before. */
export interface ConfigHost {
  /** Variables that override what was loaded; none where a host has no environment. */
  readonly env?: Environment;
  /**
   * Makes a path absolute: `~/`, variables, the folder it is relative to. Without it paths stay as they are written.
   * @param folder of the file that holds it; undefined: the working directory
   */
  readonly resolvePath?: (text: string, folder: string | undefined) => { readonly path: string } | { readonly problem: string };
  /**
   * Reads a configuration file.
   * @throws SpellError config-not-found, config-not-regular, config-unreadable, config-syntax (not UTF-8, too large)
   */
  readonly readFile?: (path: string) => Promise<ConfigFile>;
}

export interface ConfigFile {
  /** as it was given, for messages and origins */
  readonly path: string;
  /** absolute; relative paths inside the file begin there */
  readonly folder: string;
  readonly text: string;
  /** other users of the machine can read it */
  readonly isPublic: boolean;
}

export interface Platform {
  /** "node", "browser", "memory": for messages only, never for decisions. */
  readonly name: string;
  /** The only way core reaches the network. */
  readonly fetch: typeof globalThis.fetch;
  readonly gguf: Offer<GgufRuntime>;
  /** Runs T5 and other encoder-decoder models. */
  readonly seq2seq: Offer<Seq2SeqRuntime>;
  readonly files: Offer<FileHost>;
  readonly isolate: Isolate;
  /** Opens one file of a bundled model, such as ("tiny-stories", "tiny-stories.gguf") or ("tiny-t5-en-fr", "config.json"). */
  bundled(model: string, file: string): Promise<ByteSource>;
  readonly config?: ConfigHost;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly log: (entry: LogEntry) => void;
}
