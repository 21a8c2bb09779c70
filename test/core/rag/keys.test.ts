/** Every key of the section `rag` acts: two values of each, two results. */
import { describe, expect, it, vi } from "vitest";
import { resolveConfig } from "../../../src/core/api/configuration.ts";
import { createSpell } from "../../../src/core/api/spell.ts";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import { keysByPath } from "../../../src/core/config/keys.ts";
import { SpellError } from "../../../src/core/errors.ts";
import type { LogEntry, SearchFolder, SideFiles } from "../../../src/core/platform.ts";
import { createRag, type RagHost } from "../../../src/core/rag/rag.ts";
import { bind } from "../../../src/core/scripts/bind.ts";
import { scriptGlobals } from "../../../src/core/scripts/globals/index.ts";
import { buildGraph } from "../../../src/core/search/graph.ts";
import { lexicalVector } from "../../../src/core/search/lexical.ts";
import { memoryFolder } from "../../../src/core/search/memory-folder.ts";
import { nearness } from "../../../src/core/search/nearness.ts";
import { rowScan } from "../../../src/core/search/row-scan.ts";
import type { EmbeddingModel, EmbedOptions } from "../../../src/core/spec/embedding-model.ts";
import type { GraphRows, GraphSettings, GraphThreads } from "../../../src/core/spec/search-index.ts";
import { memoryPlatform } from "../../../src/core/testing/index.ts";
import { isLong } from "../../support.ts";

type Settings = NonNullable<ConfigInput["rag"]>;

/** What a call of the embedding model was. */
interface Asked {
  readonly texts: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** An index, and everything that can be seen of it from outside. */
async function indexOf(settings: Settings) {
  const seen = {
    log: [] as LogEntry[],
    folders: new Map<string, SearchFolder>(),
    reads: 0,
    files: new Map<string, string>(),
    asked: [] as Asked[],
    loads: [] as unknown[],
    most: 0,
    ms: 0,
    graphs: [] as unknown[],
  };
  const sideFiles: SideFiles = {
    touch: async () => undefined,
    addLine: async (path, line) => void seen.files.set(path, `${seen.files.get(path) ?? ""}${line}\n`),
    write: async (folder, name, text) => void seen.files.set(`${folder}/${name}`, text),
    list: async (folder) => {
      const inside = [...seen.files.keys(), ...seen.folders.keys()].filter((path) => path.startsWith(`${folder}/`));
      return [...new Set(inside.map((path) => path.slice(folder.length + 1).split("/")[0] ?? ""))];
    },
    copyFolder: async (_from, folder, name) => void seen.files.set(`${folder}/${name}`, "a copy"),
    removeFolder: async (folder, name) => void seen.files.delete(`${folder}/${name}`),
  };
  const platform = {
    ...memoryPlatform({ log: (entry) => seen.log.push(entry), now: () => seen.ms }),
    sideFiles,
    graphThreads: {
      most: 4,
      async build({ rows, dimensions }: GraphRows, graph: GraphSettings, threads: number) {
        const scales = new Float32Array(rows.length / dimensions).fill(1);
        const made = await buildGraph(nearness("cosine", rowScan(rows, dimensions), scales), graph, async () => undefined);
        seen.graphs.push({ threads, ...made });
        return made;
      },
    } satisfies GraphThreads,
    async searchFolder(place: string) {
      const inner = seen.folders.get(place) ?? memoryFolder();
      const folder: SearchFolder = {
        ...inner,
        place,
        read: (...range) => {
          seen.reads += 1;
          return inner.read(...range);
        },
      };
      seen.folders.set(place, folder);
      return folder;
    },
  };
  let [running, fails] = [0, 0];
  const slow = { ms: 0, fail: (times: number) => (fails = times) };
  const embeddings: RagHost["embeddings"] = async (name, options) => {
    seen.loads.push({ name, ...options });
    const embed = async (texts: readonly string[], { signal }: EmbedOptions = {}) => {
      seen.asked.push({ texts, signal });
      running += 1;
      seen.most = Math.max(seen.most, running);
      await new Promise((resolve) => setTimeout(resolve, slow.ms));
      running -= 1;
      if (signal?.aborted === true) throw new SpellError("run-aborted", "stopped");
      if (fails-- > 0) throw new SpellError("run-busy", "busy");
      return { vectors: texts.map((text) => lexicalVector(text, 512)), dimensions: 512, tokens: texts.length, warnings: [] };
    };
    return { embed, countTokens: async () => undefined, dispose: async () => undefined } as unknown as EmbeddingModel;
  };
  const { config } = await resolveConfig({ config: { rag: settings }, env: {} }, platform);
  const rag = createRag({ platform, settings: config.rag, embeddings, leastInGraph: 50, wallTime: () => 1_700_000_000_000 + seen.ms });
  return { rag, seen, slow };
}

type Index = Awaited<ReturnType<typeof indexOf>>;
type Look = (index: Index) => Promise<unknown>;

const code = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "ok",
    (error: SpellError) => error.code,
  );

const sentences = Array.from(
  { length: 120 },
  (_, i) => `Sentence number ${i} says that animal${i % 7} met plant${i % 11} near river${i % 5}.`,
);
const long = { id: "long", text: `# Title\n\n## Part\n\n${sentences.join(" ")}` };
const paragraphs = { id: "paragraphs", text: sentences.join("\n\n") };
const code1 = { id: "code", text: `Before.\n\n\`\`\`\n${sentences.join("\n")}\n\`\`\`\n\nAfter.` };
const small = [
  { id: "bread", text: "Flour, water, salt and yeast make bread.", metadata: { kind: "food" } },
  { id: "tent", text: "The poles of a tent go through sleeves." },
  { id: "bike", text: "Oil the chain of a bicycle after rain." },
];
const model: Settings = { embedding: { default_provider: "candle", model: "m" } };

const chunks: Look = async ({ rag }) => {
  await rag.ingest([long, code1]);
  const all = [];
  for await (const chunk of rag.export()) all.push(chunk);
  return all;
};
const hits: Look = async ({ rag }) => {
  await rag.ingest([...small, { id: "copy", text: small[0]?.text ?? "" }, long]);
  return rag.search("bread tent bicycle river1");
};
const fitting: Look = async ({ rag }) => code(rag.ingest(paragraphs));
const perSentence: Settings = { chunking: { chunk_size: 12, min_chunk_size: 0, overlap: 0 } };
/** 55 chunks of 4096 numbers: a little over 1 MB with full vectors. */
const tight: Look = async ({ rag }) => code(rag.ingest({ id: "tight", text: sentences.slice(0, 55).join("\n\n") }));
const asked: Look = async ({ rag, seen }) => {
  await rag.ingest(small);
  await rag.search("bread");
  return seen.asked.map(({ texts }) => texts);
};
const loads: Look = async (index) => {
  await asked(index);
  return index.seen.loads;
};
/** Calls of the model for one query, asked again after other queries and some time. */
const again =
  (ms = 0): Look =>
  async ({ rag, seen }) => {
    await rag.ingest(small);
    for (const query of ["bread", "tent", "bread"]) {
      await rag.search(query);
      seen.ms += ms;
    }
    return seen.asked.length;
  };
const uncached = { cache: { search_cache_enabled: false } };
const log: Look = async ({ rag, seen }) => {
  await rag.ingest(small);
  seen.ms += 30_000;
  await rag.search("bread");
  for (let i = 0; i < 5; i += 1) await rag.search("").catch(() => undefined);
  return seen.log.filter(({ level, isWanted }) => level !== "debug" || isWanted === true).map(({ message }) => message);
};
const files: Look = async ({ rag, seen }) => {
  await rag.ingest(small);
  await rag.search("bread");
  await rag.save();
  return [...seen.files.keys()].map((path) => path.replace(/\/2023.*/, ""));
};
const operations: Look = async ({ rag, seen }) => {
  await rag.ingest(small);
  seen.ms += 30_000;
  return (await rag.stats()).operations;
};
const rated: Look = async ({ rag }) => {
  await rag.ingest(small);
  return Promise.all([1, 2, 3].map(() => code(rag.search("bread"))));
};
const onDisk = { vector_storage: { persistence_path: "/index", save_interval_seconds: 0 } };
const backup: Look = async ({ rag, seen }) => {
  await rag.ingest(small);
  for (let i = 0; i < 4; i += 1) {
    await rag.save();
    seen.ms += 13 * 3_600_000;
  }
  return [...seen.files.keys()];
};

/** Graphs that were built of 120 passages, and what is found by vectors alone. */
const graphs: Look = async ({ rag, seen }) => {
  await rag.ingest(sentences.map((text, i) => ({ id: String(i), text })));
  await rag.save();
  const best = [];
  for (let i = 0; i < 7; i += 1) best.push((await rag.search(`animal${i} river${i % 5}`)).map(({ id }) => id));
  return { graphs: seen.graphs, best };
};
const vectorsAlone: Settings = { search: { hybrid_weight: 0 } };
/** Few links, and little search for them: a narrow look finds less. */
const poor: Settings = { ...vectorsAlone, vector_storage: { hnsw: { m: 2, ef_construction: 1, nb_layers: 1 } } };

type Row = readonly [key: string, first: unknown, second: unknown, look: Look, also?: Settings];
const rows: readonly Row[] = [
  [
    "multi_tenant",
    false,
    true,
    async ({ rag, seen }) => {
      await rag.ingest(small, { tenantId: "anna" });
      return [...seen.folders.keys()];
    },
    onDisk,
  ],
  ["vector_storage.dimensions", 64, 128, async ({ rag }) => (await rag.stats()).dimensions],
  ["vector_storage.persistence_path", "/a", "/b", async ({ rag }) => (await rag.stats()).place],
  ["vector_storage.max_memory_mb", 1, 5, tight, { vector_storage: { dimensions: 4096, hnsw: { max_elements: 60 } }, ...perSentence }],
  [
    "vector_storage.on_disk",
    false,
    true,
    tight,
    { vector_storage: { dimensions: 4096, max_memory_mb: 1, hnsw: { max_elements: 60 } }, ...perSentence },
  ],
  [
    "vector_storage.save_interval_seconds",
    0,
    5,
    async ({ rag, seen }) => {
      vi.useFakeTimers();
      try {
        await rag.ingest(small);
        await vi.advanceTimersByTimeAsync(6000);
      } finally {
        vi.useRealTimers();
      }
      const saved = async () => (await seen.folders.get("/index/default")?.list())?.length ?? 0;
      // names are hashed in a thread, which no timer of a test moves on
      for (let tries = 0; tries < 50 && (await saved()) === 0; tries += 1) await new Promise((resolve) => setTimeout(resolve, 10));
      return saved();
    },
    { vector_storage: { persistence_path: "/index" } },
  ],
  [
    "vector_storage.backend",
    "hnsw",
    "flat",
    async (index) => {
      await graphs(index);
      return (await index.rag.stats()).segments.map(({ scan }) => scan);
    },
  ],
  ["vector_storage.hnsw.m", 4, 8, graphs, vectorsAlone],
  ["vector_storage.hnsw.ef_construction", 4, 100, graphs, vectorsAlone],
  [
    "vector_storage.hnsw.ef_search",
    1,
    400,
    async ({ rag }) => {
      const texts = Array.from({ length: 900 }, (_, i) => `note${i} on thing${i % 31} and place${i % 29}`);
      await rag.ingest(texts.map((text, i) => ({ id: String(i), text })));
      await rag.save();
      const best = [];
      for (let i = 0; i < 20; i += 1) best.push((await rag.search(`thing${i} place${i + 3}`, { topK: 1 })).map(({ id }) => id));
      return best;
    },
    poor,
  ],
  ["vector_storage.hnsw.seed", 1, 2, graphs, vectorsAlone],
  ["vector_storage.hnsw.nb_layers", 1, 16, graphs, vectorsAlone],
  ["vector_storage.hnsw.parallel_batch_size", 1, 64, graphs, poor],
  ["vector_storage.hnsw.num_threads", 2, 3, graphs, vectorsAlone],
  ["vector_storage.hnsw.max_elements", 5, 500, fitting, perSentence],
  ["vector_storage.hnsw.metric", "cosine", "euclidean", hits],
  [
    "vector_storage.hnsw.allow_replace_deleted",
    true,
    false,
    async ({ rag }) => {
      await rag.ingest(small);
      await rag.save();
      await rag.ingest(small.map((each) => ({ ...each, text: `${each.text} More.` })));
      return code(rag.ingest(small));
    },
    { vector_storage: { persistence_path: "/index", hnsw: { max_elements: 4 } } },
  ],
  ["embedding.default_provider", "lexical", "candle", async ({ rag }) => (await rag.stats()).embedder, { embedding: { model: "m" } }],
  ["embedding.model", "a", "b", loads, model],
  ["embedding.device", "cpu", "webgpu", loads, model],
  ["embedding.pooling", "auto", "cls", loads, model],
  ["embedding.cache_enabled", true, false, again(), { ...model, ...uncached }],
  ["embedding.cache_size", 1, 100, again(), { ...model, ...uncached }],
  ["embedding.cache_ttl_seconds", 10, 1000, again(20_000), { ...model, ...uncached }],
  ["embedding.batch_size", 1, 3, asked, model],
  [
    "embedding.timeout_seconds",
    1,
    30,
    async ({ rag, slow }) => {
      slow.ms = 1100;
      return code(rag.ingest(small));
    },
    model,
  ],
  [
    "embedding.max_retries",
    0,
    2,
    async ({ rag, slow }) => {
      slow.fail(1);
      return code(rag.ingest(small));
    },
    model,
  ],
  [
    "embedding.normalize",
    true,
    false,
    async ({ rag }) => {
      await rag.ingest(small);
      return rag.search("bread");
    },
    { ...model, search: { hybrid_weight: 0 } },
  ],
  ["embedding.query_prefix", "", "query: ", asked, model],
  ["embedding.document_prefix", "", "passage: ", asked, model],
  ["embedding.max_input_tokens", 256, 512, loads, model],
  ["chunking.strategy", "sliding_window", "sentence", chunks, { chunking: { chunk_size: 100 } }],
  ["chunking.strategy", "sentence", "semantic", chunks, { chunking: { chunk_size: 100, min_chunk_size: 5 } }],
  ["chunking.chunk_size", 100, 200, chunks],
  ["chunking.overlap", 0, 40, chunks, { chunking: { chunk_size: 100 } }],
  ["chunking.max_chunk_size", 100, 400, chunks],
  ["chunking.min_chunk_size", 0, 90, chunks, { chunking: { chunk_size: 100, overlap: 0 } }],
  ["chunking.keep_headings", true, false, chunks],
  ["chunking.keep_code_blocks", true, false, chunks, { chunking: { chunk_size: 100 } }],
  ["cache.search_cache_enabled", true, false, again(), { ...model, embedding: { ...model.embedding, cache_enabled: false } }],
  ["cache.search_cache_size", 1, 10, again(), { ...model, embedding: { ...model.embedding, cache_enabled: false } }],
  ["cache.search_cache_ttl_seconds", 10, 1000, again(20_000), { ...model, embedding: { ...model.embedding, cache_enabled: false } }],
  [
    "cache.document_cache_enabled",
    true,
    false,
    async ({ rag, seen }) => {
      await rag.ingest(small);
      await rag.save();
      await rag.search("bread");
      const before = seen.reads;
      await rag.search("bread");
      return seen.reads - before;
    },
    { ...onDisk, ...uncached },
  ],
  [
    "cache.document_cache_size_mb",
    1,
    8,
    async ({ rag, seen }) => {
      const text = (i: number): string => `word${i} ${"filling ".repeat(5000)}`;
      await rag.ingest(
        Array.from({ length: 40 }, (_, i) => ({ id: String(i), text: text(i) })),
        { chunking: { chunkSize: 6000, maxChunkSize: 6000 } },
      );
      await rag.save();
      await rag.search("filling", { topK: 40 });
      const before = seen.reads;
      await rag.search("filling", { topK: 40 });
      return seen.reads - before;
    },
    { ...onDisk, ...uncached, search: { deduplicate: false } },
  ],
  ["search.top_k", 1, 3, hits],
  ["search.threshold", 0, 0.4, hits],
  ["search.hybrid_weight", 0.1, 0.9, hits],
  [
    "search.rerank",
    "none",
    "mmr",
    async ({ rag }) => {
      await rag.ingest([
        ...small,
        { id: "more bread", text: "Flour, water, salt and yeast make good bread." },
        { id: "a tent", text: "A tent with bread." },
      ]);
      return (await rag.search("flour water bread")).map(({ id }) => id);
    },
  ],
  [
    "search.max_context_tokens",
    20,
    400,
    async ({ rag }) => {
      await rag.ingest(small);
      return (await rag.context("bread tent bicycle")).results.length;
    },
  ],
  ["search.deduplicate", true, false, hits],
  ["search.include_metadata", true, false, hits],
  ["ingest.max_document_mb", 1, 2, async ({ rag }) => code(rag.ingest({ id: "big", text: "x".repeat(1_500_000) }))],
  ["ingest.max_documents", 2, 3, async ({ rag }) => code(rag.ingest(small))],
  [
    "ingest.max_concurrent",
    1,
    3,
    async ({ rag, seen, slow }) => {
      slow.ms = 5;
      await rag.ingest(small);
      return seen.most;
    },
    { embedding: { ...model.embedding, batch_size: 1 } },
  ],
  [
    "ingest.on_duplicate",
    "replace",
    "error",
    async ({ rag }) => {
      await rag.ingest(small);
      return code(rag.ingest(small));
    },
  ],
  [
    "ingest.on_duplicate",
    "replace",
    "skip",
    async ({ rag }) => {
      await rag.ingest(small);
      return (await rag.ingest({ id: "tent", text: "Another text." })).documents;
    },
  ],
  [
    "ingest.store_text",
    true,
    false,
    async ({ rag }) => {
      await rag.ingest(small);
      await rag.save();
      return (await rag.search("bread")).map(({ content }) => content);
    },
    onDisk,
  ],
  ["tenants.default_tenant_id", "anna", "bert", async ({ rag }) => (await rag.stats()).tenant],
  ["tenants.require_tenant_id", false, true, async ({ rag }) => code(rag.search("bread"))],
  [
    "tenants.max_tenants",
    1,
    2,
    async ({ rag }) => {
      await rag.ingest(small, { tenantId: "anna" });
      return code(rag.ingest(small, { tenantId: "bert" }));
    },
    { multi_tenant: true },
  ],
  ["tenants.max_vectors_per_tenant", 2, 3, async ({ rag }) => code(rag.ingest(small))],
  [
    "tenants.session_ttl_seconds",
    10,
    100,
    async ({ rag, seen }) => {
      const place = await rag.createSessionCollection("s");
      await rag.ingest(small, place);
      seen.ms += 50_000;
      return (await rag.search("bread", place)).length;
    },
  ],
  ["debug.enable_debug_logging", false, true, log, { debug: { log_all_operations: true } }],
  ["debug.log_all_operations", false, true, log, { debug: { enable_debug_logging: true } }],
  ["debug.save_debug_dumps", false, true, files],
  ["debug.debug_dump_path", "/dumps", "/other", files, { debug: { save_debug_dumps: true } }],
  ["monitoring.enable_metrics", false, true, operations],
  ["monitoring.metrics_export_interval", 10, 100, log, { monitoring: { enable_metrics: true } }],
  ["monitoring.alert_on_errors", false, true, log, { monitoring: { error_threshold_per_minute: 2 } }],
  ["monitoring.error_threshold_per_minute", 2, 50, log, { monitoring: { alert_on_errors: true } }],
  ["security.enable_audit_logging", false, true, files],
  ["security.audit_log_path", "/a.log", "/b.log", files, { security: { enable_audit_logging: true } }],
  ["security.enable_rate_limiting", false, true, rated, { security: { rate_limit_per_user: 2 } }],
  ["security.rate_limit_per_user", 2, 50, rated, { security: { enable_rate_limiting: true } }],
  [
    "security.enable_input_validation",
    true,
    false,
    async ({ rag }) => code(rag.search("x".repeat(2000))),
    { security: { max_input_size_kb: 1 } },
  ],
  ["security.max_input_size_kb", 1, 10, async ({ rag }) => code(rag.search("x".repeat(2000)))],
  ["backup.enable_auto_backup", false, true, backup, onDisk],
  ["backup.backup_interval_hours", 12, 24, backup, { ...onDisk, backup: { enable_auto_backup: true } }],
  ["backup.backup_retention_days", 1, 30, backup, { ...onDisk, backup: { enable_auto_backup: true } }],
  ["backup.backup_path", "/backup", "/copies", backup, { ...onDisk, backup: { enable_auto_backup: true } }],
  ["performance.enable_metrics", false, true, operations],
  [
    "performance.metrics_interval_seconds",
    10,
    100,
    async ({ rag, seen }) => {
      seen.ms = 1;
      const slow = rag.ingest(small);
      seen.ms = 50;
      await slow;
      seen.ms += 30_000;
      return (await rag.stats()).operations?.["ingest"];
    },
    { performance: { enable_metrics: true } },
  ],
  [
    "performance.log_slow_operations",
    false,
    true,
    async ({ rag, seen }) => {
      const slow = rag.ingest(small);
      seen.ms = 500;
      await slow;
      return seen.log.length;
    },
  ],
  [
    "performance.slow_operation_threshold_ms",
    100,
    1000,
    async ({ rag, seen }) => {
      const slow = rag.ingest(small);
      seen.ms = 500;
      await slow;
      return seen.log.length;
    },
    { performance: { log_slow_operations: true } },
  ],
];

/** @param path "cache.search_cache_size" */
function withKey(settings: Settings, path: string, value: unknown): Settings {
  const [first = "", ...rest] = path.split(".");
  const inner = (settings as Readonly<Record<string, unknown>>)[first];
  return { ...settings, [first]: rest.length === 0 ? value : withKey((inner ?? {}) as Settings, rest.join("."), value) };
}

describe("the section rag", () => {
  for (const [key, first, second, look, also = {}] of rows)
    it(`${key}: ${first} is not ${second}`, async () => {
      const results = [];
      for (const value of isLong ? [first, second, first] : [first, second]) {
        const index = await indexOf(withKey(also, key, value));
        results.push(await look(index));
        await index.rag.close();
      }
      expect(results[0]).not.toEqual(results[1]);
      // what differs is the key's doing
      if (isLong) expect(results[2]).toEqual(results[0]);
    });

  it("enabled switches the global on", async () => {
    const answers = [];
    for (const enabled of [false, true]) {
      const spell = createSpell({ platform: memoryPlatform(), config: { rag: { enabled } }, env: {} });
      const parts = {
        spell,
        config: await spell.config(),
        language: "lua",
        signal: new AbortController().signal,
        log: () => undefined,
      } as const;
      const bound = bind(scriptGlobals(parts));
      answers.push(await code(Promise.resolve().then(() => bound.call("RAG.get_stats", []))));
    }
    expect(answers).toEqual(["rag-disabled", "ok"]);
  });

  it("has no key that is missing above, but those that act elsewhere", () => {
    const all = [...keysByPath().keys()].filter((path) => path.startsWith("rag.")).map((path) => path.slice(4));
    const here = new Set(rows.map(([key]) => key));
    expect(all).toHaveLength(84);
    expect(all.filter((key) => !here.has(key)).sort()).toEqual(elsewhere);
  });
});

/** `enabled` above, the doctor's line in test/node/cli. */
const elsewhere = ["enabled", "monitoring.enable_health_checks"];
