/** The contracts of retrieval: where an index lies, what is put into it, what it answers. Types only. */
export type Metric = "cosine" | "euclidean" | "inner_product";

/** What made the vectors of an index; vectors of two embedders are never mixed. */
export interface EmbedderIdentity {
  /** model and all that changes its vectors, such as "lexical" or "all-minilm-l6-v2@candle" */
  readonly id: string;
  readonly dimensions: number;
}

export interface Chunk {
  /** as it stands in the source */
  readonly text: string;
  /** headings above it, outermost first */
  readonly headings: readonly string[];
  /** place in the source, in UTF-16 units, as String.slice takes them */
  readonly start: number;
  readonly end: number;
}

export interface IndexedChunk extends Chunk {
  readonly vector: Float32Array;
  /** of the text that was embedded, for knownVector() */
  readonly hash: string;
}

/** JSON data of a document that searches may filter by and results carry. */
export type Metadata = Readonly<Record<string, unknown>>;

export interface IndexedDocument {
  /** unique in the collection: a later document of the same id takes the place of the earlier one */
  readonly id: string;
  /** searched with each chunk's words, as its headings are; such as a file's name */
  readonly title?: string | undefined;
  readonly metadata: Metadata;
  readonly chunks: readonly IndexedChunk[];
}

export interface Query {
  /** words that are looked for; empty: none */
  readonly text: string;
  /** of the collection's embedder */
  readonly vector: Float32Array;
  /** most results */
  readonly k: number;
  /** share of word match in the score, 0 … 1 */
  readonly hybridWeight: number;
  /** least score of a result */
  readonly threshold?: number | undefined;
  /** what is not kept is not ranked */
  readonly keep?: ((metadata: Metadata, document: string) => boolean) | undefined;
  /** `mmr`: what resembles better results comes later, 0.7 parts relevance */
  readonly rerank?: "none" | "mmr" | undefined;
  /** Of equal texts the best is returned; the others are its `copies`. */
  readonly deduplicate?: boolean | undefined;
}

/** A chunk with the text of a better one. */
export type Copy = Pick<Hit, "document" | "chunk" | "headings" | "start" | "end" | "metadata">;

export interface Hit {
  readonly document: string;
  /** number of the chunk in its document, from 0 */
  readonly chunk: number;
  /** (1 − w) · vector score + w · word score over the best word score of this query */
  readonly score: number;
  readonly vectorScore: number;
  readonly wordScore: number;
  /** undefined where texts are not stored */
  readonly text: string | undefined;
  readonly headings: readonly string[];
  readonly start: number;
  readonly end: number;
  readonly metadata: Metadata;
  /** best first; empty without `deduplicate` */
  readonly copies: readonly Copy[];
}

export interface CollectionStats {
  readonly documents: number;
  readonly chunks: number;
  /** chunks that newer documents or removals have replaced, and that still take room */
  readonly deadChunks: number;
  readonly segments: readonly { readonly name: string; readonly chunks: number; readonly scan: "exact" | "graph" }[];
  readonly bytes: number;
}

/** How long vectors become neighbours, where a graph is built (storage chapter of docs/rag.md). */
export interface GraphSettings {
  readonly m: number;
  readonly efConstruction: number;
  readonly efSearch: number;
  readonly seed: number;
  readonly layers: number;
  readonly batchSize: number;
  /** chunks from which a merged segment gets a graph; fewer are looked at one by one, which is exact; default 20,000 */
  readonly least?: number | undefined;
  /** that build at once, where the host has them; the graph is the same; default 1 */
  readonly threads?: number | undefined;
}

/** A graph of near neighbours, as a segment keeps it. A list is its length, then that many rows, then room. */
export interface Graph {
  /** links of a row in upper levels; twice as many at the bottom */
  readonly m: number;
  /** where every search begins: a row of the topmost level */
  readonly entry: number;
  /** level of each row */
  readonly levels: Uint8Array;
  /** a list of 1 + 2m numbers for each row */
  readonly bottom: Uint32Array;
  /** a list of 1 + m numbers for each level above 0 of each row, in the order of rows and levels */
  readonly upper: Uint32Array;
}

/** Rows of 8 bits, and the numbers that make products of them nearness. */
export interface GraphRows {
  readonly rows: Int8Array;
  readonly dimensions: number;
  /** of each row */
  readonly factors: Float64Array;
  readonly biases: Float64Array;
}

/** Builds graphs with several threads. */
export interface GraphThreads {
  /** threads that this machine runs at once */
  readonly most: number;
  /** @param threads 2 … `most` @param onRows told now and then of rows that have their neighbours @returns what one thread makes */
  build(rows: GraphRows, settings: GraphSettings, threads: number, onRows?: (done: number) => void): Promise<Graph>;
}

export interface CollectionSettings {
  readonly embedder: EmbedderIdentity;
  readonly metric: Metric;
  /** absent: every search is exact */
  readonly graph?: GraphSettings | undefined;
  /** false: texts are not kept, words can be searched all the same */
  readonly storeText: boolean;
}

/**
 * All documents of a folder. What is added is found at once, and durable after save(). Writers need no lock: each save is a file of its own; a document is
 * where its newest stamp is. Every method may throw rag-damaged, rag-version, rag-model, store-*.
 */
export interface Collection {
  /** Adds or replaces documents. */
  add(documents: readonly IndexedDocument[]): void;
  /** @returns how many of them were there */
  remove(documents: readonly string[]): number;
  /** Gives documents other metadata; their chunks stay, and are not written again. What is not there is passed over. */
  restate(documents: readonly Pick<IndexedDocument, "id" | "metadata">[]): void;
  /** Metadata of a document, and the chunks it has; undefined where it is not there. */
  get(document: string): { readonly metadata: Metadata; readonly chunks: number } | undefined;
  /** Ids of all documents, sorted. */
  documents(): readonly string[];
  /** Vectors of chunks whose embedded text (hash) is known: what did not change is not embedded again. */
  knownVector(hash: string): Promise<Float32Array | undefined>;
  /** Best first. */
  search(query: Query): Promise<readonly Hit[]>;
  /** All chunks of a document in order, without scores. */
  chunksOf(document: string): Promise<readonly Chunk[]>;
  stats(): CollectionStats;
  /** Writes what was added or removed since. Without changes nothing is written. */
  save(): Promise<void>;
  /** Sees what others have saved. */
  refresh(): Promise<void>;
  /**
   * Sets files aside that are damaged, and forgets what they held: it is as if it had never been added. Files of older versions, which are read whole, are
   * written anew by the next save(). @returns what is to be told of each
   */
  mend(): Promise<readonly string[]>;
  /** Reads all of it. @throws SpellError rag-damaged where a byte is another than it was written */
  check(): Promise<void>;
  /** Puts small segments together and drops what is dead, where that pays or `force` says so. */
  merge(force?: boolean): Promise<void>;
}
