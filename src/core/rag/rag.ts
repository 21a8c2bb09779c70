/** Retrieval over documents: what `spell.rag()` gives, and what the global RAG and the commands `rag …` stand on. */
import { messageOf, SpellError } from "../errors.ts";
import { shown } from "../json.ts";
import type { Platform } from "../platform.ts";
import type { Collection } from "../spec/search-index.ts";
import { checkOptionNames } from "../text/check-call.ts";
import { once } from "../values.ts";
import { contextOf } from "./context.ts";
import { lexicalName } from "./embedder.ts";
import { createFinder, type FinderHost } from "./find.ts";
import { createIndexes } from "./indexes.ts";
import { createIngest, type IngestHost } from "./ingest.ts";
import { finds, innerId, type Kept, keptOf, outerId, sessionScope } from "./kept.ts";
import { narrower } from "./limits.ts";
import { measured } from "./measured.ts";
import type { Rag, RagDocument, RagLimits, RagPlace, RagProvider } from "./types.ts";
import { createWatch } from "./watch.ts";

export interface RagHost extends FinderHost, IngestHost {
  readonly platform: IngestHost["platform"] & Pick<Platform, "config" | "sideFiles" | "records">;
  /** names of providers that are declared, for listProviders() */
  readonly providers?: readonly string[] | undefined;
  /** milliseconds since the epoch; default: the clock of this machine */
  readonly wallTime?: (() => number) | undefined;
}

const placeNames = ["collection", "tenantId", "scope", "scopeId"];
const ingestNames = [...placeNames, "chunking", "provider", "onProgress", "keepsSource", "onSkip", "signal"];
const searchNames = [...placeNames, "topK", "threshold", "filters", "rerankModel", "provider", "signal"];

/** @throws SpellError run-option for an option that the call does not have */
function checked<T extends object>(options: T, names: readonly string[], call: string): T {
  checkOptionNames(options, names, call);
  return options;
}

/** Opens nothing; the first call does. */
export function createRag(host: RagHost): Rag {
  const { platform, settings, wallTime = Date.now } = host;
  const { now, log } = platform;
  const { embedding, search: searching, tenants } = settings;
  // what is switched off is not fetched
  const audits = once(async () => (await import("./audit.ts")).createAudit(settings, platform));
  const audit = settings.security.enable_audit_logging ? audits : undefined;
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
  const untils = new Map<string, number>();
  const sessionLimits = new Map<string, RagLimits>();
  let limits: RagLimits = {};
  const limitsOf = ({ scope, scopeId }: RagPlace): RagLimits => ({
    ...limits,
    ...(scope === sessionScope && scopeId !== undefined ? sessionLimits.get(scopeId) : undefined),
  });
  const { search, forget } = createFinder(host, { indexes: () => indexes, limitsOf, wallTime, dump, debug: watch.debug });
  const indexes = createIndexes(host, { wallTime, backup, onChange: forget });
  const { open, tenantIn, places } = indexes;
  const sessionEnd = (scopeId: string): number => untils.get(scopeId) ?? wallTime() + tenants.session_ttl_seconds * 1000;
  const ingest = createIngest(host, { indexes, limitsOf, sessionEnd, onChange: forget, dump });

  const tenantOf = ({ tenantId }: RagPlace): string => tenantId ?? tenants.default_tenant_id;
  const ids = (collection: Collection, test: (kept: Kept) => boolean): readonly string[] =>
    collection.documents().filter((id) => test(keptOf(collection.get(id)?.metadata ?? {})));

  return {
    async ingest(documents, options = {}) {
      const given = Array.isArray(documents) ? (documents as readonly RagDocument[]) : [documents as RagDocument];
      return watch.call("ingest", tenantOf(checked(options, ingestNames, "ingest")), given.length, () => ingest(given, options));
    },
    search: async (query, options = {}) =>
      watch.call("search", tenantOf(checked(options, searchNames, "search")), 1, () => search(query, options)),
    async context(query, options = {}) {
      return watch.call("context", tenantOf(checked(options, [...searchNames, "maxTokens"], "context")), 1, async () => {
        const { maxTokens = searching.max_context_tokens, ...rest } = options;
        const most = Math.min(maxTokens, limitsOf(options).maxContextTokens ?? Number.POSITIVE_INFINITY);
        const { count: guess, tokens } = indexes.embedderOf(options.provider);
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
        return indexes.remove(
          collection,
          given.map((id) => innerId(id, { tenant: tenantIn(at), scope, scopeId })),
        );
      });
    },
    async cleanupScope(scope, scopeId, place = {}) {
      return watch.call("cleanup_scope", tenantOf(place), 1, async () => {
        const { collection, place: at } = await open(place);
        const tenant = tenantIn(at);
        return indexes.remove(
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
      const { collection, place: at } = await indexes.find(place);
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
    async stats({ checks = false, ...place } = {}) {
      const { collection, place: at, embedder, folder } = await open(place);
      if (checks) await collection.check();
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
      forget();
    },
    save: async (options) => watch.call("save", tenants.default_tenant_id, indexes.count, () => indexes.save(options)),
    close: indexes.close,
  };
}
