/** Retrieval over documents: what `spell.rag()` gives, and what the global RAG and the commands `rag …` stand on. */
import type { RagConfig } from "../config/config.generated.ts";
import { abortedError, messageOf, SpellError, throwIfAborted } from "../errors.ts";
import { shown } from "../json.ts";
import type { Platform, SharedIndexes } from "../platform.ts";
import { openCollection } from "../search/collection.ts";
import type { Collection, CollectionSettings, Copy, IndexedDocument } from "../spec/search-index.ts";
import { asOptions } from "../text/check-call.ts";
import { once, onceFor } from "../values.ts";
import { createCache } from "./cache.ts";
import { cachedFolder } from "./cached-folder.ts";
import { contextOf } from "./context.ts";
import { embedAll } from "./embed-all.ts";
import { createEmbedder, type Embedder, type EmbedderHost, lexicalName } from "./embedder.ts";
import { finds, innerId, type Kept, keptOf, outerId, sessionScope } from "./kept.ts";
import { narrower } from "./limits.ts";
import { measured } from "./measured.ts";
import { checkRoom } from "./memory.ts";
import { createPlaces, type FoundPlace } from "./places.ts";
import type { Draft, Prepared } from "./prepare.ts";
import type {
  IngestOptions,
  IngestResult,
  Rag,
  RagDocument,
  RagHit,
  RagLimits,
  RagPlace,
  RagProvider,
  SaveOptions,
  SearchOptions,
} from "./types.ts";
import { createWatch } from "./watch.ts";

export interface RagHost extends Omit<EmbedderHost, "now"> {
  readonly platform: Pick<
    Platform,
    "name" | "now" | "log" | "searchFolder" | "sharedIndexes" | "graphThreads" | "config" | "documentReaders" | "sideFiles" | "records"
  >;
  readonly settings: RagConfig;
  /** Address of the database, for the backend postgres. @throws SpellError config-api-key-missing */
  readonly postgresUrl?: (() => string) | undefined;
  /** names of providers that are declared, for listProviders() */
  readonly providers?: readonly string[] | undefined;
  /** Scores of texts by a cross-encoder. @throws SpellError of spell.rerank() */
  readonly rerank?: RerankTexts | undefined;
  /** passages from which a merged segment gets a graph; default 20,000 */
  readonly leastInGraph?: number | undefined;
  /** milliseconds since the epoch; default: the clock of this machine */
  readonly wallTime?: (() => number) | undefined;
}

export type RerankTexts = (
  model: string,
  query: string,
  texts: readonly string[],
  options: { readonly truncate: boolean; readonly signal?: AbortSignal | undefined },
) => Promise<{ readonly scores: readonly number[] }>;

/** An index that is open. */
interface Opened {
  readonly collection: Collection;
  readonly place: FoundPlace;
  readonly embedder: Embedder;
  /** for messages */
  readonly folder: string;
  refreshedAt: number;
}

/** What others have saved is seen at most so late. */
const refreshMs = 1000;

/** Opens nothing; the first call does. */
export function createRag(host: RagHost): Rag {
  const { platform, settings, wallTime = Date.now } = host;
  const { now, log } = platform;
  const { vector_storage: storage, embedding, search: searching, ingest: ingesting, cache, tenants, multi_tenant } = settings;
  const shared = storage.backend === "postgres" ? sharedIndexes(host) : undefined;
  const isKept = shared !== undefined || (storage.persistence_path !== "" && platform.searchFolder !== undefined);
  if (storage.persistence_path !== "" && !isKept)
    log({ level: "warn", message: `rag: ${platform.name} keeps no files; the index lasts as long as this program` });
  const places = createPlaces(settings, isKept ? platform.searchFolder : undefined, shared?.open);
  // what is switched off is not fetched
  const audits = once(async () => (await import("./audit.ts")).createAudit(settings, platform));
  const audit = settings.security.enable_audit_logging ? async (line: string) => (await audits())?.(line) : undefined;
  const watch = createWatch(settings, { now, wallTime, log, audit });
  const dumps = once(async () => (await import("./dumps.ts")).createDumps(settings, platform, wallTime));
  const dump = async (operation: string, data: unknown): Promise<void> => {
    if (settings.debug.save_debug_dumps) await (await dumps())(operation, data);
  };
  const copies = once(async () => (await import("./backup.ts")).createBackup(settings, platform, wallTime));
  const copy = async (): Promise<void> => {
    if (settings.backup.enable_auto_backup) await (await copies())();
  };
  /** A copy that fails is no reason not to answer. */
  const backup = (): Promise<void> =>
    copy().catch((error: unknown) => log({ level: "warn", message: `rag: no backup was made: ${messageOf(error)}` }));
  const embedders = new Map<string, Embedder>();
  const found = createCache<{ readonly hits: readonly RagHit[]; readonly until: number }>(
    cache.search_cache_enabled ? cache.search_cache_size : 0,
    cache.search_cache_ttl_seconds * 1000,
    now,
  );
  const opened = new Map<string, Promise<Opened>>();
  const untils = new Map<string, number>();
  /** When the next document of a session ends, of each index. */
  const endings = new Map<Collection, number>();
  const sessionLimits = new Map<string, RagLimits>();
  let limits: RagLimits = {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isToldLexical = false;
  let onLinked: SaveOptions["onProgress"];

  const embedderOf = onceFor((provider: string): Embedder => {
    const made = createEmbedder(provider, settings, { embeddings: host.embeddings, takes: host.takes, now });
    embedders.set(provider, made);
    return made;
  });

  /** Takes out what is over by now. */
  const forgetOver = (collection: Collection): void => {
    const time = wallTime();
    if (time < (endings.get(collection) ?? Number.POSITIVE_INFINITY)) return;
    const over: string[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const id of collection.documents()) {
      const { until = Number.POSITIVE_INFINITY } = keptOf(collection.get(id)?.metadata ?? {});
      if (until <= time) over.push(id);
      else next = Math.min(next, until);
    }
    endings.set(collection, next);
    if (over.length > 0) removeAll(collection, over);
  };

  const openAt = async (place: FoundPlace, embedder: Embedder, mends: boolean): Promise<Opened> => {
    await backup();
    const { hnsw } = storage;
    const wanted = {
      embedder: { id: embedder.id, dimensions: embedder.dimensions },
      metric: hnsw.metric,
      storeText: ingesting.store_text,
      graph:
        storage.backend === "flat"
          ? undefined
          : {
              m: hnsw.m,
              efConstruction: hnsw.ef_construction,
              efSearch: hnsw.ef_search,
              seed: hnsw.seed,
              layers: hnsw.nb_layers,
              batchSize: hnsw.parallel_batch_size,
              least: host.leastInGraph,
              threads: hnsw.num_threads === 0 ? Math.ceil((platform.graphThreads?.most ?? 1) / 2) : hnsw.num_threads,
            },
    };
    const { collection, at } = await (shared === undefined ? openFolder(place, wanted, mends) : openShared(shared, place, wanted));
    endings.set(collection, 0);
    forgetOver(collection);
    return { collection, place, embedder, folder: at, refreshedAt: now() };
  };

  const openShared = async ({ open: database }: Shared, place: FoundPlace, wanted: CollectionSettings) => {
    const indexes = await database();
    return { collection: await indexes.open(await places.path(place), wanted), at: indexes.place };
  };

  const openFolder = async (place: FoundPlace, wanted: CollectionSettings, mends: boolean) => {
    const folder = cachedFolder(
      await places.folder(place),
      {
        most: cache.document_cache_enabled ? cache.document_cache_size_mb * 1_000_000 : 0,
        except: storage.on_disk ? 4 * wanted.embedder.dimensions : undefined,
      },
      now,
    );
    const { graphThreads } = platform;
    const onGraph = ({ rows, threads }: { readonly rows: number; readonly threads: number }): void =>
      log({
        level: "debug",
        message: `rag: a graph of ${rows} passages was built by ${threads === 1 ? "one thread" : `${threads} threads`}`,
      });
    return {
      collection: await openCollection(folder, wanted, { graphThreads, onGraph, onLinked: (done, of) => onLinked?.({ done, of }), mends }),
      at: folder.place,
    };
  };

  /** @param mends opens an index of which files are damaged */
  const open = async (given: RagPlace, provider = embedding.default_provider, mends = false): Promise<Opened> => {
    const place = places.read(given);
    const key = JSON.stringify([multi_tenant ? place.tenant : "", place.collection, provider]);
    const known = opened.get(key);
    if (known !== undefined) {
      const index = await known;
      if (now() - index.refreshedAt > refreshMs) {
        index.refreshedAt = now();
        const before = index.collection.stats().segments.map(({ name }) => name);
        await index.collection.refresh().catch((error: unknown) => {
          if (!mends || !(error instanceof SpellError) || error.code !== "rag-damaged") throw error;
        });
        if (
          before.join() !==
          index.collection
            .stats()
            .segments.map(({ name }) => name)
            .join()
        ) {
          found.clear();
          endings.set(index.collection, 0);
        }
      }
      forgetOver(index.collection);
      return { ...index, place };
    }
    const opening = openAt(place, embedderOf(provider), mends);
    opened.set(key, opening);
    try {
      return await opening;
    } catch (error) {
      opened.delete(key);
      throw error;
    }
  };
  const tenantIn = ({ tenant }: FoundPlace): string | undefined =>
    multi_tenant || tenant === tenants.default_tenant_id ? undefined : tenant;

  const saveSoon = (): void => {
    const { save_interval_seconds: seconds } = storage;
    if (!isKept || seconds === 0 || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      save().catch((error: unknown) =>
        log({ level: "error", message: `rag: not saved: ${error instanceof Error ? error.message : error}` }),
      );
    }, seconds * 1000);
    (timer as { unref?: () => void }).unref?.();
  };

  const save = async ({ onProgress }: SaveOptions = {}): Promise<void> => {
    onLinked = onProgress ?? onLinked;
    try {
      for (const each of opened.values()) await (await each).collection.save();
    } finally {
      if (onLinked === onProgress) onLinked = undefined;
    }
    await backup();
  };

  const limitsOf = ({ scope, scopeId }: RagPlace): RagLimits => ({
    ...limits,
    ...(scope === sessionScope && scopeId !== undefined ? sessionLimits.get(scopeId) : undefined),
  });

  const ingest = async (given: readonly RagDocument[], options: IngestOptions): Promise<IngestResult> => {
    const most = Math.min(ingesting.max_documents, limitsOf(options).maxDocuments ?? Number.POSITIVE_INFINITY);
    if (given.length > most)
      throw new SpellError("rag-input", `expected at most ${most} documents in one call, got ${given.length}`, {
        where: "rag.ingest.max_documents",
      });
    const index = await open(options, options.provider, true);
    const { collection, place, embedder } = index;
    const set = await collection.mend();
    if (set.length > 0) found.clear();
    const tenant = tenantIn(place);
    const { scope, scopeId, signal, onProgress } = options;
    const { chunkingOf, prepare } = await import("./prepare.ts");
    const chunking = chunkingOf(settings, options.chunking);
    const sourceOf = (id: string): string | undefined => {
      const known = collection.get(innerId(id, { tenant, scope, scopeId }));
      return known === undefined ? undefined : keptOf(known.metadata).source || undefined;
    };
    const parts = {
      settings,
      sourceOf: options.keepsSource === true ? sourceOf : undefined,
      chunking,
      count: embedder.count,
      tokens: (texts: readonly string[]) => embedder.tokens(texts, signal),
      readers: platform.documentReaders,
      embed: async (texts: readonly string[]) => (await embedder.embed(texts, "document", signal)).vectors,
    };
    const until = scope === sessionScope ? (untils.get(scopeId ?? "") ?? wallTime() + tenants.session_ttl_seconds * 1000) : undefined;
    const changed: { readonly inner: string; readonly prepared: Prepared; readonly kept: Kept }[] = [];
    const seen = new Map<string, number>();
    let unchanged = 0;
    // all of them first: where one is refused nothing is kept
    for (const [at, document] of given.entries()) {
      throwIfAborted(signal);
      let draft: Draft;
      try {
        draft = await prepare(document, at, parts);
      } catch (error) {
        if (options.onSkip === undefined || !(error instanceof SpellError)) throw error;
        options.onSkip(error, document);
        continue;
      }
      const inner = innerId(draft.id, { tenant, scope, scopeId });
      const kept: Kept = {
        own: draft.metadata,
        source: draft.title || draft.id,
        hash: draft.hash,
        tenant,
        scope,
        scopeId,
        until,
      };
      const known = collection.get(inner);
      const isTwice = seen.has(inner);
      if (known !== undefined || isTwice) {
        if (ingesting.on_duplicate === "error")
          throw new SpellError("rag-duplicate", `document ${draft.id} is there already (rag.ingest.on_duplicate is error)`, {
            where: "rag.ingest.on_duplicate",
          });
        const before = known === undefined ? undefined : keptOf(known.metadata);
        const isSame =
          before?.hash === kept.hash && JSON.stringify(before.own) === JSON.stringify(kept.own) && before.until === kept.until && !isTwice;
        if (isSame || ingesting.on_duplicate === "skip") {
          unchanged += 1;
          continue;
        }
      }
      const prepared: Prepared = { ...draft, chunks: await draft.chunks() };
      if (isTwice) changed[seen.get(inner) ?? 0] = { inner, prepared, kept };
      else {
        seen.set(inner, changed.length);
        changed.push({ inner, prepared, kept });
      }
    }
    const chunks = changed.reduce((sum, { prepared }) => sum + prepared.chunks.length, 0);
    const replaced = changed.reduce((sum, { inner }) => sum + (collection.get(inner)?.chunks ?? 0), 0);
    const stats = collection.stats();
    checkRoom(stats.chunks - replaced + chunks + (storage.hnsw.allow_replace_deleted ? 0 : stats.deadChunks), settings);
    if (changed.length === 0) return { documents: 0, unchanged, chunks: 0, embedded: 0, tokens: 0, warnings: set };
    if (until !== undefined) endings.set(collection, Math.min(until, endings.get(collection) ?? until));
    await places.note(place);
    const { vectorOf, ...counts } = await embedAll(
      changed.map(({ prepared }) => prepared),
      { collection, embedder, batchSize: embedding.batch_size, atOnce: ingesting.max_concurrent, signal, onProgress },
    );
    collection.add(
      changed.map(
        ({ inner, prepared, kept }): IndexedDocument => ({
          id: inner,
          title: prepared.title,
          metadata: plain(kept),
          chunks: prepared.chunks.map((chunk) => ({ ...chunk, ...vectorOf(prepared.title, chunk) })),
        }),
      ),
    );
    found.clear();
    saveSoon();
    await dump("ingest", {
      ...place,
      documents: changed.map(({ prepared: { id, title, chunks: parts } }) => ({ id, title, chunks: parts })),
    });
    return { documents: changed.length, unchanged, chunks, ...counts, warnings: [...set, ...counts.warnings] };
  };

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

  const search = async (text: string, options: SearchOptions): Promise<readonly RagHit[]> => {
    const query = checkQuery(text);
    const index = await open(options, options.provider);
    const { collection, place, embedder } = index;
    const narrowed = limitsOf(options);
    const k = Math.min(options.topK ?? searching.top_k, narrowed.topK ?? Number.POSITIVE_INFINITY);
    if (!Number.isInteger(k) || k < 1)
      throw new SpellError("rag-input", `topK: expected a whole number from 1, got ${k}`, { where: "topK" });
    const asked = options.threshold ?? searching.threshold;
    const { metric } = storage.hnsw;
    const [least, most] = scoresOf[metric];
    if (!(Number.isFinite(asked) && asked >= least && asked <= most))
      throw new SpellError("rag-input", `threshold: expected ${expectedScore(metric)}, got ${asked}`, {
        where: options.threshold === undefined ? "rag.search.threshold" : "threshold",
        details: { metric },
      });
    const threshold = Math.max(asked, narrowed.threshold ?? Number.NEGATIVE_INFINITY);
    const { scope, scopeId, filters, rerankModel, signal } = options;
    const key = JSON.stringify([place, query, k, threshold, scope, scopeId, filters, rerankModel, options.provider]);
    const cached = found.get(key);
    if (cached !== undefined && wallTime() < cached.until) return cached.hits;
    if (embedder.name === lexicalName && searching.hybrid_weight === 0 && !isToldLexical) {
      isToldLexical = true;
      log({ level: "warn", message: "rag: lexical without word match finds about half; raise rag.search.hybrid_weight" });
    }
    const { vectors } = await embedder.embed([query], "query", signal);
    const tenant = tenantIn(place);
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
    watch.debug(`search found ${best.length}`);
    return best;
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

  const tenantOf = ({ tenantId }: RagPlace): string => tenantId ?? tenants.default_tenant_id;
  const ids = (collection: Collection, test: (kept: Kept) => boolean): readonly string[] =>
    collection.documents().filter((id) => test(keptOf(collection.get(id)?.metadata ?? {})));

  const removeAll = (collection: Collection, inner: readonly string[]): number => {
    const count = collection.remove(inner);
    found.clear();
    if (count > 0) saveSoon();
    return count;
  };

  return {
    async ingest(documents, options = {}) {
      const given = Array.isArray(documents) ? (documents as readonly RagDocument[]) : [documents as RagDocument];
      return watch.call("ingest", tenantOf(asOptions(options)), given.length, () => ingest(given, options));
    },
    search: async (query, options = {}) => watch.call("search", tenantOf(asOptions(options)), 1, () => search(query, options)),
    async context(query, options = {}) {
      return watch.call("context", tenantOf(asOptions(options)), 1, async () => {
        const { maxTokens = searching.max_context_tokens, ...rest } = options;
        const most = Math.min(maxTokens, limitsOf(options).maxContextTokens ?? Number.POSITIVE_INFINITY);
        const { count: guess, tokens } = embedderOf(options.provider ?? embedding.default_provider);
        const hits = await search(query, rest);
        return measured(
          (count) => contextOf(hits, most, count),
          guess,
          (texts) => tokens(texts, options.signal),
        );
      });
    },
    async remove(given, place = {}) {
      if (!Array.isArray(given) || !given.every((id) => typeof id === "string"))
        throw new SpellError("rag-input", `ids: expected a list of texts, got ${shown(given)}`, { where: "ids" });
      return watch.call("remove", tenantOf(place), given.length, async () => {
        const { collection, place: at } = await open(place);
        const { scope, scopeId } = place;
        return removeAll(
          collection,
          given.map((id) => innerId(id, { tenant: tenantIn(at), scope, scopeId })),
        );
      });
    },
    async cleanupScope(scope, scopeId, place = {}) {
      return watch.call("cleanup_scope", tenantOf(place), 1, async () => {
        const { collection, place: at } = await open(place);
        const tenant = tenantIn(at);
        return removeAll(
          collection,
          ids(collection, (kept) => kept.tenant === tenant && kept.scope === scope && (scopeId === undefined || kept.scopeId === scopeId)),
        );
      });
    },
    async documents(place = {}) {
      const { collection, place: at } = await open(place);
      const { scope, scopeId } = place;
      return ids(collection, (kept) => finds(kept, tenantIn(at), { scope, scopeId }, wallTime())).map(outerId);
    },
    async *export(place = {}) {
      const { collection, place: at } = await open(place);
      const { scope, scopeId } = place;
      for (const id of ids(collection, (kept) => finds(kept, tenantIn(at), { scope, scopeId }, wallTime()))) {
        const { own, source } = keptOf(collection.get(id)?.metadata ?? {});
        for (const { text, headings, start, end } of await collection.chunksOf(id))
          yield { id: outerId(id), source, heading: headings.join(" > "), content: text, start, end, metadata: own };
      }
    },
    async collections(tenantId) {
      const { tenant } = places.read({ tenantId });
      return (await places.list()).filter((each) => each.tenant === tenant).map(({ collection }) => collection);
    },
    listProviders() {
      const names = new Set([lexicalName, ...(host.providers ?? []), embedding.default_provider]);
      return [...names].map(
        (name): RagProvider => ({
          name,
          model: name === lexicalName ? "" : embedding.model,
          isDefault: name === embedding.default_provider,
        }),
      );
    },
    async stats(place = {}) {
      const { collection, place: at, embedder, folder } = await open(place);
      const { documents, chunks, deadChunks, segments, bytes } = collection.stats();
      const operations = watch.stats();
      return {
        collection: at.collection,
        tenant: at.tenant,
        embedder: embedder.name,
        dimensions: embedder.dimensions,
        documents,
        chunks,
        deadChunks,
        segments,
        bytes,
        place: folder,
        advice:
          embedder.name === lexicalName
            ? ["lexical finds shared words, not shared meaning: an embedding model is the first thing to add (rag.embedding)"]
            : [],
        ...(operations === undefined ? {} : { operations }),
      };
    },
    async createSessionCollection(id, ttlSeconds = tenants.session_ttl_seconds) {
      if (!(ttlSeconds > 0)) throw new SpellError("rag-input", `ttl: expected seconds above 0, got ${ttlSeconds}`, { where: "ttl" });
      untils.set(id, wallTime() + ttlSeconds * 1000);
      return { scope: sessionScope, scopeId: id };
    },
    configureSession(id, given) {
      sessionLimits.set(id, narrower({ ...limits, ...sessionLimits.get(id) }, given));
    },
    configure(given) {
      limits = narrower(limits, given);
      found.clear();
    },
    save: async (options) => watch.call("save", tenants.default_tenant_id, opened.size, () => save(options)),
    async close() {
      clearTimeout(timer);
      timer = undefined;
      await save();
      opened.clear();
      await shared?.close();
      await Promise.all([...embedders.values()].map((each) => each.close()));
    },
  };
}

interface Shared {
  /** The same each time, unless it could not be opened. */
  open(): Promise<SharedIndexes>;
  /** Opens nothing for it. */
  close(): Promise<void>;
}

/** @throws SpellError store-denied for hosts without sockets */
function sharedIndexes({ platform, postgresUrl }: RagHost): Shared {
  const where = "rag.vector_storage.backend";
  if (platform.sharedIndexes === undefined || postgresUrl === undefined)
    throw new SpellError("store-denied", `${where} is postgres, and ${platform.name} reaches no database`, {
      where,
      hint: 'Set it to "hnsw" or "flat".',
    });
  const { sharedIndexes: openAll, log } = platform;
  let indexes: Promise<SharedIndexes> | undefined;
  return {
    open() {
      if (indexes !== undefined) return indexes;
      log({
        level: "info",
        message:
          "rag: of rag.vector_storage, pgvector takes dimensions and hnsw.m, ef_construction, ef_search, metric, max_elements; the database has its own memory, files and backups",
      });
      indexes = openAll(postgresUrl()).catch((error: unknown) => {
        indexes = undefined;
        throw error;
      });
      return indexes;
    },
    async close() {
      await indexes?.then((all) => all.close());
      indexes = undefined;
    },
  };
}

/** The least and the largest score, by metric. */
const scoresOf = { cosine: [-1, 1], euclidean: [0, 1], inner_product: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] } as const;

function expectedScore(metric: keyof typeof scoresOf): string {
  const [least, most] = scoresOf[metric];
  return Number.isFinite(least) ? `a number from ${least} to ${most}, as scores by ${metric} are` : "a number";
}

/** JSON without what is undefined. */
function plain(kept: Kept): Readonly<Record<string, unknown>> {
  return JSON.parse(JSON.stringify(kept)) as Readonly<Record<string, unknown>>;
}
