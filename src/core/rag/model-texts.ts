/** Texts to the vectors of an embedding model: kept for a while, asked for again where a service is busy, cut to the length that the index has. */
import type { RagConfig } from "../config/config.generated.ts";
import { SpellError } from "../errors.ts";
import type { EmbeddingModel } from "../spec/embedding-model.ts";
import { createCache } from "./cache.ts";
import type { Embedder, EmbedderHost } from "./embedder-types.ts";

export type ModelTexts = Pick<Embedder, "tokens" | "embed" | "close">;

/** A server that asks for a longer wait is not asked again. */
const longestAskedMs = 120_000;

type EmbedderLoad = Omit<NonNullable<Parameters<EmbedderHost["embeddings"]>[1]>, "keep">;
type Takes = ReturnType<NonNullable<EmbedderHost["takes"]>>;

/** Options of a load that the model's provider takes. */
export function embedderLoad({ device, pooling, max_input_tokens }: RagConfig["embedding"], takes: Takes): EmbedderLoad {
  const contextSize = Math.max(128, max_input_tokens);
  if (!takes.device) return takes.contextSize ? { contextSize } : {};
  return { device, contextSize, ...(pooling === "auto" ? {} : { pooling }) };
}

/** As much context as is asked for, or what the model has. @param load may refuse a size, with the limit among its details */
export async function loadEmbedder<T>(load: (options: EmbedderLoad) => Promise<T>, options: EmbedderLoad): Promise<T> {
  try {
    return await load(options);
  } catch (error) {
    const limit = error instanceof SpellError ? error.details?.["limit"] : undefined;
    if (typeof limit !== "number" || options.contextSize === undefined || options.contextSize <= limit) throw error;
    return load({ ...options, contextSize: limit });
  }
}

/** Loads nothing; the first text does. @param takes what the model's provider lets be chosen */
export function modelTexts(
  name: string,
  dimensions: number,
  settings: RagConfig["embedding"],
  host: EmbedderHost,
  takes: Takes,
): ModelTexts {
  const { query_prefix, document_prefix, timeout_seconds, max_retries, cache_enabled, cache_size, cache_ttl_seconds } = settings;
  const cache = createCache<Float32Array>(cache_enabled ? cache_size : 0, cache_ttl_seconds * 1000, host.now);
  const load = embedderLoad(settings, takes);
  const idle = takes.device ? [] : (["device", "pooling"] as const).filter((key) => settings[key] !== "auto");
  const untold = idle.map((key) => `rag.embedding.${key} has no effect on ${name}`);
  let isTold = false;
  /** absent: none was asked for */
  let model: Promise<EmbeddingModel> | undefined;
  const opened = async (): Promise<EmbeddingModel> => {
    model ??= loadEmbedder((options) => host.embeddings(name, { ...options, keep: true }), load);
    const opening = model;
    try {
      return await opening;
    } catch (error) {
      if (model === opening) model = undefined;
      throw error;
    }
  };
  const ask = async (texts: readonly string[], query: boolean, signal: AbortSignal | undefined) => {
    const loaded = await opened();
    for (let tries = 0; ; tries += 1) {
      const timeout = AbortSignal.timeout(timeout_seconds * 1000);
      try {
        return await loaded.embed(texts, {
          query,
          truncate: true,
          // tries are counted here: each has the whole time
          retries: 0,
          signal: AbortSignal.any(signal === undefined ? [timeout] : [timeout, signal]),
        });
      } catch (error) {
        if (timeout.aborted && signal?.aborted !== true)
          throw new SpellError("rag-timeout", `${name} gave no vectors within ${timeout_seconds} s`, {
            where: "rag.embedding.timeout_seconds",
            cause: error,
          });
        if (!(error instanceof SpellError) || !error.retryable || tries >= max_retries) throw error;
        const wait = (error.details?.["retryAfterMs"] as number | undefined) ?? Math.min(8000, 250 * 2 ** tries);
        if (wait > longestAskedMs) throw error;
        await new Promise((resolve) => {
          const timer = setTimeout(resolve, wait);
          // a timer that is left keeps the process
          signal?.addEventListener("abort", () => resolve(clearTimeout(timer)));
        });
      }
    }
  };
  return {
    async tokens(texts, signal) {
      const counts = await (await opened()).countTokens(texts, { signal });
      if (counts === undefined && !isTold) {
        isTold = true;
        untold.push(`${name} counts no tokens here: lengths of passages are characters ÷ 3`);
      }
      return counts;
    },
    async embed(texts, kind, signal) {
      const prefix = kind === "query" ? query_prefix : document_prefix;
      const keys = texts.map((text) => `${kind}\n${text}`);
      const found = keys.map((key) => cache.get(key));
      const missing = [...found.keys()].filter((at) => found[at] === undefined);
      if (missing.length === 0) return { vectors: found as Float32Array[], tokens: 0, warnings: [] };
      const made = await ask(
        missing.map((at) => prefix + (texts[at] ?? "")),
        kind === "query",
        signal,
      );
      for (const [i, at] of missing.entries()) {
        const vector = fitted(made.vectors[i] ?? new Float32Array(), dimensions, name, settings.normalize);
        found[at] = vector;
        cache.set(keys[at] ?? "", vector);
      }
      return {
        vectors: found as Float32Array[],
        tokens: made.tokens,
        warnings: [...untold.splice(0), ...made.warnings.map(({ message }) => message)],
      };
    },
    async close() {
      await model?.then(
        (loaded) => loaded.dispose(),
        () => undefined,
      );
    },
  };
}

/** A longer vector is cut, and with `normalize` as long as before. @throws SpellError rag-model for a shorter one */
function fitted(vector: Float32Array, dimensions: number, name: string, normalize: boolean): Float32Array {
  if (vector.length === dimensions) return vector;
  if (vector.length < dimensions)
    throw new SpellError("rag-model", `${name} makes vectors of ${vector.length} numbers; expected at least ${dimensions}`, {
      where: "rag.vector_storage.dimensions",
      hint: `Set rag.vector_storage.dimensions to ${vector.length}.`,
      details: { got: vector.length, expected: dimensions },
    });
  const cut = vector.slice(0, dimensions);
  if (!normalize) return cut;
  const length = Math.hypot(...cut) || 1;
  return cut.map((value) => value / length);
}
