/** Written by tools/generate.mjs from builtins/schema.ts. Names are those of the files. */

/** `[engines]` */
export interface EnginesConfig {
  readonly lua: {
    /** parts of the standard library a Lua script has */
    readonly stdlib: "None" | "Basic" | "Standard" | "All";
    /** most memory of a script (bytes) */
    readonly max_memory_bytes: number;
    /** computing time of a script; waiting for host calls does not count (ms) */
    readonly timeout_ms: number;
    /** most printed text of one run in JSON mode (bytes) */
    readonly max_output_bytes: number;
    /** errors have a traceback */
    readonly enable_debug: boolean;
  };
  readonly javascript: {
    /** parts of the standard library a JavaScript script has */
    readonly stdlib: "None" | "Basic" | "Standard" | "All";
    /** most memory of a script (bytes) */
    readonly max_heap_size_bytes: number;
    /** computing time of a script; waiting for host calls does not count (ms) */
    readonly timeout_ms: number;
    /** most printed text of one run in JSON mode (bytes) */
    readonly max_output_bytes: number;
    /** errors have a traceback */
    readonly enable_debug: boolean;
    /** console.log, info, warn and error exist */
    readonly enable_console: boolean;
  };
}

/** `[models]` */
export interface ModelsConfig {
  /** no downloads */
  readonly offline: boolean;
  /** Hugging Face Hub, or a mirror of it */
  readonly hf_endpoint: string;
  /** private or local hosts that may be asked; *.domain = all names below it */
  readonly allow_hosts: readonly string[];
  /** use files in the cache of Hugging Face in place */
  readonly reuse_hf_cache: boolean;
  /** use files of Ollama in place */
  readonly reuse_ollama_store: boolean;
  /** connections to one host (connections) */
  readonly max_parallel: number;
  /** path of an additional models.toml; its names win */
  readonly catalogue?: string | undefined;
}

/** `[runtime]` */
export interface RuntimeConfig {
  /** default of --trace */
  readonly log_level: "off" | "error" | "warn" | "info" | "debug" | "trace";
  /** longest wall time of a script, without pulls; 0 = no limit (s) */
  readonly script_timeout_seconds: number;
  readonly security: {
    /** scripts may read and write files */
    readonly allow_file_access: boolean;
    /** folders that scripts may use; empty = the folder of the script */
    readonly allowed_paths: readonly string[];
    /** false = scripts reach only Ollama on this machine */
    readonly allow_network_access: boolean;
    /** variables that scripts may read */
    readonly allowed_env: readonly string[];
  };
  readonly state_persistence: {
    /** global State works */
    readonly enabled: boolean;
    /** memory = of this process; file = in a folder; postgres = in the database of [storage] */
    readonly backend_type: "memory" | "file" | "postgres";
    /** folder of `file` */
    readonly directory: string;
    /** most bytes of all scopes together (bytes) */
    readonly max_state_size_bytes: number;
  };
  readonly sessions: {
    /** globals Session and Artifact work */
    readonly enabled: boolean;
    /** most sessions (sessions) */
    readonly max_sessions: number;
    /** most artifacts of a session (artifacts) */
    readonly max_artifacts_per_session: number;
    /** size from which artifacts are compressed (bytes) */
    readonly artifact_compression_threshold: number;
    /** idle time until a session ends (s) */
    readonly session_timeout_seconds: number;
    /** memory = of this process; file = in a folder; postgres = in the database of [storage] */
    readonly storage_backend: "memory" | "file" | "postgres";
    /** folder of `file` */
    readonly directory: string;
  };
}

/** `[storage]` */
export interface StorageConfig {
  /** address of the database of `postgres`, with user and password */
  readonly postgres_url?: string | undefined;
  /** name of the variable that holds it */
  readonly postgres_url_env: string;
}

/** `[hooks]` */
export interface HooksConfig {
  /** global Hook works */
  readonly enabled: boolean;
  /** most hook calls a minute (calls) */
  readonly rate_limit_per_minute: number;
  /** longest time of one hook (ms) */
  readonly timeout_ms: number;
}

/** `[events]` */
export interface EventsConfig {
  /** global Event works */
  readonly enabled: boolean;
  /** events kept for slow readers (events) */
  readonly buffer_size: number;
  /** most events a second; more are refused (events) */
  readonly max_events_per_second: number;
  /** emit events with durations */
  readonly emit_timing_events: boolean;
  /** emit events for changes of State */
  readonly emit_state_events: boolean;
  /** emit events for debug lines */
  readonly emit_debug_events: boolean;
}

/** `[tools]` */
export interface ToolsConfig {
  readonly file_operations: {
    /** file tools exist */
    readonly enabled: boolean;
    /** largest file that file tools read or write (bytes) */
    readonly max_file_size: number;
    /** folders of depth that a search goes down (folders) */
    readonly max_depth: number;
    /** file endings that file tools refuse */
    readonly blocked_extensions: readonly string[];
  };
  readonly http_request: {
    /** the HTTP tool exists */
    readonly enabled: boolean;
    /** hosts it may contact; empty = all public hosts */
    readonly allowed_hosts: readonly string[];
    /** hosts it must not contact */
    readonly blocked_hosts: readonly string[];
    /** longest time of one request (s) */
    readonly timeout_seconds: number;
    /** largest request body (bytes) */
    readonly max_request_size: number;
    /** most redirects of one request (redirects) */
    readonly max_redirects: number;
  };
  readonly mcp: {
    /** servers of tools that may be used: `NAME = command line` or `NAME = address`, $VARIABLE for what it may have; empty = none */
    readonly servers: readonly string[];
    /** longest time until a server has opened, and until it answers (s) */
    readonly timeout_seconds: number;
  };
  /** most tool calls a minute (calls) */
  readonly rate_limit_per_minute: number;
}

/** `[debug]` */
export interface DebugConfig {
  /** global Debug works */
  readonly enabled: boolean;
  /** least level that Debug records */
  readonly level: "error" | "warn" | "info" | "debug" | "trace";
  /** most entries (entries) */
  readonly max_entries: number;
}

/** `[rag]` */
export interface RagConfig {
  /** global RAG exists */
  readonly enabled: boolean;
  /** each tenant has its own data and searches */
  readonly multi_tenant: boolean;
  readonly vector_storage: {
    /** vector length; longer embeddings are cut, shorter ones are errors (numbers) */
    readonly dimensions: number;
    /** hnsw = approximate, flat = exact, postgres = in the database of storage.postgres_url */
    readonly backend: "hnsw" | "flat" | "postgres";
    /** folder of the index; empty = memory only */
    readonly persistence_path: string;
    /** most memory of the index; beyond it an ingest fails (MB) */
    readonly max_memory_mb: number;
    /** vectors stay in the file and are read on demand */
    readonly on_disk: boolean;
    /** time between saves; 0 = save only in RAG.save() and at a normal end (s) */
    readonly save_interval_seconds: number;
    readonly hnsw: {
      /** links of a node in the graph (links) */
      readonly m: number;
      /** search width while the index is built */
      readonly ef_construction: number;
      /** search width of a query */
      readonly ef_search: number;
      /** most vectors; must fit into max_memory_mb (vectors) */
      readonly max_elements: number;
      /** seed of the layers; the same seed, order and batch size give the same index */
      readonly seed: number;
      /** distance of two vectors */
      readonly metric: "cosine" | "euclidean" | "inner_product";
      /** room of deleted vectors is used again at once */
      readonly allow_replace_deleted: boolean;
      /** threads of a build, at most the cores; 0 = half the cores (threads) */
      readonly num_threads: number;
      /** most layers (layers) */
      readonly nb_layers: number;
      /** vectors of one build step (vectors) */
      readonly parallel_batch_size: number;
    };
  };
  readonly embedding: {
    /** lexical (built in, no model), candle, ollama, openai or a declared provider */
    readonly default_provider: string;
    /** model spec; empty for lexical */
    readonly model: string;
    /** device of the embeddings */
    readonly device: "auto" | "webgpu" | "metal" | "vulkan" | "cuda" | "cpu" | "wasm";
    /** cache embeddings by the hash of their text */
    readonly cache_enabled: boolean;
    /** most entries of the cache (entries) */
    readonly cache_size: number;
    /** age at which an entry expires (s) */
    readonly cache_ttl_seconds: number;
    /** texts of one call (texts) */
    readonly batch_size: number;
    /** longest wait of one call without progress (s) */
    readonly timeout_seconds: number;
    /** retries of remote providers */
    readonly max_retries: number;
    /** scale to length 1 */
    readonly normalize: boolean;
    /** auto = from the model's files */
    readonly pooling: "auto" | "mean" | "last" | "cls";
    /** text before each query */
    readonly query_prefix: string;
    /** text before each document */
    readonly document_prefix: string;
    /** longer texts are cut, with a note (tokens) */
    readonly max_input_tokens: number;
  };
  readonly chunking: {
    /** how texts are split */
    readonly strategy: "sliding_window" | "sentence" | "semantic";
    /** intended length of a chunk (tokens) */
    readonly chunk_size: number;
    /** tokens shared with the next chunk; less than chunk_size (tokens) */
    readonly overlap: number;
    /** most tokens of a chunk (tokens) */
    readonly max_chunk_size: number;
    /** a shorter last chunk joins the one before (tokens) */
    readonly min_chunk_size: number;
    /** the last heading comes before each chunk */
    readonly keep_headings: boolean;
    /** fenced code up to max_chunk_size stays whole */
    readonly keep_code_blocks: boolean;
  };
  readonly cache: {
    /** cache the results of a query */
    readonly search_cache_enabled: boolean;
    /** most entries of the cache (entries) */
    readonly search_cache_size: number;
    /** age at which an entry expires (s) */
    readonly search_cache_ttl_seconds: number;
    /** cache texts of documents in memory */
    readonly document_cache_enabled: boolean;
    /** largest size of the cache (MB) */
    readonly document_cache_size_mb: number;
  };
  readonly search: {
    /** results of a search by default (results) */
    readonly top_k: number;
    /** lowest score returned */
    readonly threshold: number;
    /** share of word matches in the score */
    readonly hybrid_weight: number;
    /** mmr = less repetition */
    readonly rerank: "none" | "mmr";
    /** most tokens of RAG.context (tokens) */
    readonly max_context_tokens: number;
    /** drop equal texts */
    readonly deduplicate: boolean;
    /** results carry metadata */
    readonly include_metadata: boolean;
  };
  readonly ingest: {
    /** largest document (MB) */
    readonly max_document_mb: number;
    /** most documents of one call (documents) */
    readonly max_documents: number;
    /** documents at once (documents) */
    readonly max_concurrent: number;
    /** what happens to a document with a known id */
    readonly on_duplicate: "replace" | "skip" | "error";
    /** keep the text beside the vector */
    readonly store_text: boolean;
  };
  readonly tenants: {
    /** tenant of calls that name none */
    readonly default_tenant_id: string;
    /** a call without tenant is an error */
    readonly require_tenant_id: boolean;
    /** most tenants (tenants) */
    readonly max_tenants: number;
    /** most vectors of one tenant (vectors) */
    readonly max_vectors_per_tenant: number;
    /** lifetime of collections of a session (s) */
    readonly session_ttl_seconds: number;
  };
  readonly debug: {
    /** log RAG at level debug, whatever --trace says; only --trace off and --quiet hide it */
    readonly enable_debug_logging: boolean;
    /** log a line for each operation */
    readonly log_all_operations: boolean;
    /** write queries, scores and chunks to files */
    readonly save_debug_dumps: boolean;
    /** folder of the dumps */
    readonly debug_dump_path: string;
  };
  readonly monitoring: {
    /** counters in RAG.get_stats and in the log */
    readonly enable_metrics: boolean;
    /** time between log lines (s) */
    readonly metrics_export_interval: number;
    /** index and provider shown in doctor */
    readonly enable_health_checks: boolean;
    /** warn when error_threshold_per_minute is passed */
    readonly alert_on_errors: boolean;
    /** errors a minute from which alert_on_errors warns (errors) */
    readonly error_threshold_per_minute: number;
  };
  readonly security: {
    /** log who did what and when as JSON lines, without texts */
    readonly enable_audit_logging: boolean;
    /** file of the audit log, mode 0600 */
    readonly audit_log_path: string;
    /** limit the calls of a tenant */
    readonly enable_rate_limiting: boolean;
    /** most calls a minute of a tenant (calls) */
    readonly rate_limit_per_user: number;
    /** refuse input that is too long or not text */
    readonly enable_input_validation: boolean;
    /** longest query (kB) */
    readonly max_input_size_kb: number;
  };
  readonly backup: {
    /** copy the index folder */
    readonly enable_auto_backup: boolean;
    /** age of the last copy from which a load or save makes a new one (h) */
    readonly backup_interval_hours: number;
    /** age at which copies are deleted (d) */
    readonly backup_retention_days: number;
    /** folder of the copies */
    readonly backup_path: string;
  };
  readonly performance: {
    /** durations in RAG.get_stats */
    readonly enable_metrics: boolean;
    /** time that averages cover (s) */
    readonly metrics_interval_seconds: number;
    /** warn of each slow call */
    readonly log_slow_operations: boolean;
    /** time from which a call is slow (ms) */
    readonly slow_operation_threshold_ms: number;
  };
}

/** What every provider has. */
export interface AnyProvider {
  /** false = as if the provider were not declared */
  readonly enabled: boolean;
  /** model when none is named */
  readonly default_model?: string | undefined;
  /** randomness; 0 = greedy */
  readonly temperature?: number | undefined;
  /** keep the likeliest tokens up to this share; 1 = off */
  readonly top_p?: number | undefined;
  /** keep this many likeliest tokens; 0 = off */
  readonly top_k?: number | undefined;
  /** drop tokens below this share of the likeliest; 0 = off */
  readonly min_p?: number | undefined;
  /** weakens tokens seen lately; 1 = off */
  readonly repeat_penalty?: number | undefined;
  /** tokens the penalties look at; -1 = all, 0 = off */
  readonly repeat_last_n?: number | undefined;
  /** most tokens to generate */
  readonly max_tokens?: number | undefined;
  /** start of the random numbers; random and reported by default */
  readonly seed?: number | undefined;
  /** an answer ends before the first of these texts */
  readonly stop?: readonly string[] | undefined;
  /** sets temperature, top_p, top_k and repeat_penalty; single values win */
  readonly preset?: "greedy" | "balanced" | "conservative" | "creative" | undefined;
  /** longest wait of one call without progress (s) */
  readonly timeout_seconds: number;
}

/** What every provider has that is reached over HTTP. */
export interface HttpProvider extends AnyProvider {
  /** key of the service; api_key_env is safer */
  readonly api_key?: string | undefined;
  /** name of the variable that holds the key */
  readonly api_key_env?: string | undefined;
  /** retries after 408, 429, 5xx and resets */
  readonly max_retries: number;
  readonly retry: {
    /** first wait between tries (ms) */
    readonly initial_delay_ms: number;
    /** longest wait between tries (ms) */
    readonly max_delay_ms: number;
    /** factor from one wait to the next */
    readonly backoff_multiplier: number;
  };
  readonly rate_limit: {
    /** most calls a minute, others wait; 0 = no limit (calls) */
    readonly requests_per_minute: number;
  };
}

/** `[providers.NAME]` with provider_type `candle` */
export interface CandleProvider extends AnyProvider {
  readonly provider_type: "candle";
  /** folder of the model store */
  readonly model_directory: string;
  /** device of the models */
  readonly device: "auto" | "webgpu" | "metal" | "vulkan" | "cuda" | "cpu" | "wasm";
  /** variant when the model spec names none */
  readonly default_quantization: string;
  /** context length of a decoder, at most the limit of the model; 0 = that limit (tokens) */
  readonly context_size: number;
  /** prompt tokens of one step; with fewer an abort is faster (tokens) */
  readonly batch_size: number;
  /** 0 = measured on this machine (threads) */
  readonly cpu_threads: number;
  /** generations at once; at most 16 others wait (calls) */
  readonly max_concurrent: number;
  /** idle time until a model is unloaded; 0 = after each call, -1 = never (s) */
  readonly keep_alive_seconds: number;
  /** disk for what sessions and prefixes keep; the oldest go first; 0 = nothing is kept (MB) */
  readonly kept_states_mb: number;
  /** most GPU memory to use; 0 = what the device reports (MB) */
  readonly gpu_memory_mb: number;
}

/** `[providers.NAME]` with provider_type `ollama` */
export interface OllamaProvider extends HttpProvider {
  readonly provider_type: "ollama";
  /** address of the service */
  readonly base_url: string;
  /** num_ctx sent to the server; 0 = the server's choice (tokens) */
  readonly context_size: number;
  /** idle time until the server unloads a model; -1 = never (s) */
  readonly keep_alive_seconds: number;
}

/** `[providers.NAME]` with provider_type `openai` */
export interface OpenaiProvider extends HttpProvider {
  readonly provider_type: "openai";
  /** address of the service */
  readonly base_url: string;
}

/** `[providers.NAME]` with provider_type `anthropic` */
export interface AnthropicProvider extends HttpProvider {
  readonly provider_type: "anthropic";
  /** address of the service */
  readonly base_url: string;
}

/** `[providers.NAME]` with provider_type `openai-compatible` */
export interface OpenaiCompatibleProvider extends HttpProvider {
  readonly provider_type: "openai-compatible";
  /** address of the service */
  readonly base_url?: string | undefined;
}

export type ProviderConfig = CandleProvider | OllamaProvider | OpenaiProvider | AnthropicProvider | OpenaiCompatibleProvider;

/** `[providers]`: the tables by their names, and one key of its own. */
export interface ProvidersConfig {
  readonly default_provider?: string | undefined;
  readonly [name: string]: ProviderConfig | string | undefined;
}

/** The effective configuration: every key with its value; those without a default may be missing. */
export interface Config {
  /** script language when neither a flag nor the file ending names it */
  readonly default_engine: "lua" | "javascript";
  /** model when none is named, before that of a provider */
  readonly default_model: string;
  readonly engines: EnginesConfig;
  readonly providers: ProvidersConfig;
  readonly models: ModelsConfig;
  readonly runtime: RuntimeConfig;
  readonly storage: StorageConfig;
  readonly hooks: HooksConfig;
  readonly events: EventsConfig;
  readonly tools: ToolsConfig;
  readonly debug: DebugConfig;
  readonly rag: RagConfig;
}

type Given<T> = T extends readonly unknown[] ? T : T extends object ? { readonly [K in keyof T]?: Given<T[K]> | undefined } : T;

/** What a program hands in: any part of a configuration. */
export type ConfigInput = Given<Omit<Config, "providers">> & {
  readonly providers?:
    | { readonly default_provider?: string | undefined; readonly [name: string]: Given<ProviderConfig> | string | undefined }
    | undefined;
};
