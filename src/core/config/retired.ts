/** Keys of older files, and what to write instead. */

interface Retired {
  readonly pattern: RegExp;
  readonly say: string;
}

const keys: readonly Retired[] = [
  {
    pattern: /^engines\.\w+\.security_level$|^engines\.javascript\.strict_mode$/,
    say: "remove it; scripts are always sandboxed and strict",
  },
  { pattern: /^engines\.\w+\.stdlib_level$|^stdlib_level$/, say: "write stdlib, in [engines.lua] and [engines.javascript]" },
  { pattern: /^runtime\.security\.allow_process_spawn$/, say: "remove it; scripts never start processes" },
  { pattern: /^runtime\.security\.max_memory_bytes$/, say: "write engines.lua.max_memory_bytes" },
  { pattern: /^runtime\.security\.max_execution_time_ms$/, say: "write engines.lua.timeout_ms" },
  { pattern: /^runtime\.hooks(\.|$)/, say: "write [hooks]" },
  { pattern: /^runtime\.(max_concurrent_scripts|enable_streaming)$/, say: "remove it" },
  {
    pattern: /^runtime\.state_persistence\.(migration_enabled|backup_\w+)$/,
    say: "remove it; the file format carries its version and keeps the last good copy",
  },
  { pattern: /^providers\.candle\.use_flash_attention$/, say: "remove it" },
  { pattern: /^providers\.ollama\.(auto_start|health_check_interval_seconds|default_backend)$/, say: "remove it" },
  { pattern: /^providers\.[\w-]+\.model$/, say: "write default_model" },
  { pattern: /^providers\.[\w-]+\.options$/, say: "write its keys into [providers.NAME] itself" },
  { pattern: /^rag\.vector_storage\.hnsw\.enable_mmap$/, say: "write rag.vector_storage.on_disk" },
  { pattern: /^rag\.vector_storage\.hnsw\.mmap_sync_interval$/, say: "write rag.vector_storage.save_interval_seconds" },
];

/** @returns what to write instead of a retired key, or undefined */
export function findRetiredKey(parts: readonly string[], value: unknown): string | undefined {
  const path = parts.join(".");
  if (path === "providers.providers" && typeof value === "object") return "write [providers.NAME] instead of [providers.providers.NAME]";
  const say = keys.find(({ pattern }) => pattern.test(path))?.say;
  return say === undefined ? undefined : `retired; ${say}`;
}

/** @returns what to write instead of a retired value, or undefined */
export function retiredValue(path: string, value: string): string | undefined {
  if (path !== "runtime.state_persistence.backend_type" || !/^(sled|redis)$/i.test(value)) return undefined;
  return `"${value.toLowerCase()}" is retired; write "file"`;
}
