/** Documents into an index: read and checked all of them first, then cut, embedded and added, those alone that are new or have changed. */
import { SpellError, throwIfAborted } from "../errors.ts";
import type { Platform } from "../platform.ts";
import type { IndexedDocument, Metadata } from "../spec/search-index.ts";
import { embedAll } from "./embed-all.ts";
import type { Indexes, IndexesHost } from "./indexes.ts";
import { innerId, type Kept, keptOf, sessionScope } from "./kept.ts";
import { checkRoom } from "./memory.ts";
import type { Draft, Prepared } from "./prepare.ts";
import type { IngestOptions, IngestResult, RagDocument, RagLimits, RagPlace } from "./types.ts";

export interface IngestHost extends IndexesHost {
  readonly platform: IndexesHost["platform"] & Pick<Platform, "documentReaders">;
}

export interface IngestParts {
  readonly indexes: Indexes;
  readonly limitsOf: (place: RagPlace) => RagLimits;
  /** Until when documents of a session stay, in milliseconds since the epoch. */
  readonly sessionEnd: (scopeId: string) => number;
  /** What was found before may be wrong from now on. */
  readonly onChange: () => void;
  readonly dump: (operation: string, data: unknown) => Promise<void>;
}

/** ids that a warning names */
const namedIds = 3;

export function createIngest(
  { platform, settings }: IngestHost,
  { indexes, limitsOf, sessionEnd, onChange, dump }: IngestParts,
): (given: readonly RagDocument[], options: IngestOptions) => Promise<IngestResult> {
  const { vector_storage: storage, embedding, ingest: ingesting } = settings;

  return async (given, options) => {
    const most = Math.min(ingesting.max_documents, limitsOf(options).maxDocuments ?? Number.POSITIVE_INFINITY);
    if (given.length > most)
      throw new SpellError("rag-input", `expected at most ${most} documents in one call, got ${given.length}`, {
        where: "rag.ingest.max_documents",
      });
    const { collection, place, embedder } = await indexes.open(options, options.provider, true);
    const set = await collection.mend();
    if (set.length > 0) onChange();
    const tenant = indexes.tenantIn(place);
    const { scope, scopeId, signal, onProgress, keepsSource = false } = options;
    const { chunkingOf, prepare, versionOf } = await import("./prepare.ts");
    const chunking = chunkingOf(settings, options.chunking);
    const innerOf = (id: string): string => innerId(id, { tenant, scope, scopeId });
    const keptAs = (inner: string): Kept | undefined => {
      const known = collection.get(inner);
      return known === undefined ? undefined : keptOf(known.metadata);
    };
    const parts = {
      settings,
      sourceOf: keepsSource ? (id: string) => keptAs(innerOf(id))?.source || undefined : undefined,
      chunking,
      count: embedder.count,
      tokens: (texts: readonly string[]) => embedder.tokens(texts, signal),
      readers: platform.documentReaders,
      embed: async (texts: readonly string[]) => (await embedder.embed(texts, "document", signal)).vectors,
    };
    const until = scope === sessionScope ? sessionEnd(scopeId ?? "") : undefined;
    const isAsBefore = (before: Kept | undefined, { own, hash, version }: Pick<Kept, "own" | "hash" | "version">): boolean =>
      before !== undefined &&
      (version === undefined ? before.hash === hash : before.version === version) &&
      before.until === until &&
      JSON.stringify(before.own) === JSON.stringify(own);
    const restated: { readonly id: string; readonly metadata: Metadata }[] = [];
    const changed: { readonly inner: string; readonly prepared: Prepared; readonly kept: Kept }[] = [];
    const placeOf = new Map<string, number>();
    const ids = new Set<string>();
    const twice = new Set<string>();
    let unchanged = 0;
    // all of them first: where one is refused nothing is kept
    for (const [at, document] of given.entries()) {
      throwIfAborted(signal);
      const version = versionOf(document, parts, keepsSource);
      const named = document?.id ?? document?.name;
      if (version !== undefined && named !== undefined && ingesting.on_duplicate !== "error") {
        const inner = innerOf(named);
        if (!ids.has(inner) && isAsBefore(keptAs(inner), { own: document.metadata ?? {}, hash: "", version })) {
          ids.add(inner);
          unchanged += 1;
          continue;
        }
      }
      let draft: Draft;
      try {
        draft = await prepare(document, at, parts);
      } catch (error) {
        if (options.onSkip === undefined || !(error instanceof SpellError)) throw error;
        options.onSkip(error, document);
        continue;
      }
      const inner = innerOf(draft.id);
      const kept: Kept = {
        own: draft.metadata,
        source: draft.title || draft.id,
        hash: draft.hash,
        version,
        tenant,
        scope,
        scopeId,
        until,
      };
      const before = keptAs(inner);
      const isTwice = ids.has(inner);
      if (isTwice) twice.add(draft.id);
      ids.add(inner);
      if (before !== undefined || isTwice) {
        if (ingesting.on_duplicate === "error")
          throw new SpellError("rag-duplicate", `document ${draft.id} is there already (rag.ingest.on_duplicate is error)`, {
            where: "rag.ingest.on_duplicate",
          });
        const isSame = !isTwice && isAsBefore(before, { ...kept, version: undefined });
        if (isSame || ingesting.on_duplicate === "skip") {
          // so that it is not read the next time
          if (isSame && version !== undefined) restated.push({ id: inner, metadata: plain(kept) });
          unchanged += 1;
          continue;
        }
      }
      const prepared: Prepared = { ...draft, chunks: await draft.chunks() };
      const earlier = placeOf.get(inner);
      if (earlier !== undefined) changed[earlier] = { inner, prepared, kept };
      else {
        placeOf.set(inner, changed.length);
        changed.push({ inner, prepared, kept });
      }
    }
    const bare = changed.filter(({ prepared }) => prepared.chunks.length === 0);
    const warnings = [
      ...set,
      ...(twice.size > 0 ? [toldTwice([...twice], ingesting.on_duplicate === "skip")] : []),
      ...(bare.length > 0 ? [toldBare(bare.map(({ kept }) => kept.source))] : []),
    ];
    const chunks = changed.reduce((sum, { prepared }) => sum + prepared.chunks.length, 0);
    const replaced = changed.reduce((sum, { inner }) => sum + (collection.get(inner)?.chunks ?? 0), 0);
    const stats = collection.stats();
    checkRoom(stats.chunks - replaced + chunks + (storage.hnsw.allow_replace_deleted ? 0 : stats.deadChunks), settings);
    if (restated.length > 0) {
      collection.restate(restated);
      indexes.saveSoon();
    }
    if (changed.length === 0) return { documents: 0, unchanged, chunks: 0, embedded: 0, tokens: 0, warnings };
    if (until !== undefined) indexes.endsAt(collection, until);
    await indexes.places.check(place);
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
    indexes.places.note(place);
    onChange();
    indexes.saveSoon();
    await dump("ingest", {
      ...place,
      documents: changed.map(({ prepared: { id, title, chunks: parts } }) => ({ id, title, chunks: parts })),
    });
    return { documents: changed.length, unchanged, chunks, ...counts, warnings: [...warnings, ...counts.warnings] };
  };
}

function toldTwice(ids: readonly string[], isFirst: boolean): string {
  const named = ids.slice(0, namedIds).map((id) => JSON.stringify(id));
  const more = ids.length > namedIds ? ` and ${ids.length - namedIds} more` : "";
  return `one call brought several documents of one id: ${named.join(", ")}${more}; the ${isFirst ? "first" : "last"} of each is kept`;
}

function toldBare(sources: readonly string[]): string {
  const more = sources.length > 1 ? `, and ${sources.length - 1} more` : "";
  return `there is no text in ${JSON.stringify(sources[0])}${more}: nothing of it can be found`;
}

/** JSON without what is undefined. */
function plain(kept: Kept): Readonly<Record<string, unknown>> {
  return JSON.parse(JSON.stringify(kept)) as Readonly<Record<string, unknown>>;
}
