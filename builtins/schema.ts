/**
 * The schema of the configuration, and the only place a key is described: type, unit, range, default, one line of documentation, and the
 * code that reads it. tools/generate.mjs compiles it into keys.generated.ts and config.generated.ts, the JSON Schema for editors and
 * docs/configuration.md. It is not in the package and nothing imports it at run time: zod alone takes longer to load than a configuration may
 * (docs/decisions/configuration.md).
 */
import * as z from "zod";
import { deviceChoices } from "../src/core/spec/devices.ts";
import { parameterRules, presets } from "../src/core/text/parameters.ts";

/** Instead of a reader, for keys whose code comes later. */
const later = {
  memory: "later: device memory",
} as const;

const calls = "src/core/backends/call-settings.ts";
const candle = "src/core/backends/candle/settings.ts";
const ollama = "src/core/backends/ollama/settings.ts";
const server = "src/core/backends/server/settings.ts";
const serverKey = "src/core/backends/server/key.ts";
const hub = "src/core/hub/settings.ts";
const spell = "src/core/api/spell.ts";
const choice = "src/core/api/names.ts";
const program = "src/node/cli/program.ts";
const scripts = "src/core/scripts/open.ts";
const scriptHost = "src/core/scripts/globals/host.ts";
const scriptUtils = "src/core/scripts/globals/utils.ts";
const scriptState = "src/core/state/state.ts";
const sessionRecords = "src/core/sessions/sessions.ts";
const sessionArtifacts = "src/core/sessions/artifacts.ts";
const records = "src/core/store/postgres-url.ts";
const scriptHooks = "src/core/events/hooks.ts";
const scriptEvents = "src/core/events/events.ts";
const scriptGlobals = "src/core/scripts/globals/index.ts";
const toolbox = "src/core/toolbox/toolbox.ts";
const fileTool = "src/core/toolbox/file-operations.ts";
const httpTool = "src/core/toolbox/http-request.ts";
const askServer = "src/core/toolbox/ask-server.ts";
const mcpServers = "src/core/toolbox/mcp/servers.ts";
const mcpConnection = "src/core/toolbox/mcp/connection.ts";
const scriptDebug = "src/core/scripts/globals/debug.ts";

interface Key {
  /** of a number */
  readonly unit?: string;
  readonly doc: string;
  /** path of the file that reads it, or one of `later` */
  readonly reader: string;
  /** other spellings that are read as one of the choices */
  readonly aliases?: Readonly<Record<string, string>>;
  /** least value besides 0 */
  readonly least?: number;
  /** what the text means */
  readonly format?: "path" | "url" | "model" | "variable";
  /** shown where the default is not a fixed value */
  readonly usually?: string;
}

type Leaf = z.ZodType;

function withKey(schema: Leaf, { doc, ...rest }: Key, fallback: unknown): Leaf {
  return (fallback === undefined ? schema.optional() : schema.default(fallback)).meta({ description: doc, ...rest });
}
const flag = (fallback: boolean, key: Key): Leaf => withKey(z.boolean(), key, fallback);
const integer = (fallback: number | undefined, min: number, max: number, key: Key): Leaf =>
  withKey(
    z
      .int()
      .min(min)
      .max(max)
      .refine((value) => value === 0 || value >= (key.least ?? min)),
    key,
    fallback,
  );
const number = (fallback: number | undefined, min: number, max: number, key: Key): Leaf =>
  withKey(z.number().min(min).max(max), key, fallback);
/** No system has a path with the character 0. */
const fits = ({ format }: Key) => [(value: string) => format !== "path" || !value.includes("\u0000"), "expected a path"] as const;
const text = (fallback: string | undefined, key: Key): Leaf =>
  withKey(
    z
      .string()
      .max(key.format === undefined ? 1024 : 4096)
      .refine(...fits(key)),
    key,
    fallback,
  );
const oneOf = (fallback: string | undefined, values: readonly string[], key: Key): Leaf => withKey(z.enum(values), key, fallback);
const list = (fallback: readonly string[], key: Key): Leaf =>
  withKey(
    z
      .array(
        z
          .string()
          .min(1)
          .max(1024)
          .refine(...fits(key)),
      )
      .max(1000),
    key,
    fallback,
  );

/** Seconds in a day, the most a wait may last. */
const day = 86_400;
const mostBytes = 2 ** 40;

// --- script engines -----------------------------------------------------------------------------------------------------------------------

/** @param least bytes its engine needs */
const scriptKeys = (language: string, memory: string, least: number): Record<string, Leaf> => ({
  stdlib: oneOf("Standard", ["None", "Basic", "Standard", "All"], {
    doc: `parts of the standard library a ${language} script has`,
    reader: scripts,
  }),
  [memory]: integer(67_108_864, least, 1_073_741_824, { unit: "bytes", doc: "most memory of a script", reader: scripts }),
  timeout_ms: integer(30_000, 1, day * 1000, {
    unit: "ms",
    doc: "computing time of a script; waiting for host calls does not count",
    reader: scripts,
  }),
  max_output_bytes: integer(1_048_576, 1, 1_073_741_824, {
    unit: "bytes",
    doc: "most printed text of one run in JSON mode",
    reader: scripts,
  }),
  enable_debug: flag(false, { doc: "errors have a traceback", reader: scripts }),
});

const engines = z.strictObject({
  lua: z.strictObject(scriptKeys("Lua", "max_memory_bytes", 17_825_792)),
  javascript: z.strictObject({
    ...scriptKeys("JavaScript", "max_heap_size_bytes", 2_097_152),
    enable_console: flag(true, { doc: "console.log, info, warn and error exist", reader: scripts }),
  }),
});

// --- providers ----------------------------------------------------------------------------------------------------------------------------

/** Ranges are those of the parameters themselves. */
function sampling(name: string): Leaf {
  const rule = parameterRules.find(({ snakeName }) => snakeName === name);
  if (rule === undefined) throw new Error(`${name} is not a generation parameter`);
  const base = rule.integer ? z.int().max(rule.max) : z.number().max(rule.max);
  return withKey(
    rule.above === true ? base.gt(rule.min) : base.min(rule.min),
    { doc: rule.description, reader: calls, usually: name === "max_tokens" ? "512; T5: the model's own" : "the model's own" },
    undefined,
  );
}

const samplingKeys = (): Record<string, Leaf> => ({
  ...Object.fromEntries(
    ["temperature", "top_p", "top_k", "min_p", "repeat_penalty", "repeat_last_n", "max_tokens", "seed"].map((name) => [
      name,
      sampling(name),
    ]),
  ),
  stop: withKey(
    z.array(z.string().min(1).max(256)).max(16),
    { doc: "an answer ends before the first of these texts", reader: calls },
    undefined,
  ),
  preset: oneOf(undefined, Object.keys(presets), {
    doc: "sets temperature, top_p, top_k and repeat_penalty; single values win",
    reader: calls,
  }),
});

const commonKeys = (): Record<string, Leaf> => ({
  enabled: flag(true, { doc: "false = as if the provider were not declared", reader: "src/core/config/providers.ts" }),
  default_model: text(undefined, { doc: "model when none is named", reader: choice, format: "model" }),
  ...samplingKeys(),
});

/** Keys of every provider reached over HTTP. */
const httpKeys = (baseUrl: string | undefined, timeout: number): Record<string, Leaf> => ({
  base_url: withKey(z.url({ protocol: /^https?$/ }), { doc: "address of the service", reader: server, format: "url" }, baseUrl),
  api_key: text(undefined, { doc: "key of the service; api_key_env is safer", reader: serverKey, usually: "the vendor's variable" }),
  api_key_env: text(undefined, { doc: "name of the variable that holds the key", reader: serverKey, format: "variable" }),
  timeout_seconds: integer(timeout, 1, day, { unit: "s", doc: "longest wait of one call without progress", reader: server }),
  max_retries: integer(3, 0, 20, { doc: "retries after 408, 429, 5xx and resets", reader: server }),
  "retry.initial_delay_ms": integer(500, 1, 600_000, { unit: "ms", doc: "first wait between tries", reader: server }),
  "retry.max_delay_ms": integer(30_000, 1, 600_000, { unit: "ms", doc: "longest wait between tries", reader: server }),
  "retry.backoff_multiplier": number(2, 1, 10, { doc: "factor from one wait to the next", reader: server }),
  "rate_limit.requests_per_minute": integer(0, 0, 1_000_000, {
    unit: "calls",
    doc: "most calls a minute, others wait; 0 = no limit",
    reader: server,
  }),
});

const remote = (baseUrl: string | undefined): Record<string, Leaf> => ({ ...commonKeys(), ...httpKeys(baseUrl, 60) });

/** Keys of `[providers.NAME]`, by provider_type. `a.b` is key b of table a. */
export const providerSchemas: Readonly<Record<string, Readonly<Record<string, z.ZodType>>>> = {
  candle: {
    ...commonKeys(),
    timeout_seconds: integer(300, 1, day, { unit: "s", doc: "longest wait of one call without progress", reader: candle }),
    model_directory: text("~/.llmspell/models", { doc: "folder of the model store", reader: candle, format: "path" }),
    device: oneOf("auto", deviceChoices, { doc: "device of the models", reader: candle }),
    default_quantization: text("Q4_K_M", { doc: "variant when the model spec names none", reader: candle }),
    context_size: integer(4096, 0, 2 ** 31 - 1, {
      unit: "tokens",
      least: 128,
      doc: "context length of a decoder, at most the limit of the model; 0 = that limit",
      reader: candle,
    }),
    batch_size: integer(512, 1, 16_384, {
      unit: "tokens",
      doc: "prompt tokens of one step; with fewer an abort is faster",
      reader: candle,
    }),
    cpu_threads: integer(0, 0, 1024, { unit: "threads", doc: "0 = measured on this machine", reader: candle }),
    max_concurrent: integer(1, 1, 64, { unit: "calls", doc: "generations at once; at most 16 others wait", reader: candle }),
    keep_alive_seconds: integer(300, -1, 31_536_000, {
      unit: "s",
      doc: "idle time until a model is unloaded; 0 = after each call, -1 = never",
      reader: candle,
    }),
    kept_states_mb: integer(4096, 0, 16_777_216, {
      unit: "MB",
      doc: "disk for what sessions and prefixes keep; the oldest go first; 0 = nothing is kept",
      reader: candle,
    }),
    gpu_memory_mb: integer(0, 0, 16_777_216, {
      unit: "MB",
      doc: "most GPU memory to use; 0 = what the device reports",
      reader: later.memory,
    }),
  },
  ollama: {
    ...commonKeys(),
    ...httpKeys("http://localhost:11434", 300),
    context_size: integer(0, 0, 2 ** 31 - 1, {
      unit: "tokens",
      least: 128,
      doc: "num_ctx sent to the server; 0 = the server's choice",
      reader: ollama,
    }),
    keep_alive_seconds: integer(300, -1, 31_536_000, {
      unit: "s",
      doc: "idle time until the server unloads a model; -1 = never",
      reader: ollama,
    }),
  },
  openai: remote("https://api.openai.com/v1"),
  anthropic: remote("https://api.anthropic.com"),
  "openai-compatible": remote(undefined),
};

const providers = z.strictObject({
  default_provider: text(undefined, { doc: "provider of calls that name none; must be declared", reader: choice }),
});

// --- models, runtime, tools ---------------------------------------------------------------------------------------------------------------

const models = z.strictObject({
  offline: flag(false, { doc: "no downloads", reader: hub }),
  hf_endpoint: withKey(
    z.url({ protocol: /^https?$/ }),
    { doc: "Hugging Face Hub, or a mirror of it", reader: hub, format: "url" },
    "https://huggingface.co",
  ),
  allow_hosts: list([], { doc: "private or local hosts that may be asked; *.domain = all names below it", reader: hub }),
  reuse_hf_cache: flag(true, { doc: "use files in the cache of Hugging Face in place", reader: hub }),
  reuse_ollama_store: flag(true, { doc: "use files of Ollama in place", reader: hub }),
  max_parallel: integer(4, 1, 16, { unit: "connections", doc: "connections to one host", reader: hub }),
  catalogue: text(undefined, { doc: "path of an additional models.toml; its names win", reader: spell, format: "path" }),
});

const kept = ["memory", "file", "postgres"];
const keptDoc = "memory = of this process; file = in a folder; postgres = in the database of [storage]";

const runtime = z.strictObject({
  log_level: oneOf("warn", ["off", "error", "warn", "info", "debug", "trace"], { doc: "default of --trace", reader: program }),
  script_timeout_seconds: integer(3600, 0, 31_536_000, {
    unit: "s",
    doc: "longest wall time of a script, without pulls; 0 = no limit",
    reader: scripts,
  }),
  security: z.strictObject({
    allow_file_access: flag(false, { doc: "scripts may read and write files", reader: scriptHost }),
    allowed_paths: list([], { doc: "folders that scripts may use; empty = the folder of the script", reader: scripts, format: "path" }),
    allow_network_access: flag(true, { doc: "false = scripts reach only Ollama on this machine", reader: scriptHost }),
    allowed_env: list([], { doc: "variables that scripts may read", reader: scriptUtils }),
  }),
  state_persistence: z.strictObject({
    enabled: flag(true, { doc: "global State works", reader: scriptState }),
    backend_type: oneOf("memory", kept, { doc: keptDoc, reader: scriptState }),
    directory: text("~/.llmspell/state", { doc: "folder of `file`", reader: scriptState, format: "path" }),
    max_state_size_bytes: integer(10_000_000, 1, mostBytes, {
      unit: "bytes",
      doc: "most bytes of all scopes together",
      reader: scriptState,
    }),
  }),
  sessions: z.strictObject({
    enabled: flag(false, { doc: "globals Session and Artifact work", reader: sessionRecords }),
    max_sessions: integer(100, 1, 1_000_000, { unit: "sessions", doc: "most sessions", reader: sessionRecords }),
    max_artifacts_per_session: integer(1000, 1, 1_000_000, {
      unit: "artifacts",
      doc: "most artifacts of a session",
      reader: sessionArtifacts,
    }),
    artifact_compression_threshold: integer(10_240, 0, mostBytes, {
      unit: "bytes",
      doc: "size from which artifacts are compressed",
      reader: sessionArtifacts,
    }),
    session_timeout_seconds: integer(3600, 1, 31_536_000, { unit: "s", doc: "idle time until a session ends", reader: sessionRecords }),
    storage_backend: oneOf("memory", kept, { doc: keptDoc, reader: sessionRecords }),
    directory: text("~/.llmspell/sessions", { doc: "folder of `file`", reader: sessionRecords, format: "path" }),
  }),
});

const storage = z.strictObject({
  postgres_url: text(undefined, {
    doc: "address of the database of `postgres`, with user and password",
    reader: records,
    usually: "of the variable",
  }),
  postgres_url_env: text("DATABASE_URL", { doc: "name of the variable that holds it", reader: records, format: "variable" }),
});

const hooks = z.strictObject({
  enabled: flag(false, { doc: "global Hook works", reader: scriptHooks }),
  rate_limit_per_minute: integer(100, 1, 1_000_000, { unit: "calls", doc: "most hook calls a minute", reader: scriptHooks }),
  timeout_ms: integer(5000, 1, 3_600_000, { unit: "ms", doc: "longest time of one hook", reader: scriptHooks }),
});

const events = z.strictObject({
  enabled: flag(true, { doc: "global Event works", reader: scriptEvents }),
  buffer_size: integer(10_000, 1, 10_000_000, { unit: "events", doc: "events kept for slow readers", reader: scriptEvents }),
  max_events_per_second: integer(1000, 1, 1_000_000, {
    unit: "events",
    doc: "most events a second; more are refused",
    reader: scriptEvents,
  }),
  emit_timing_events: flag(true, { doc: "emit events with durations", reader: scriptGlobals }),
  emit_state_events: flag(false, { doc: "emit events for changes of State", reader: scriptGlobals }),
  emit_debug_events: flag(false, { doc: "emit events for debug lines", reader: scriptGlobals }),
});

const tools = z.strictObject({
  file_operations: z.strictObject({
    enabled: flag(true, { doc: "file tools exist", reader: toolbox }),
    max_file_size: integer(50_000_000, 1, mostBytes, {
      unit: "bytes",
      doc: "largest file that file tools read or write",
      reader: fileTool,
    }),
    max_depth: integer(10, 1, 1000, { unit: "folders", doc: "folders of depth that a search goes down", reader: fileTool }),
    blocked_extensions: list(["exe", "dll", "so", "dylib"], { doc: "file endings that file tools refuse", reader: fileTool }),
  }),
  http_request: z.strictObject({
    enabled: flag(true, { doc: "the HTTP tool exists", reader: toolbox }),
    allowed_hosts: list([], { doc: "hosts it may contact; empty = all public hosts", reader: askServer }),
    blocked_hosts: list([], { doc: "hosts it must not contact", reader: askServer }),
    timeout_seconds: integer(30, 1, day, { unit: "s", doc: "longest time of one request", reader: askServer }),
    max_request_size: integer(10_000_000, 1, mostBytes, { unit: "bytes", doc: "largest request body", reader: httpTool }),
    max_redirects: integer(5, 0, 20, { unit: "redirects", doc: "most redirects of one request", reader: askServer }),
  }),
  mcp: z.strictObject({
    servers: list([], {
      doc: "servers of tools that may be used: `NAME = command line` or `NAME = address`, $VARIABLE for what it may have; empty = none",
      reader: mcpServers,
    }),
    timeout_seconds: integer(60, 1, day, {
      unit: "s",
      doc: "longest time until a server has opened, and until it answers",
      reader: mcpConnection,
    }),
  }),
  rate_limit_per_minute: integer(100, 1, 1_000_000, { unit: "calls", doc: "most tool calls a minute", reader: toolbox }),
});

const debug = z.strictObject({
  enabled: flag(true, { doc: "global Debug works", reader: scriptDebug }),
  level: oneOf("debug", ["error", "warn", "info", "debug", "trace"], { doc: "least level that Debug records", reader: scriptDebug }),
  max_entries: integer(10_000, 1, 10_000_000, { unit: "entries", doc: "most entries", reader: scriptDebug }),
});

// --- retrieval ----------------------------------------------------------------------------------------------------------------------------

/** What reads a key of `rag`. */
const ragReaders = {
  calls: "src/core/rag/rag.ts",
  indexes: "src/core/rag/indexes.ts",
  ingest: "src/core/rag/ingest.ts",
  find: "src/core/rag/find.ts",
  embedder: "src/core/rag/embedder.ts",
  texts: "src/core/rag/model-texts.ts",
  room: "src/core/rag/memory.ts",
  places: "src/core/rag/places.ts",
  documents: "src/core/rag/prepare.ts",
  watch: "src/core/rag/watch.ts",
  global: "src/core/scripts/globals/rag.ts",
  audit: "src/core/rag/audit.ts",
  backup: "src/core/rag/backup.ts",
  dumps: "src/core/rag/dumps.ts",
  doctor: "src/node/cli/doctor-rag.ts",
} as const;
type RagReader = keyof typeof ragReaders;
const ragFlag = (by: RagReader, fallback: boolean, doc: string): Leaf => flag(fallback, { doc, reader: ragReaders[by] });
const ragInteger = (by: RagReader, fallback: number, min: number, max: number, unit: string, doc: string): Leaf =>
  integer(fallback, min, max, { doc, reader: ragReaders[by], ...(unit === "" ? {} : { unit }) });
const ragNumber = (by: RagReader, fallback: number, min: number, max: number, doc: string): Leaf =>
  number(fallback, min, max, { doc, reader: ragReaders[by] });
const ragText = (by: RagReader, fallback: string, doc: string, format?: "path" | "model"): Leaf =>
  text(fallback, { doc, reader: ragReaders[by], ...(format === undefined ? {} : { format }) });
const ragChoice = (by: RagReader, fallback: string, values: readonly string[], doc: string): Leaf =>
  oneOf(fallback, values, { doc, reader: ragReaders[by] });

const rag = z.strictObject({
  enabled: ragFlag("global", false, "global RAG exists"),
  multi_tenant: ragFlag("places", false, "each tenant has its own data and searches"),
  vector_storage: z.strictObject({
    dimensions: ragInteger("embedder", 384, 1, 65_536, "numbers", "vector length; longer embeddings are cut, shorter ones are errors"),
    backend: ragChoice(
      "indexes",
      "hnsw",
      ["hnsw", "flat", "postgres"],
      "hnsw = approximate, flat = exact, postgres = in the database of storage.postgres_url",
    ),
    persistence_path: ragText("places", "", "folder of the index; empty = memory only", "path"),
    max_memory_mb: ragInteger("room", 500, 1, 16_777_216, "MB", "most memory of the index; beyond it an ingest fails"),
    on_disk: ragFlag("room", false, "vectors stay in the file and are read on demand"),
    save_interval_seconds: ragInteger("indexes", 60, 0, day, "s", "time between saves; 0 = save only in RAG.save() and at a normal end"),
    hnsw: z.strictObject({
      m: ragInteger("indexes", 16, 2, 96, "links", "links of a node in the graph"),
      ef_construction: ragInteger("indexes", 200, 1, 100_000, "", "search width while the index is built"),
      ef_search: ragInteger("indexes", 50, 1, 100_000, "", "search width of a query"),
      max_elements: ragInteger("room", 100_000, 1, 1_000_000_000, "vectors", "most vectors; must fit into max_memory_mb"),
      seed: ragInteger("indexes", 42, 0, 4_294_967_295, "", "seed of the layers; the same seed, order and batch size give the same index"),
      metric: ragChoice("indexes", "cosine", ["cosine", "euclidean", "inner_product"], "distance of two vectors"),
      allow_replace_deleted: ragFlag("ingest", true, "room of deleted vectors is used again at once"),
      num_threads: ragInteger("indexes", 0, 0, 1024, "threads", "threads of a build, at most the cores; 0 = half the cores"),
      nb_layers: ragInteger("indexes", 16, 1, 16, "layers", "most layers"),
      parallel_batch_size: ragInteger("indexes", 128, 1, 1_000_000, "vectors", "vectors of one build step"),
    }),
  }),
  embedding: z.strictObject({
    default_provider: ragText("indexes", "lexical", "lexical (built in, no model), candle, ollama, openai or a declared provider"),
    model: ragText("embedder", "", "model spec; empty for lexical", "model"),
    device: ragChoice("texts", "auto", deviceChoices, "device of the embeddings"),
    cache_enabled: ragFlag("texts", true, "cache embeddings by the hash of their text"),
    cache_size: ragInteger("texts", 10_000, 1, 100_000_000, "entries", "most entries of the cache"),
    cache_ttl_seconds: ragInteger("texts", 3600, 1, 31_536_000, "s", "age at which an entry expires"),
    batch_size: ragInteger("ingest", 32, 1, 100_000, "texts", "texts of one call"),
    timeout_seconds: ragInteger("texts", 30, 1, day, "s", "longest wait of one call without progress"),
    max_retries: ragInteger("texts", 3, 0, 20, "", "retries of remote providers"),
    normalize: ragFlag("embedder", true, "scale to length 1"),
    pooling: ragChoice("texts", "auto", ["auto", "mean", "last", "cls"], "auto = from the model's files"),
    query_prefix: ragText("embedder", "", "text before each query"),
    document_prefix: ragText("embedder", "", "text before each document"),
    max_input_tokens: ragInteger("texts", 512, 1, 1_048_576, "tokens", "longer texts are cut, with a note"),
  }),
  chunking: z.strictObject({
    strategy: ragChoice("documents", "sliding_window", ["sliding_window", "sentence", "semantic"], "how texts are split"),
    chunk_size: ragInteger("documents", 512, 1, 1_048_576, "tokens", "intended length of a chunk"),
    overlap: ragInteger("documents", 64, 0, 1_048_576, "tokens", "tokens shared with the next chunk; less than chunk_size"),
    max_chunk_size: ragInteger("documents", 2048, 1, 1_048_576, "tokens", "most tokens of a chunk"),
    min_chunk_size: ragInteger("documents", 100, 0, 1_048_576, "tokens", "a shorter last chunk joins the one before"),
    keep_headings: ragFlag("documents", true, "the last heading comes before each chunk"),
    keep_code_blocks: ragFlag("documents", true, "fenced code up to max_chunk_size stays whole"),
  }),
  cache: z.strictObject({
    search_cache_enabled: ragFlag("find", true, "cache the results of a query"),
    search_cache_size: ragInteger("find", 1000, 1, 100_000_000, "entries", "most entries of the cache"),
    search_cache_ttl_seconds: ragInteger("find", 300, 1, 31_536_000, "s", "age at which an entry expires"),
    document_cache_enabled: ragFlag("indexes", true, "cache texts of documents in memory"),
    document_cache_size_mb: ragInteger("indexes", 100, 1, 16_777_216, "MB", "largest size of the cache"),
  }),
  search: z.strictObject({
    top_k: ragInteger("find", 5, 1, 100_000, "results", "results of a search by default"),
    threshold: ragNumber("find", 0, -1, 1, "lowest score returned"),
    hybrid_weight: ragNumber("find", 0.3, 0, 1, "share of word matches in the score"),
    rerank: ragChoice("find", "none", ["none", "mmr"], "mmr = less repetition"),
    max_context_tokens: ragInteger("calls", 2048, 1, 10_485_760, "tokens", "most tokens of RAG.context"),
    deduplicate: ragFlag("find", true, "drop equal texts"),
    include_metadata: ragFlag("find", true, "results carry metadata"),
  }),
  ingest: z.strictObject({
    max_document_mb: ragInteger("documents", 10, 1, 65_536, "MB", "largest document"),
    max_documents: ragInteger("ingest", 1000, 1, 100_000_000, "documents", "most documents of one call"),
    max_concurrent: ragInteger("ingest", 2, 1, 1024, "documents", "documents at once"),
    on_duplicate: ragChoice("ingest", "replace", ["replace", "skip", "error"], "what happens to a document with a known id"),
    store_text: ragFlag("indexes", true, "keep the text beside the vector"),
  }),
  tenants: z.strictObject({
    default_tenant_id: ragText("places", "default", "tenant of calls that name none"),
    require_tenant_id: ragFlag("places", false, "a call without tenant is an error"),
    max_tenants: ragInteger("places", 100, 1, 100_000_000, "tenants", "most tenants"),
    max_vectors_per_tenant: ragInteger("room", 100_000, 1, 1_000_000_000, "vectors", "most vectors of one tenant"),
    session_ttl_seconds: ragInteger("calls", 3600, 1, 31_536_000, "s", "lifetime of collections of a session"),
  }),
  debug: z.strictObject({
    enable_debug_logging: ragFlag("watch", false, "log RAG at level debug, whatever --trace says; only --trace off and --quiet hide it"),
    log_all_operations: ragFlag("watch", false, "log a line for each operation"),
    save_debug_dumps: ragFlag("dumps", false, "write queries, scores and chunks to files"),
    debug_dump_path: ragText("dumps", "~/.llmspell/debug/rag", "folder of the dumps", "path"),
  }),
  monitoring: z.strictObject({
    enable_metrics: ragFlag("watch", false, "counters in RAG.get_stats and in the log"),
    metrics_export_interval: ragInteger("watch", 60, 1, day, "s", "time between log lines"),
    enable_health_checks: ragFlag("doctor", false, "index and provider shown in doctor"),
    alert_on_errors: ragFlag("watch", false, "warn when error_threshold_per_minute is passed"),
    error_threshold_per_minute: ragInteger("watch", 10, 1, 1_000_000, "errors", "errors a minute from which alert_on_errors warns"),
  }),
  security: z.strictObject({
    enable_audit_logging: ragFlag("audit", false, "log who did what and when as JSON lines, without texts"),
    audit_log_path: ragText("audit", "~/.llmspell/logs/rag-audit.log", "file of the audit log, mode 0600", "path"),
    enable_rate_limiting: ragFlag("watch", false, "limit the calls of a tenant"),
    rate_limit_per_user: ragInteger("watch", 100, 1, 1_000_000, "calls", "most calls a minute of a tenant"),
    enable_input_validation: ragFlag("find", true, "refuse input that is too long or not text"),
    max_input_size_kb: ragInteger("find", 100, 1, 1_048_576, "kB", "longest query"),
  }),
  backup: z.strictObject({
    enable_auto_backup: ragFlag("backup", false, "copy the index folder"),
    backup_interval_hours: ragInteger("backup", 24, 1, 8760, "h", "age of the last copy from which a load or save makes a new one"),
    backup_retention_days: ragInteger("backup", 30, 1, 36_500, "d", "age at which copies are deleted"),
    backup_path: ragText("backup", "~/.llmspell/backup/rag", "folder of the copies", "path"),
  }),
  performance: z.strictObject({
    enable_metrics: ragFlag("watch", false, "durations in RAG.get_stats"),
    metrics_interval_seconds: ragInteger("watch", 60, 1, day, "s", "time that averages cover"),
    log_slow_operations: ragFlag("watch", false, "warn of each slow call"),
    slow_operation_threshold_ms: ragInteger("watch", 100, 1, 3_600_000, "ms", "time from which a call is slow"),
  }),
});

/** Everything but the tables of named providers. */
export const configSchema: z.ZodObject = z.strictObject({
  default_engine: oneOf("lua", ["lua", "javascript"], {
    doc: "script language when neither a flag nor the file ending names it",
    reader: scripts,
    aliases: { js: "javascript" },
  }),
  default_model: text(undefined, {
    doc: "model when none is named, before that of a provider",
    reader: choice,
    format: "model",
  }),
  engines,
  providers,
  models,
  runtime,
  storage,
  hooks,
  events,
  tools,
  debug,
  rag,
});
