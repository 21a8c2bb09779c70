/** What is used of the package wllama: the host imports it, nothing here does. */
import type { WllamaProxy } from "./ask-ahead.ts";

/** The engine's name in reports and errors. */
export const runtime = "wllama";

/** The part of wllama's class that is used. */
export interface WllamaLike {
  loadModel(blobs: Blob[], params: Readonly<Record<string, unknown>>): Promise<void>;
  getLoadedContextInfo(): {
    readonly success?: boolean | undefined;
    readonly n_vocab: number;
    readonly n_ctx: number;
    readonly add_bos_token: boolean;
  };
  /** With `stream` and `onData`; resolves when the request is over and its slot free. */
  createCompletion(options: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Of models loaded with `embeddings`: one text a call. */
  createEmbedding(options: { readonly input: string }): Promise<{
    readonly data?: readonly { readonly embedding?: readonly number[] | undefined }[] | undefined;
    readonly usage?: { readonly prompt_tokens?: number | undefined } | undefined;
  }>;
  isMultithread(): boolean;
  /** from the load on */
  readonly proxy?: WllamaProxy | undefined;
  /**
   * With our kernels (src/kernels/threads.c): asks the engine to choose for each graph how many of its threads compute it.
   * @returns its choice: threads for prompts, for answers, and at most; nothing before the first graph
   */
  _getDebugInfo(): Promise<unknown>;
  exit(): Promise<void>;
}

/** A token that was drawn, as text, and how likely it was among all of the vocabulary; with the likeliest of its place. */
export interface ToldToken {
  readonly token?: string | undefined;
  readonly logprob?: number | undefined;
  readonly top_logprobs?: readonly { readonly token?: string | undefined; readonly logprob?: number | undefined }[] | undefined;
}

/** What `onData` gets. */
export interface WllamaChunk {
  readonly choices?:
    | readonly {
        readonly text?: string | undefined;
        readonly finish_reason?: string | null | undefined;
        /** only where probabilities were asked for */
        readonly logprobs?:
          | {
              readonly content?: readonly ToldToken[] | undefined;
            }
          | null
          | undefined;
      }[]
    | undefined;
  /** The first chunks of an answer: how long the prompt is, and how much of it is computed. */
  readonly prompt_progress?: { readonly total: number; readonly cache: number } | undefined;
  readonly timings?:
    | {
        readonly prompt_n?: number | undefined;
        readonly prompt_ms?: number | undefined;
        readonly cache_n?: number | undefined;
        readonly predicted_n?: number | undefined;
        readonly predicted_ms?: number | undefined;
      }
    | undefined;
}

/** A store for wllama's cache, which is not used: models come from a ByteSource. Without one it looks for the browser's file system. */
const noStore = {
  isSupported: (): boolean => true,
  read: async (): Promise<null> => null,
  write: async (): Promise<undefined> => undefined,
  getSize: async (): Promise<number> => -1,
  list: async (): Promise<readonly []> => [],
  delete: async (): Promise<undefined> => undefined,
};

type Log = (...words: unknown[]) => void;

/**
 * What an instance is made with. Never with `suppressNativeLog` (wllama 3.13.0): with it the engine makes every line it knows, eight for a token, and
 * sends them to be thrown away. `logLevel` keeps it quiet.
 * @param onLog gets the engine's own lines
 */
export function instanceConfig<Cache>(
  CacheManager: new (backends: never) => Cache,
  onLog: (line: string) => void,
): {
  readonly cacheManager: Cache;
  readonly logger: Readonly<Record<"debug" | "log" | "warn" | "error", Log>>;
} {
  const say: Log = (...words) => onLog(words.map(String).join(" "));
  const logger = { debug: say, log: say, warn: say, error: say };
  return { cacheManager: new CacheManager([noStore] as never), logger };
}
