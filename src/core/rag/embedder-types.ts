/** What makes vectors of texts here, and what it is handed. Types only. */
import type { EmbeddingModel } from "../spec/embedding-model.ts";
import type { DeviceChoice, Pooling } from "../spec/runtime.ts";
import type { EmbedderIdentity } from "../spec/search-index.ts";

/** What an embedding model is asked with, and what loads it. */
export interface EmbedderHost {
  /** @throws SpellError of spell.embeddings() */
  embeddings(
    name: string,
    options: {
      readonly device?: DeviceChoice;
      readonly contextSize?: number;
      readonly pooling?: Pooling;
      readonly keep: boolean;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<EmbeddingModel>;
  /** What of a load a provider lets be chosen; default: all. */
  readonly takes?: ((provider: string) => { readonly device: boolean; readonly contextSize: boolean }) | undefined;
  readonly now: () => number;
}

export interface Embedder extends EmbedderIdentity {
  /** as users name it */
  readonly name: string;
  /** about as many as the model reads: words for `lexical`, else characters ÷ 3 */
  count(text: string): number;
  /** As many as the model reads. @returns undefined where count() is right, or nothing knows better; a note says so once */
  tokens(texts: readonly string[], signal?: AbortSignal): Promise<readonly number[] | undefined>;
  embed(texts: readonly string[], kind: "query" | "document", signal?: AbortSignal): Promise<Embedded>;
  close(): Promise<void>;
}

export interface Embedded {
  readonly vectors: readonly Float32Array[];
  readonly tokens: number;
  readonly warnings: readonly string[];
}
