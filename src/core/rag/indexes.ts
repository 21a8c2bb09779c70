/** Indexes that are open: each is opened at its first call, looked at again after a second, and saved by a timer, by save() and by close(). */
import type { RagConfig } from "../config/config.generated.ts";
import { messageOf, SpellError, throwIfAborted } from "../errors.ts";
import type { Platform, SharedIndexes } from "../platform.ts";
import { openCollection } from "../search/collection.ts";
import type { Collection, CollectionSettings } from "../spec/search-index.ts";
import { onceFor } from "../values.ts";
import { cachedFolder } from "./cached-folder.ts";
import { createEmbedder } from "./embedder.ts";
import type { Embedder, EmbedderHost } from "./embedder-types.ts";
import { keptOf } from "./kept.ts";
import { createPlaces, type FoundPlace, type Places } from "./places.ts";
import type { RagPlace, SaveOptions } from "./types.ts";
import { unknownCollection } from "./unknown.ts";

export interface IndexesHost extends Omit<EmbedderHost, "now"> {
  readonly platform: Pick<Platform, "name" | "now" | "log" | "searchFolder" | "sharedIndexes" | "graphThreads">;
  readonly settings: RagConfig;
  /** Address of the database, for the backend postgres. @throws SpellError config-api-key-missing */
  readonly postgresUrl?: (() => string) | undefined;
  /** Who has it is no more: nothing is opened then. */
  readonly over?: AbortSignal | undefined;
  /** passages from which a merged segment gets a graph; default 20,000 */
  readonly leastInGraph?: number | undefined;
}

export interface IndexesParts {
  /** milliseconds since the epoch */
  readonly wallTime: () => number;
  /** Before an index is opened, and after all were saved. */
  readonly backup: () => Promise<void>;
  /** What was found before may be wrong from now on. */
  readonly onChange: () => void;
}

/** An index that is open. */
export interface OpenIndex {
  readonly collection: Collection;
  readonly place: FoundPlace;
  readonly embedder: Embedder;
  /** for messages */
  readonly folder: string;
  refreshedAt: number;
}

export interface Indexes {
  readonly places: Places;
  /** how many are open */
  readonly count: number;
  /** @param provider default: `rag.embedding.default_provider` @param mends opens an index of which files are damaged */
  open(place: RagPlace, provider?: string, mends?: boolean): Promise<OpenIndex>;
  /** The same, to read from. @throws SpellError rag-unknown for a collection that was named and is not there */
  find(place: RagPlace, provider?: string): Promise<OpenIndex>;
  /** @param provider default: `rag.embedding.default_provider` */
  embedderOf(provider?: string): Embedder;
  /** As documents name it: undefined where an index has those of one tenant alone. */
  tenantIn(place: FoundPlace): string | undefined;
  /** Notes when a document of the index ends. */
  endsAt(collection: Collection, until: number): void;
  /** Ids as the index has them. @returns how many were there */
  remove(collection: Collection, inner: readonly string[]): number;
  /** After what was added: at the end of the interval, where the index is kept. */
  saveSoon(): void;
  save(options?: SaveOptions): Promise<void>;
  /** Saves before. */
  close(): Promise<void>;
}

/** What others have saved is seen at most so late. */
const refreshMs = 1000;

/** Opens nothing; the first call does. @throws SpellError store-denied */
export function createIndexes(host: IndexesHost, { wallTime, backup, onChange }: IndexesParts): Indexes {
  const { platform, settings } = host;
  const { now, log } = platform;
  const { vector_storage: storage, embedding, ingest: ingesting, cache, tenants, multi_tenant } = settings;
  const shared = storage.backend === "postgres" ? sharedIndexes(host) : undefined;
  const isKept = shared !== undefined || (storage.persistence_path !== "" && platform.searchFolder !== undefined);
  if (storage.persistence_path !== "" && !isKept)
    log({ level: "warn", message: `rag: ${platform.name} keeps no files; the index lasts as long as this program` });
  const places = createPlaces(settings, isKept ? platform.searchFolder : undefined, shared?.open);
  const embedders = new Map<string, Embedder>();
  const opened = new Map<string, Promise<OpenIndex>>();
  /** When the next document of a session ends, of each index. */
  const endings = new Map<Collection, number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let onLinked: SaveOptions["onProgress"];

  const embedderOf = onceFor((provider: string): Embedder => {
    const made = createEmbedder(provider, settings, { embeddings: host.embeddings, takes: host.takes, now });
    embedders.set(provider, made);
    return made;
  });

  const remove = (collection: Collection, inner: readonly string[]): number => {
    const count = collection.remove(inner);
    onChange();
    if (count > 0) saveSoon();
    return count;
  };

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
    if (over.length > 0) remove(collection, over);
  };

  const openAt = async (place: FoundPlace, embedder: Embedder, mends: boolean): Promise<OpenIndex> => {
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

  /** Sees what others have saved, where a second has passed. */
  const look = async (index: OpenIndex, mends: boolean): Promise<void> => {
    if (now() - index.refreshedAt <= refreshMs) return;
    index.refreshedAt = now();
    const names = (): string =>
      index.collection
        .stats()
        .segments.map(({ name }) => name)
        .join();
    const before = names();
    await index.collection.refresh().catch((error: unknown) => {
      if (!mends || !(error instanceof SpellError) || error.code !== "rag-damaged") throw error;
    });
    if (before === names()) return;
    onChange();
    endings.set(index.collection, 0);
  };

  const open = async (given: RagPlace, provider = embedding.default_provider, mends = false): Promise<OpenIndex> => {
    throwIfAborted(host.over);
    const place = places.read(given);
    const key = JSON.stringify([multi_tenant ? place.tenant : "", place.collection, provider]);
    const known = opened.get(key);
    if (known !== undefined) {
      const index = await known;
      await look(index, mends);
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

  const find = async (given: RagPlace, provider?: string): Promise<OpenIndex> => {
    const index = await open(given, provider);
    const { tenant, collection } = index.place;
    if (given.collection === undefined || index.collection.stats().documents > 0) return index;
    const names = (await places.list()).filter((each) => each.tenant === tenant).map((each) => each.collection);
    if (names.includes(collection)) return index;
    throw unknownCollection(collection, names, "collection", "ingest");
  };

  const saveSoon = (): void => {
    const { save_interval_seconds: seconds } = storage;
    if (!isKept || seconds === 0 || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      save().catch((error: unknown) => log({ level: "error", message: `rag: not saved: ${messageOf(error)}` }));
    }, seconds * 1000);
    (timer as { unref?: () => void }).unref?.();
  };

  const save = async ({ onProgress }: SaveOptions = {}): Promise<void> => {
    onLinked = onProgress ?? onLinked;
    try {
      // first: an index without a name would be found by nobody
      await places.save();
      for (const each of opened.values()) await (await each).collection.save();
    } finally {
      if (onLinked === onProgress) onLinked = undefined;
    }
    await backup();
  };

  return {
    places,
    get count() {
      return opened.size;
    },
    open,
    find,
    embedderOf: (provider = embedding.default_provider) => embedderOf(provider),
    tenantIn: ({ tenant }) => (multi_tenant || tenant === tenants.default_tenant_id ? undefined : tenant),
    endsAt(collection, until) {
      endings.set(collection, Math.min(until, endings.get(collection) ?? until));
    },
    remove,
    saveSoon,
    save,
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
function sharedIndexes({ platform, postgresUrl }: IndexesHost): Shared {
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
