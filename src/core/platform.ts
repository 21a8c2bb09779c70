/** What a host gives core. Types only. Built once, by nodePlatform(), browserPlatform() or a test; never changed afterwards. */
import type { ByteSource } from "./formats/byte-source.ts";
import type { GgufRuntime, Seq2SeqRuntime } from "./spec/runtime.ts";
import type { ScriptEngine } from "./spec/scripts.ts";
import type { Collection, CollectionSettings, GraphThreads } from "./spec/search-index.ts";

/** A part that some hosts lack; `reason` says why. */
export type Offer<T> = { readonly available: true; readonly value: T } | { readonly available: false; readonly reason: string };

export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";

export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
  /** A key of the configuration wants it shown, whatever level the configuration says. */
  readonly isWanted?: boolean | undefined;
}

/** Files of the host's own file system. */
export interface FileHost {
  /**
   * Looks at a path without reading contents. Sources are in name order and have their real path.
   * A file gives itself; a folder gives the regular files directly inside it and in its folder `onnx`, where exporters put graphs.
   * @throws SpellError model-unknown (no such path), model-not-regular, store-denied
   */
  look(path: string): Promise<FoundFiles>;
}

export interface FoundFiles {
  readonly kind: "file" | "folder";
  /** Absolute, symbolic links resolved. */
  readonly path: string;
  readonly sources: readonly ByteSource[];
  /** Opens a regular file beside a single file: another part of a split model. @returns undefined for a missing file, and for a folder */
  sibling(name: string): Promise<ByteSource | undefined>;
}

/** Runs one of the known tasks (text/isolated-tasks.ts) where a hang or too much memory can be ended from outside. */
export interface Isolate {
  /**
   * @returns the task's result: plain data
   * @throws SpellError of the task itself, or `limitCode` when time or memory ran out
   */
  run(task: string, payload: unknown, options: IsolateOptions): Promise<unknown>;
  /** A task is going to be asked for: what runs it may start now. Absent where that gains nothing. */
  prepare?(): void;
  dispose(): Promise<void>;
}

export interface IsolateOptions {
  readonly timeoutMs: number;
  readonly limitCode: "template-limit" | "tool-limit";
  readonly signal?: AbortSignal | undefined;
}

/** A hash over bytes as they arrive. */
export interface Hash {
  /** The bytes are read before this returns; the caller may reuse their buffer. */
  update(bytes: Uint8Array): void;
  /** @returns lower-case hex; nothing may follow */
  digest(): string;
}

/** A complete file of the store. */
export interface BlobFacts {
  /** `sha256-` and 64 hex digits */
  readonly digest: string;
  /** bytes */
  readonly size: number;
  /** Milliseconds since the epoch of the last change of its bytes. */
  readonly modifiedMs: number;
}

/** What the next run needs to continue an unfinished file. Without secrets and signed addresses. */
export interface PartRecord {
  /** address asked for, before redirects */
  readonly url: string;
  /** strong etag the bytes belong to */
  readonly etag?: string | undefined;
  /** bytes of the whole file */
  readonly size?: number | undefined;
  /** 64 hex digits, where the source states them */
  readonly sha256?: string | undefined;
  /** Ranges that are stored, `[from, to)` in bytes, ascending, with gaps between them. */
  readonly done: readonly (readonly [number, number])[];
}

/** An unfinished file; the holder of this object owns it. */
export interface Part {
  /** The record of its last owner; undefined for a new part. Bytes outside `done` are undefined. */
  readonly kept: PartRecord | undefined;
  /** Writes at any offset; gaps are allowed until commit. @throws SpellError store-full, store-quota, store-denied */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Reads what was written. @throws SpellError store-corrupt for bytes beyond the end */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Cuts the file; 0 starts again. */
  truncate(size: number): Promise<void>;
  /** Makes the bytes durable, then the record: a record never lists bytes that could be lost. */
  save(record: PartRecord): Promise<void>;
  /**
   * Hashes the file, kept bytes included, and gives it its final name if size and hash are right. Durable when it returns.
   * An existing blob stays, or is replaced by equal bytes. The part is gone afterwards.
   * @param expected size in bytes; `sha256` as 64 hex digits if the source states one
   * @throws SpellError net-size, net-hash with both values in `details`: nothing was stored, the part is still owned
   */
  commit(expected: { readonly size: number; readonly sha256?: string | undefined }, signal?: AbortSignal): Promise<BlobFacts>;
  /** Leaves it for the next run, with the record saved last. */
  release(): Promise<void>;
  /** Deletes it. */
  discard(): Promise<void>;
}

/** An unfinished file in a list. */
export interface PartFacts {
  /** unique in the store */
  readonly id: string;
  /** empty for other leftovers of a broken run */
  readonly key: string;
  /** bytes on disk */
  readonly size: number;
  /** bytes that its record lists: the next run does not fetch them */
  readonly kept: number;
  readonly modifiedMs: number;
  /** A live process or tab may be writing it. */
  readonly inUse: boolean;
}

/** bytes */
export interface StoreSpace {
  readonly free: number;
  /** Allowance of a page's origin; undefined for folders. */
  readonly quota?: number | undefined;
}

/** Names a manifest: 1–6 parts of 1–100 characters, lower case where case means nothing. Any text; the store makes file names of it. */
export type ManifestKey = readonly string[];

export interface LockOptions {
  /** Called once, if another holder has it. */
  readonly onWait?: (() => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The only way core keeps models: blobs named by their hash, manifests that make models of them, parts of unfinished downloads.
 * Several processes or tabs may use one store at once. The first write makes it; a missing one reads as empty.
 * Every method may also throw store-denied (no permission, or not usable as a store).
 */
export interface ArtifactStore {
  /** Its place, for messages: a folder, or words. */
  readonly place: string;
  createHash(algorithm: "sha256" | "sha1"): Promise<Hash>;

  /** @returns undefined for a missing blob. @throws SpellError store-corrupt for anything but a regular file under this name */
  lookBlob(digest: string): Promise<BlobFacts | undefined>;
  /**
   * A complete file, without a copy: with `path` or `blob` set, as the host has it.
   * @param name for messages; engines see it too
   * @param group files of one group lie in one folder under their names, where there are folders: engines look for the other parts of a
   *   split model beside the first
   * @throws SpellError store-evicted (it is gone), store-corrupt
   */
  openBlob(digest: string, name: string, group?: string): Promise<ByteSource>;
  listBlobs(): Promise<readonly BlobFacts[]>;
  /** Open sources keep it, if the host can do that. @returns bytes freed. @throws SpellError store-locked */
  removeBlob(digest: string): Promise<number>;

  /** @returns undefined for a missing manifest. @throws SpellError store-corrupt for anything but JSON */
  readManifest(key: ManifestKey): Promise<unknown>;
  /** All or nothing, durable; of two writers the later wins. @param value JSON, at most 4 MiB as text */
  writeManifest(key: ManifestKey, value: unknown): Promise<void>;
  removeManifest(key: ManifestKey): Promise<void>;
  /** In order of their names. */
  listManifests(): Promise<readonly ManifestKey[]>;

  /**
   * Takes over an abandoned part of this key, else makes a new one. Exactly one of several callers gets an abandoned part.
   * @param key 64 hex digits: the file's hash, or the hash of its address
   * @throws SpellError store-corrupt for anything but a regular file under a part's name
   */
  openPart(key: string): Promise<Part>;
  listParts(): Promise<readonly PartFacts[]>;
  /** @returns bytes freed; 0 for a part that is gone or in use */
  removePart(id: string): Promise<number>;

  space(): Promise<StoreSpace | undefined>;
  /** Asks the host not to evict the store. @returns whether it promised; true for hosts that never evict */
  persist(): Promise<boolean>;
  /** One holder at a time, as far as the host can; it only saves work. @throws SpellError run-aborted while waiting */
  withLock<T>(name: string, work: () => Promise<T>, options?: LockOptions): Promise<T>;
}

/**
 * Small records that outlive the process, by table and key: any text, the empty one too. Several processes or tabs may use one store at once; of two
 * writers the later wins. What a call has written is durable when it returns.
 * Every method may also throw store-denied, store-full, store-locked.
 */
export interface RecordStore {
  /** for messages */
  readonly place: string;
  /** @returns undefined for a missing record */
  get(table: string, key: string): Promise<string | undefined>;
  /**
   * @param value JSON text
   * @param most bytes that all records may have together (store/record-size.ts); where they would have more, nothing is written
   * @returns the bytes they have, or would have
   */
  put(table: string, key: string, value: string, most: number): Promise<number>;
  /**
   * Counts in a record, without a limit in bytes: no two callers get one number, whatever process they are in.
   * @returns one more than the last number of this record, and `least` where that is larger or there is none
   */
  next(table: string, key: string, least: number): Promise<number>;
  /** @returns whether it was there */
  remove(table: string, key: string): Promise<boolean>;
  /** Keys of a table, in no order. */
  list(table: string): Promise<readonly string[]>;
  /** Records of a table, in no order. */
  entries(table: string): Promise<readonly (readonly [key: string, value: string])[]>;
  /** Tables that hold records, in no order. */
  tables(): Promise<readonly string[]>;
  /** @returns how many records there were */
  clear(table: string): Promise<number>;
  close(): Promise<void>;
}

/**
 * The few file operations an index needs. Files are written once, under a new name, and never changed; several processes or tabs may use one folder.
 * Every method may throw SpellError store-denied, store-full, store-locked.
 */
export interface SearchFolder {
  /** for messages */
  readonly place: string;
  /** Names of whole files, sorted. */
  list(): Promise<readonly string[]>;
  /** @returns bytes; undefined where the file is not there */
  size(name: string): Promise<number | undefined>;
  /** @returns exactly `length` bytes; undefined where the file, or a part of the range, is not there */
  read(name: string, from: number, length: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** All or nothing, and durable when it returns. @param name [0-9a-z-]+ with an ending */
  write(name: string, parts: readonly Uint8Array[]): Promise<void>;
  /** What is not there is no error. */
  remove(name: string): Promise<void>;
  /** CRC-32 as zip has it, where the host computes it faster than JavaScript does. */
  readonly crc32?: ((bytes: Uint8Array) => number) | undefined;
}

/** A state of a model on this machine, in a list. */
export interface StateFacts {
  readonly id: string;
  /** as users name it; empty for what a killed process left */
  readonly model: string;
  /** of the conversation it belongs to; undefined: of every prompt that begins as it does */
  readonly name: string | undefined;
  readonly bytes: number;
  /** milliseconds since the epoch */
  readonly usedMs: number;
}

/** What engines keep of computed prompts. It can all be computed again. */
export interface KeptStates {
  /** for messages */
  readonly place: string;
  list(): Promise<readonly StateFacts[]>;
  remove(id: string): Promise<void>;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the configuration takes from its host; read when a configuration is resolved. */
export interface ConfigHost {
  /** Variables that override what was loaded; absent for hosts without an environment. */
  readonly env?: Environment | undefined;
  /**
   * Makes a path absolute: `~/`, variables, the folder it is relative to. Without this function paths stay as written.
   * @param folder of the file that holds it; undefined: the working directory
   */
  readonly resolvePath?:
    | ((text: string, folder: string | undefined) => { readonly path: string } | { readonly problem: string })
    | undefined;
  /**
   * Reads a configuration file.
   * @throws SpellError config-not-found, config-not-regular, config-unreadable, config-syntax (not UTF-8, too large)
   */
  readonly readFile?: ((path: string) => Promise<ConfigFile>) | undefined;
  /** The token of Hugging Face's tools. */
  readonly hubToken?: (() => string | undefined) | undefined;
}

export interface ConfigFile {
  /** as given, for messages and origins */
  readonly path: string;
  /** absolute; base of relative paths inside the file */
  readonly folder: string;
  readonly text: string;
  /** other users of the machine can read it */
  readonly isPublic: boolean;
}

/** Models that other tools keep on this machine. Read only. */
export interface ForeignModels {
  /**
   * Files of a repository in the cache of Hugging Face's tools.
   * @param revision commit, or a branch or tag the cache knows
   * @returns undefined if nothing of it is cached
   */
  findHubFiles(owner: string, repo: string, revision: string): Promise<ForeignSnapshot | undefined>;
  /** Repositories in that cache, with `main` if the cache has it, else with each of its commits. */
  listHubRepos(): Promise<readonly ForeignRepo[]>;
  /** A manifest of Ollama's own store, such as ("registry.ollama.ai/library/llama3.2", "1b"). @returns parsed JSON, unchecked */
  readOllamaManifest(name: string, tag: string): Promise<unknown>;
  /** Models in Ollama's store: name such as "library/llama3.2" or, of another registry, "hf.co/owner/repo"; and tag. */
  listOllamaModels(): Promise<readonly { readonly name: string; readonly tag: string }[]>;
  /** @param digest `sha256:` and 64 hex digits */
  openOllamaBlob(digest: string, name: string): Promise<ByteSource | undefined>;
  /** An external file of a manifest of ours. @returns undefined for a missing file */
  openFile(path: string, name: string): Promise<ByteSource | undefined>;
  /** Where lists keep facts from headers. Absent: headers are read each time. */
  readonly notes?: ForeignNotes | undefined;
}

/** One small record of ours about files of other tools. It may be lost at any time. */
export interface ForeignNotes {
  /** @returns what was written last, unchecked; undefined without a record */
  read(): Promise<unknown>;
  /** Never fails: a lost record is made again. */
  write(value: unknown): Promise<void>;
}

export interface ForeignSnapshot {
  readonly commit: string;
  readonly files: readonly ForeignFile[];
}

export interface ForeignFile {
  /** inside the repository, with forward slashes */
  readonly path: string;
  readonly source: ByteSource;
  /** as the other tool recorded it, unchecked */
  readonly sha256?: string | undefined;
  /** hash of git's blob, which hubs state for small files: 40 hex digits, unchecked too */
  readonly gitSha1?: string | undefined;
}

export interface ForeignRepo {
  readonly owner: string;
  readonly repo: string;
  /** `main`, or 40 hex digits */
  readonly revision: string;
}

/** Where scripts run: beside an engine of their own, in a process or a worker that can be ended from outside. */
export interface ScriptRuntime {
  /**
   * Starts a guest; it needs nothing else to get ready, and takes a configuration while it does.
   * @param memoryBytes the most it may have
   * @throws SpellError usage-not-available, script-error (the engine's files are not there)
   */
  start(engine: ScriptEngine, memoryBytes: number): Promise<ScriptWire>;
  /** Starts one ahead, with the usual memory, while its configuration is read; the next start() takes it if it fits. */
  readonly prepare?: ((engine: ScriptEngine) => void) | undefined;
  /**
   * Files of scripts in a folder; absent for hosts without folders.
   * @param allowed folders beside which nothing is read or written; none: the script's own
   */
  readonly files?: ((folder: string, allowed: readonly string[]) => Promise<ScriptFiles>) | undefined;
}

/** The two ends of a guest's door. */
export interface ScriptWire {
  post(text: string): void;
  /** Once. @param onDeath why it ended, unless it was killed */
  listen(onMessage: (text: string) => void, onDeath: (reason: string) => void): void;
  /** Whatever it does, it is gone when this resolves. */
  kill(): Promise<void>;
}

/** Files of a script: modules beside it, and those in the folders that the configuration allows. */
export interface ScriptFiles {
  /** @param path of a model, as the platform reads it. @throws SpellError script-denied for one that a script may not open */
  permit(path: string): void;
  /** @param path relative to the script, with forward slashes @throws SpellError script-denied, script-error (no such file) */
  module(path: string): Promise<string>;
  /** @returns the text of a file; undefined for a missing one @throws SpellError script-denied */
  read(path: string): Promise<string | undefined>;
  /** @returns the bytes of a file of at most `most`; undefined for a missing one @throws SpellError script-denied, script-memory */
  bytes(path: string, most: number): Promise<Uint8Array | undefined>;
  /** @throws SpellError script-denied, store-full */
  write(path: string, text: string, append: boolean): Promise<void>;
  /** @throws SpellError script-denied */
  exists(path: string): Promise<boolean>;
  /** Names in a folder, in order; folders with a slash at their end. @throws SpellError script-denied, script-error (no such folder) */
  list(path: string): Promise<readonly string[]>;
}

/** What is at a path, for tools. */
export interface FileFacts {
  /** without folders */
  readonly name: string;
  readonly kind: "file" | "folder" | "other";
  /** bytes; 0 for anything but a file */
  readonly size: number;
  /** milliseconds since the epoch */
  readonly modifiedMs: number;
}

/** Files of tools, in the folders that the configuration allows. Every call may throw SpellError script-denied, script-error, store-full. */
export interface ToolFiles {
  /** @returns undefined where nothing is */
  look(path: string): Promise<FileFacts | undefined>;
  /** @param most bytes @throws SpellError tool-limit for a longer file */
  read(path: string, most: number): Promise<Uint8Array>;
  write(path: string, bytes: Uint8Array, append: boolean): Promise<void>;
  /** What is directly in a folder, by name. */
  list(path: string): Promise<readonly FileFacts[]>;
  /** With those above it. */
  makeFolder(path: string): Promise<void>;
  /** A file, a link (not what it leads to) or an empty folder. @throws SpellError script-error where nothing is */
  remove(path: string): Promise<void>;
  /** Never over something. */
  move(from: string, to: string): Promise<void>;
}

/** One request of a tool. Redirects are answers like others. */
export interface ToolHop {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** most of the answer's body */
  readonly mostBytes: number;
  /** Why an address that the name leads to is not asked; the address that was looked at is the one that is connected to. */
  readonly problemOf: (address: string) => string | undefined;
  readonly signal: AbortSignal;
}

/** A whole answer of a server. */
export interface ToolReply {
  readonly status: number;
  /** lower-case names */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What is used of the official SDK of the Model Context Protocol, @modelcontextprotocol/sdk. */
export interface McpSdk {
  readonly Client: new (about: { readonly name: string; readonly version: string }, options: object) => McpClient;
  readonly StreamableHTTPClientTransport: new (url: URL, options: object) => McpTransport;
}

export interface McpTransport {
  close(): Promise<void>;
}

interface McpCall {
  readonly signal: AbortSignal;
  /** milliseconds */
  readonly timeout: number;
}

export interface McpClient {
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  connect(transport: McpTransport, call: McpCall): Promise<void>;
  /** @param schema judges the result, as zod's do */
  request(question: { readonly method: string; readonly params: object }, schema: object, call: McpCall): Promise<unknown>;
  getServerVersion(): unknown;
  close(): Promise<void>;
}

/** A server that was started, and speaks over its standard input and output. */
export interface McpProgram {
  readonly transport: McpTransport;
  /** The end of what it wrote to standard error. */
  said(): string;
  /** The beginning of the first line on standard output that is no message; empty: there is none. */
  stray(): string;
  /** "with status 3", "by SIGKILL"; empty while it runs. */
  ending(): string;
  /** Waiting for it no longer holds this process. */
  release(): void;
  /** Gone within a second, whatever it does. */
  kill(): Promise<void>;
}

/** Servers of tools. */
export interface McpHost {
  /** @throws SpellError tool-package */
  sdk(): Promise<McpSdk>;
  /**
   * Absent for hosts that start no programs.
   * @param command without a shell
   * @param variables added to the few that every program needs; it has no others of this process
   * @param mostBytes of one message
   */
  readonly start?:
    | ((command: readonly string[], variables: Readonly<Record<string, string>>, mostBytes: number) => Promise<McpProgram>)
    | undefined;
  /** fetch that connects to addresses of which `problemOf` has nothing to say. Absent: the platform's own. */
  readonly fetch?: ((problemOf: ToolHop["problemOf"]) => Promise<typeof globalThis.fetch>) | undefined;
}

/** Files that are kept beside an index: an audit, copies, what a search saw. They are for their owner alone. Every method may throw store-denied, store-full. */
export interface SideFiles {
  /** Makes the file of addLine() where there is none. @throws SpellError where nothing can be added to it */
  touch(path: string): Promise<void>;
  /** Adds a line with one write, so that several processes may do so at once. */
  addLine(path: string, line: string): Promise<void>;
  /** A file under a new name in a folder, which is made. */
  write(folder: string, name: string, text: string): Promise<void>;
  /** Names in a folder; none where there is no folder. */
  list(folder: string): Promise<readonly string[]>;
  /** A whole copy of a folder under a new name, or none. Files that never change may be links. */
  copyFolder(from: string, folder: string, name: string): Promise<void>;
  removeFolder(folder: string, name: string): Promise<void>;
}

/** Indexes that several machines write and search. */
export interface SharedIndexes {
  /** for messages: without user and password */
  readonly place: string;
  /** Indexes of two paths know nothing of each other. @throws SpellError rag-model, store-* */
  open(path: string, settings: CollectionSettings): Promise<Collection>;
  /** What was noted, in any order. */
  places(): Promise<readonly unknown[]>;
  note(place: Readonly<Record<string, unknown>>): Promise<void>;
  close(): Promise<void>;
}

/** Text of a PDF; HTML of a DOCX. @throws SpellError rag-package, rag-file */
export type DocumentReaders = Readonly<Record<"pdf" | "docx", (bytes: Uint8Array, name: string) => Promise<string>>>;

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
  /** The store in another folder, for `providers.candle.model_directory`; absent for hosts without folders and for a fixed store. */
  readonly storeAt?: ((folder: string) => ArtifactStore) | undefined;
  readonly files: Offer<FileHost>;
  readonly scripts: Offer<ScriptRuntime>;
  /** Where models are kept. */
  readonly store: ArtifactStore;
  /** Opens, or makes, the records in a folder; hosts without folders have one place for all. Absent for hosts that keep nothing. @throws SpellError store-* */
  readonly records?: ((folder: string) => Promise<RecordStore>) | undefined;
  /** Called where they will probably be opened while something else is waited for: loads what that takes. Opens nothing, throws nothing. */
  readonly prepareRecords?: (() => void) | undefined;
  /**
   * Files of an index at a place: a folder, or a path in a page's own file system. The first write makes it. Absent for hosts that keep nothing;
   * core has one in memory (search/memory-folder.ts).
   */
  readonly searchFolder?: ((place: string) => Promise<SearchFolder>) | undefined;
  /**
   * Opens records in a Postgres database, for several machines; absent for hosts that reach none.
   * @param space records of several spaces know nothing of each other
   * @throws SpellError store-*
   */
  readonly sharedRecords?: ((url: string, space: string) => Promise<RecordStore>) | undefined;
  /** Opens the indexes of a Postgres database with pgvector; absent for hosts that reach none. @throws SpellError store-*, rag-package */
  readonly sharedIndexes?: ((url: string) => Promise<SharedIndexes>) | undefined;
  /** Absent for hosts where one thread builds graphs of an index. */
  readonly graphThreads?: GraphThreads | undefined;
  /** Reads documents that are no text, for retrieval; absent for hosts that cannot. */
  readonly documentReaders?: DocumentReaders | undefined;
  /** Absent for hosts without folders. */
  readonly sideFiles?: SideFiles | undefined;
  /** Absent where no engine keeps any. */
  readonly states?: KeptStates | undefined;
  /** Absent for hosts without a file system. */
  readonly foreign?: ForeignModels | undefined;
  /** Addresses of a host name, to see whether it leads into a private network; absent for hosts without DNS. */
  readonly lookup?: ((host: string) => Promise<readonly string[]>) | undefined;
  /** Where the host's program itself came from, as `http://localhost:5173`: models may come from there too, though it is local. Absent where no server sent it. */
  readonly ownOrigin?: string | undefined;
  /** Whether requests carry the origin of a page, as a browser sends it; default false. */
  readonly isPage?: boolean | undefined;
  /** Whether a server on this machine is asked for unknown models without being configured; default false. */
  readonly looksForServers?: boolean | undefined;
  /** bytes of memory that a model may take; absent if unknown */
  readonly freeMemory?: (() => number) | undefined;
  readonly isolate: Isolate;
  /**
   * Files of tools; absent for hosts without folders.
   * @param folder where relative paths begin; undefined: the working directory
   * @param allowed folders beside which nothing is read or written; none: `folder`
   */
  readonly toolFiles?: ((folder: string | undefined, allowed: readonly string[]) => Promise<ToolFiles>) | undefined;
  /** Asks a server where a checked address is the address that is connected to. Absent: tools ask with `fetch`. @throws SpellError tool-denied, tool-limit, net-* */
  readonly request?: ((hop: ToolHop) => Promise<ToolReply>) | undefined;
  /** Absent: tools of servers are refused. */
  readonly mcp?: McpHost | undefined;
  /** Opens one file of a bundled model, such as ("tiny-stories", "tiny-stories.gguf") or ("tiny-t5-en-fr", "config.json"). */
  bundled(model: string, file: string): Promise<ByteSource>;
  /** Path and time of such a file, without reading it; absent for hosts that would have to fetch it. */
  readonly lookBundled?: ((model: string, file: string) => Promise<Pick<ByteSource, "path" | "modifiedMs">>) | undefined;
  readonly config?: ConfigHost | undefined;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly log: (entry: LogEntry) => void;
}
