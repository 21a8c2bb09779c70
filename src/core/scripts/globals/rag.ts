/** `RAG`: documents that are searched by words and meaning. */
import { switchOn } from "../../config/switch-on.ts";
import { SpellError } from "../../errors.ts";
import { limits } from "../../limits.ts";
import type { Rag, RagDocument, RagHit } from "../../rag/types.ts";
import { definedOnly } from "../../values.ts";
import { either, integer, list, number, oneOf, optional, options, type Parameter, table, text } from "../arguments.ts";
import { now, type ScriptFunctions, waits } from "../bind.ts";
import type { ScriptRun } from "./host.ts";

const document = options("document", [
  optional(text("id")),
  optional(text("text")),
  optional(text("content")),
  optional(text("file")),
  optional(text("title")),
  optional(table("metadata")),
]);
const place = [optional(text("collection")), optional(text("tenant_id")), optional(text("scope")), optional(text("scope_id"))] as const;
const chunking = options("chunking", [
  optional(oneOf("strategy", ["sliding_window", "sentence", "semantic"] as const)),
  optional(integer("chunk_size", 1)),
  optional(integer("overlap", 0)),
  optional(integer("max_chunk_size", 1)),
  optional(integer("min_chunk_size", 0)),
]);
const asked = [
  ...place,
  optional(integer("top_k", 1)),
  optional(integer("k", 1)),
  optional(number("threshold")),
  optional(table("metadata_filter")),
  optional(table("filters")),
  optional(text("rerank_model")),
  optional(text("provider")),
] as const;
const narrowed = options("limits", [
  optional(integer("top_k", 1)),
  optional(number("threshold")),
  optional(integer("max_context_tokens", 1)),
  optional(integer("max_documents", 1)),
]);
type Read<P> = P extends Parameter<infer T> ? T : never;
const placeOptions = optional(options("options", place));
const searchOptions = options("options", asked);
const contextOptions = options("options", [...asked, optional(integer("max_tokens", 1))]);

function placeOf(given: Partial<NonNullable<Read<typeof placeOptions>>> | undefined) {
  const { collection, tenant_id: tenantId, scope, scope_id: scopeId } = given ?? {};
  return definedOnly({ collection, tenantId, scope, scopeId });
}

function searchOf(given: Partial<Read<typeof searchOptions>>) {
  const { top_k, k, threshold, metadata_filter, filters, rerank_model: rerankModel, provider } = given;
  return { ...placeOf(given), ...definedOnly({ topK: top_k ?? k, threshold, filters: metadata_filter ?? filters, rerankModel, provider }) };
}

function limitsOf(given: Read<typeof narrowed>) {
  const { top_k: topK, threshold, max_context_tokens: maxContextTokens, max_documents: maxDocuments } = given;
  return definedOnly({ topK, threshold, maxContextTokens, maxDocuments });
}

export interface RagGlobal {
  readonly functions: ScriptFunctions;
  /** Saves what the script has added. */
  close(): Promise<void>;
}

export function ragGlobal(run: ScriptRun): RagGlobal {
  const used = new Set<Rag>();
  const open = async (): Promise<Rag> => {
    if (!run.config.config.rag.enabled)
      throw new SpellError("rag-disabled", "RAG is switched off: rag.enabled is false", {
        where: "rag.enabled",
        actions: switchOn("rag.enabled", "rag-dev"),
      });
    const rag = await run.spell.rag();
    used.add(rag);
    return rag;
  };
  const read = async ({ file, ...given }: Read<typeof document>, at: number): Promise<RagDocument> => {
    if (file === undefined && given.text === undefined && given.content === undefined)
      throw new SpellError("rag-input", `documents[${at}]: expected text, content or file, got none of them`, {
        where: `documents[${at}]`,
      });
    if (file === undefined) return given;
    if (run.files === undefined)
      throw new SpellError("script-denied", `a script may not read files: ${run.spell.platform.name} has no files for it`);
    const bytes = await run.files.bytes(file, limits.artifactBytes);
    if (bytes === undefined) throw new SpellError("script-error", `RAG.ingest: expected a file, got none at ${file}`, { where: file });
    return { ...given, name: file, bytes };
  };
  const stats = waits([placeOptions], async (given) => {
    const { deadChunks, operations, ...rest } = await (await open()).stats(placeOf(given));
    const shown = Object.entries(operations ?? {}).map(([name, { calls, errors, meanMs }]) => [
      name,
      definedOnly({ calls, errors, mean_ms: meanMs }),
    ]);
    const { place: folder, ...open_ } = rest;
    return {
      ...open_,
      dead_chunks: deadChunks,
      ...(run.config.config.runtime.security.allow_file_access ? { place: folder } : {}),
      ...(operations === undefined ? {} : { operations: Object.fromEntries(shown) as unknown }),
    };
  });
  return {
    functions: {
      ingest: waits(
        [
          either("documents", document, list("documents", document)),
          optional(options("options", [...place, optional(text("provider")), optional(chunking)])),
        ],
        async (documents, given) => {
          const rag = await open();
          const all: RagDocument[] = [];
          const listed = (Array.isArray(documents) ? documents : [documents]) as readonly Read<typeof document>[];
          for (const [at, each] of listed.entries()) all.push(await read(each, at));
          const { chunking: cut, provider } = given ?? ({} as Partial<NonNullable<typeof given>>);
          const own =
            cut === undefined
              ? undefined
              : definedOnly({
                  strategy: cut.strategy,
                  chunkSize: cut.chunk_size,
                  overlap: cut.overlap,
                  maxChunkSize: cut.max_chunk_size,
                  minChunkSize: cut.min_chunk_size,
                });
          const result = await rag.ingest(all, { ...placeOf(given), ...definedOnly({ provider, chunking: own }), signal: run.signal });
          return {
            success: true,
            documents_processed: result.documents,
            documents_unchanged: result.unchanged,
            chunks: result.chunks,
            vectors_created: result.embedded,
            total_tokens: result.tokens,
            warnings: result.warnings,
          };
        },
        { isUntimed: true },
      ),
      search: waits([text("query"), optional(searchOptions)], async (query, given) => {
        const results = (await (await open()).search(query, { ...searchOf(given ?? {}), signal: run.signal })).map(shownHit);
        return { success: true, total: results.length, results };
      }),
      context: waits([text("query"), optional(contextOptions)], async (query, given) => {
        const maxTokens = given?.max_tokens;
        return (await (await open()).context(query, { ...searchOf(given ?? {}), ...definedOnly({ maxTokens }), signal: run.signal })).text;
      }),
      cleanup_scope: waits([text("scope"), optional(text("scope_id")), placeOptions], async (scope, scopeId, given) =>
        (await open()).cleanupScope(scope, scopeId, placeOf(given)),
      ),
      list_providers: now([], async () =>
        (await open()).listProviders().map(({ name, model, isDefault }) => ({ name, model, is_default: isDefault })),
      ),
      remove: waits([either("ids", text("id"), list("ids", text("id"))), placeOptions], async (ids, given) =>
        (await open()).remove(typeof ids === "string" ? [ids] : ids, placeOf(given)),
      ),
      documents: waits([placeOptions], async (given) => (await open()).documents(placeOf(given))),
      export: waits([placeOptions], async (given) => {
        const passages: unknown[] = [];
        for await (const passage of (await open()).export(placeOf(given))) passages.push(passage);
        return passages;
      }),
      collections: waits([optional(text("tenant_id"))], async (tenant) => (await open()).collections(tenant)),
      get_stats: stats,
      stats,
      save: waits([], async () => (await open()).save()),
      create_session_collection: now([text("id"), optional(number("ttl", 1))], async (id, ttl) => {
        const { scope, scopeId } = await (await open()).createSessionCollection(id, ttl);
        return { scope, scope_id: scopeId };
      }),
      configure_session: now([text("id"), narrowed], async (id, given) => (await open()).configureSession(id, limitsOf(given))),
      configure: now([narrowed], async (given) => (await open()).configure(limitsOf(given))),
    },
    async close() {
      for (const rag of used) await rag.save();
    },
  };
}

/** `content` and `text` are the same. */
function shownHit({ content, ...hit }: RagHit): unknown {
  return definedOnly({ ...hit, content, text: content });
}
