/** What retrieval takes and gives. Types only. */
import type { SpellError } from "../errors.ts";
import type { Metadata } from "../spec/search-index.ts";

/** Which documents a call is about. */
export interface RagPlace {
  /** An index of its own; default "default". 1–60 of a–z, 0–9, `-` */
  readonly collection?: string | undefined;
  /** Whose documents; default `rag.tenants.default_tenant_id`. */
  readonly tenantId?: string | undefined;
  /** Documents of one purpose, such as "session"; without it a search finds those of every scope but of sessions. */
  readonly scope?: string | undefined;
  readonly scopeId?: string | undefined;
}

/** A text, or a file as it stands on a disk. */
export interface RagDocument {
  /** default: the name of a file, else 16 hex digits of the text's hash */
  readonly id?: string | undefined;
  /** Markdown or plain text; the same as `content` */
  readonly text?: string | undefined;
  readonly content?: string | undefined;
  /** A file: its name says how it is read (files.ts). */
  readonly name?: string | undefined;
  readonly bytes?: Uint8Array | (() => Uint8Array | Promise<Uint8Array>) | undefined;
  /** What tells these bytes from others, such as a file's time or an ETag: bytes of the version that is in the index are not read again. */
  readonly version?: string | undefined;
  /** searched with each chunk's words; default: the name of a file */
  readonly title?: string | undefined;
  /** JSON that searches may filter by, and results carry */
  readonly metadata?: Metadata | undefined;
}

export interface Chunking {
  readonly strategy: "sliding_window" | "sentence" | "semantic";
  /** words, or tokens of the embedding model */
  readonly chunkSize: number;
  readonly overlap: number;
  readonly maxChunkSize: number;
  readonly minChunkSize: number;
}

export interface IngestProgress {
  readonly done: number;
  readonly of: number;
  readonly id: string;
}

export interface IngestOptions extends RagPlace {
  /** of this call; default: `rag.chunking` */
  readonly chunking?: Partial<Chunking> | undefined;
  /** Makes the vectors; default: `rag.embedding.default_provider`. An index has those of one. */
  readonly provider?: string | undefined;
  readonly onProgress?: ((progress: IngestProgress) => void) | undefined;
  /** Of a document that is there already the source stays, whatever its name is now; default false. */
  readonly keepsSource?: boolean | undefined;
  /** Told of a document that is no text, is too long, or needs a package that is missing: it is left out. What this throws ends the call; absent: such a document does. */
  readonly onSkip?: ((error: SpellError, document: RagDocument) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface SaveOptions {
  /** Told while a graph is built: passages that have their neighbours. */
  readonly onProgress?: ((progress: Pick<IngestProgress, "done" | "of">) => void) | undefined;
}

export interface IngestResult {
  /** documents that are new or have changed */
  readonly documents: number;
  /** documents that were there, just so */
  readonly unchanged: number;
  /** chunks of the changed documents */
  readonly chunks: number;
  /** vectors that were made; those of chunks that did not change are taken again */
  readonly embedded: number;
  /** words, or tokens of the embedding model, of what was embedded */
  readonly tokens: number;
  readonly warnings: readonly string[];
}

export interface SearchOptions extends RagPlace {
  /** most results; default `rag.search.top_k` */
  readonly topK?: number | undefined;
  /** least score; default `rag.search.threshold` */
  readonly threshold?: number | undefined;
  /** Values that a document's metadata must have; of a list, one of them. */
  readonly filters?: Metadata | undefined;
  /** A cross-encoder that puts the best 4 · topK in order; default: none. */
  readonly rerankModel?: string | undefined;
  readonly provider?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RagHit {
  /** of the document */
  readonly id: string;
  /** its title: of a file its name */
  readonly source: string;
  /** headings above the passage, joined by " > "; empty where there are none */
  readonly heading: string;
  /** the passage as it stands in its text; undefined where texts are not kept */
  readonly content: string | undefined;
  readonly score: number;
  /** Place of the passage in the text, in UTF-16 units; a byte order mark at the beginning of a file is one. Of HTML, PDF and DOCX: in the text that was read out of the file. */
  readonly start: number;
  readonly end: number;
  /** absent with `rag.search.include_metadata` false */
  readonly metadata?: Metadata | undefined;
  /** Where the same text stands too; absent where it stands nowhere else, or `rag.search.deduplicate` is false. */
  readonly copies?: readonly Pick<RagHit, "id" | "source" | "heading" | "start" | "end" | "metadata">[] | undefined;
}

export interface ContextOptions extends SearchOptions {
  /** Words, or tokens of the embedding model; default `rag.search.max_context_tokens`. */
  readonly maxTokens?: number | undefined;
}

/** Passages for a prompt. */
export interface RagContext {
  /** `[1] notes/trip.md > Packing`, the passage, an empty line, `[2] …`; empty where nothing was found */
  readonly text: string;
  /** those that stand in the text; the first is [1] */
  readonly results: readonly RagHit[];
}

export interface OperationStats {
  readonly calls: number;
  readonly errors: number;
  /** mean of the last `rag.performance.metrics_interval_seconds`; absent without `rag.performance.enable_metrics` */
  readonly meanMs?: number | undefined;
}

export interface StatsOptions extends RagPlace {
  /** Reads the whole index, and throws rag-damaged where a byte is another than it was written; default false. */
  readonly checks?: boolean | undefined;
}

export interface RagStats {
  readonly collection: string;
  readonly tenant: string;
  /** what makes the vectors */
  readonly embedder: string;
  readonly dimensions: number;
  readonly documents: number;
  readonly chunks: number;
  readonly deadChunks: number;
  readonly segments: readonly { readonly name: string; readonly chunks: number; readonly scan: "exact" | "graph" }[];
  /** of saved segments */
  readonly bytes: number;
  /** folder, or "memory" */
  readonly place: string;
  /** what would find more */
  readonly advice: readonly string[];
  /** absent without `rag.monitoring.enable_metrics` and `rag.performance.enable_metrics` */
  readonly operations?: Readonly<Record<string, OperationStats>> | undefined;
}

/** Limits for the calls that follow; only narrower than those of the configuration. */
export interface RagLimits {
  readonly topK?: number | undefined;
  readonly threshold?: number | undefined;
  readonly maxContextTokens?: number | undefined;
  readonly maxDocuments?: number | undefined;
}

export interface RagProvider {
  readonly name: string;
  readonly model: string;
  readonly isDefault: boolean;
}

/** One passage of an export. */
export interface ExportedChunk {
  readonly id: string;
  readonly source: string;
  readonly heading: string;
  readonly content: string;
  readonly start: number;
  readonly end: number;
  readonly metadata: Metadata;
}

/** Every call may throw SpellError rag-damaged, rag-version, rag-model, rag-tenant, rag-rate, store-*, and those of the embedding model. */
export interface Rag {
  /**
   * Adds documents, or replaces those of the same id. Found at once; on disk after save(). What did not change is not embedded again. Where one document is
   * refused nothing of the call is kept.
   * @throws SpellError rag-input, rag-file, rag-package, rag-duplicate, rag-memory, run-aborted
   */
  ingest(documents: RagDocument | readonly RagDocument[], options?: IngestOptions): Promise<IngestResult>;
  /** Passages, best first. @throws SpellError rag-input, rag-unknown for a collection that was named and is not there */
  search(query: string, options?: SearchOptions): Promise<readonly RagHit[]>;
  /** Passages as text with numbers to cite, as long as `maxTokens` allows. @throws SpellError as search() */
  context(query: string, options?: ContextOptions): Promise<RagContext>;
  /** @returns how many of these documents were there */
  remove(ids: readonly string[], place?: RagPlace): Promise<number>;
  /** Removes all documents of a scope. @returns how many there were */
  cleanupScope(scope: string, scopeId: string | undefined, place?: RagPlace): Promise<number>;
  /** Ids of documents, sorted. */
  documents(place?: RagPlace): Promise<readonly string[]>;
  /** All passages, document by document. @throws SpellError rag-unknown */
  export(place?: RagPlace): AsyncGenerator<ExportedChunk, void, undefined>;
  /** Names of collections that there are, of one tenant. */
  collections(tenantId?: string): Promise<readonly string[]>;
  listProviders(): readonly RagProvider[];
  stats(options?: StatsOptions): Promise<RagStats>;
  /** A scope whose documents are gone after `ttlSeconds`; default `rag.tenants.session_ttl_seconds`. @returns the place to name in calls */
  createSessionCollection(id: string, ttlSeconds?: number): Promise<RagPlace>;
  /** Limits of calls in one session's scope. */
  configureSession(id: string, limits: RagLimits): void;
  configure(limits: RagLimits): void;
  /** Writes what was added or removed. Where a graph is due, that takes minutes. */
  save(options?: SaveOptions): Promise<void>;
  /** Saves and gives everything back. */
  close(): Promise<void>;
}
