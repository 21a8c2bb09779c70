/** A question to an index: checked, embedded, ranked, and kept for when it is asked again. */
import { abortedError, SpellError } from "../errors.ts";
import type { Copy } from "../spec/search-index.ts";
import { createCache } from "./cache.ts";
import { lexicalName } from "./embedder.ts";
import type { Indexes, IndexesHost } from "./indexes.ts";
import { finds, keptOf, outerId } from "./kept.ts";
import type { RagHit, RagLimits, RagPlace, SearchOptions } from "./types.ts";

export type RerankTexts = (
  model: string,
  query: string,
  texts: readonly string[],
  options: { readonly truncate: boolean; readonly signal?: AbortSignal | undefined },
) => Promise<{ readonly scores: readonly number[] }>;

export interface FinderHost extends IndexesHost {
  /** Scores of texts by a cross-encoder. @throws SpellError of spell.rerank() */
  readonly rerank?: RerankTexts | undefined;
}

export interface FinderParts {
  /** The indexes, which are made after this. */
  readonly indexes: () => Indexes;
  readonly limitsOf: (place: RagPlace) => RagLimits;
  readonly wallTime: () => number;
  readonly dump: (operation: string, data: unknown) => Promise<void>;
  readonly debug: (line: string) => void;
}

export interface Finder {
  search(text: string, options: SearchOptions): Promise<readonly RagHit[]>;
  /** What was found before is not taken again. */
  forget(): void;
}

export function createFinder(host: FinderHost, { indexes, limitsOf, wallTime, dump, debug }: FinderParts): Finder {
  const { platform, settings } = host;
  const { vector_storage: storage, search: searching, cache } = settings;
  const found = createCache<{ readonly hits: readonly RagHit[]; readonly until: number }>(
    cache.search_cache_enabled ? cache.search_cache_size : 0,
    cache.search_cache_ttl_seconds * 1000,
    platform.now,
  );
  let isToldLexical = false;

  const checkQuery = (query: unknown): string => {
    if (typeof query !== "string" || query.trim() === "")
      throw new SpellError("rag-input", `query: expected text, got ${typeof query === "string" ? "an empty text" : typeof query}`, {
        where: "query",
      });
    const { enable_input_validation, max_input_size_kb } = settings.security;
    if (enable_input_validation && query.length > max_input_size_kb * 1000)
      throw new SpellError("rag-input", `query: expected at most ${max_input_size_kb * 1000} characters, got ${query.length}`, {
        where: "rag.security.max_input_size_kb",
      });
    return query;
  };

  const thresholdOf = (given: number | undefined): number => {
    const asked = given ?? searching.threshold;
    const { metric } = storage.hnsw;
    const [least, most] = scoresOf[metric];
    if (!(Number.isFinite(asked) && asked >= least && asked <= most))
      throw new SpellError("rag-input", `threshold: expected ${expectedScore(metric)}, got ${asked}`, {
        where: given === undefined ? "rag.search.threshold" : "threshold",
        details: { metric },
      });
    return asked;
  };

  const reranked = async (
    query: string,
    hits: readonly RagHit[],
    name: string,
    k: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly RagHit[]> => {
    const known = hits.filter(({ content }) => content !== undefined);
    if (known.length === 0) return hits.slice(0, k);
    if (host.rerank === undefined) throw new SpellError("rag-model", `${name}: this program has no re-ranking`, { where: "rerankModel" });
    const texts = known.map(({ content }) => content ?? "");
    const { scores } = await host.rerank(name, query, texts, { truncate: true, signal });
    return known
      .map((hit, i) => ({ ...hit, score: scores[i] ?? 0 }))
      .sort((a, b) => b.score - a.score)
      .slice(0, k);
  };

  return {
    async search(text, options) {
      const query = checkQuery(text);
      const { collection, place, embedder } = await indexes().find(options, options.provider);
      const narrowed = limitsOf(options);
      const k = Math.min(options.topK ?? searching.top_k, narrowed.topK ?? Number.POSITIVE_INFINITY);
      if (!Number.isInteger(k) || k < 1)
        throw new SpellError("rag-input", `topK: expected a whole number from 1, got ${k}`, { where: "topK" });
      const threshold = Math.max(thresholdOf(options.threshold), narrowed.threshold ?? Number.NEGATIVE_INFINITY);
      const { scope, scopeId, filters, rerankModel, signal } = options;
      const key = JSON.stringify([place, query, k, threshold, scope, scopeId, filters, rerankModel, options.provider]);
      const cached = found.get(key);
      if (cached !== undefined && wallTime() < cached.until) return cached.hits;
      if (embedder.name === lexicalName && searching.hybrid_weight === 0 && !isToldLexical) {
        isToldLexical = true;
        platform.log({ level: "warn", message: "rag: lexical without word match finds about half; raise rag.search.hybrid_weight" });
      }
      const { vectors } = await embedder.embed([query], "query", signal);
      const tenant = indexes().tenantIn(place);
      const time = wallTime();
      const hits = await collection.search({
        text: query,
        vector: vectors[0] ?? new Float32Array(embedder.dimensions),
        k: rerankModel === undefined ? k : 4 * k,
        hybridWeight: searching.hybrid_weight,
        threshold,
        keep: (metadata) => finds(keptOf(metadata), tenant, { scope, scopeId, filters }, time),
        rerank: searching.rerank,
        deduplicate: searching.deduplicate,
      });
      if (signal?.aborted === true) throw abortedError();
      const placeIn = ({ document, headings, start, end, metadata }: Copy) => {
        const { source, own } = keptOf(metadata);
        const about = searching.include_metadata ? { metadata: own } : {};
        return { id: outerId(document), source, heading: headings.join(" > "), start, end, ...about };
      };
      const results = hits.map((hit): RagHit => {
        const { id, source, heading, ...rest } = placeIn(hit);
        const copies = hit.copies.length === 0 ? {} : { copies: hit.copies.map(placeIn) };
        return { id, source, heading, content: hit.text, score: hit.score, ...rest, ...copies };
      });
      const best = rerankModel === undefined ? results : await reranked(query, results, rerankModel, k, signal);
      // documents of a session end by themselves
      const until = hits
        .flatMap((hit) => [hit, ...hit.copies])
        .reduce((least, { metadata }) => Math.min(least, keptOf(metadata).until ?? least), Number.POSITIVE_INFINITY);
      found.set(key, { hits: best, until });
      await dump("search", { ...place, query, k, threshold, results: best });
      debug(`search found ${best.length}`);
      return best;
    },
    forget: () => found.clear(),
  };
}

/** The least and the largest score, by metric. */
const scoresOf = { cosine: [-1, 1], euclidean: [0, 1], inner_product: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] } as const;

function expectedScore(metric: keyof typeof scoresOf): string {
  const [least, most] = scoresOf[metric];
  return Number.isFinite(least) ? `a number from ${least} to ${most}, as scores by ${metric} are` : "a number";
}
