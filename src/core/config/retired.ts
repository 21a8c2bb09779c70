/** Keys of older files, and what to write instead. */

const keys: readonly (readonly [RegExp, string])[] = [
  [/^engines\.\w+\.security_level$|^engines\.javascript\.strict_mode$/, "remove it; scripts are always sandboxed and strict"],
  [/^engines\.\w+\.stdlib_level$|^stdlib_level$/, "write stdlib, in [engines.lua] and [engines.javascript]"],
  [/^runtime\.security\.allow_process_spawn$/, "remove it; scripts never start processes"],
  [/^runtime\.security\.max_memory_bytes$/, "write engines.lua.max_memory_bytes"],
  [/^runtime\.security\.max_execution_time_ms$/, "write engines.lua.timeout_ms"],
  [/^runtime\.hooks(\.|$)/, "write [hooks]"],
  [/^runtime\.(max_concurrent_scripts|enable_streaming)$/, "remove it"],
  [
    /^runtime\.state_persistence\.(migration_enabled|backup_\w+)$/,
    "remove it; the file format carries its version and keeps the last good copy",
  ],
  [/^providers\.candle\.use_flash_attention$/, "remove it"],
  [/^providers\.ollama\.(auto_start|health_check_interval_seconds|default_backend)$/, "remove it"],
  [/^providers\.[\w-]+\.model$/, "write default_model"],
  [/^providers\.[\w-]+\.options$/, "write its keys into [providers.NAME] itself"],
  [/^rag\.vector_storage\.hnsw\.enable_mmap$/, "write rag.vector_storage.on_disk"],
  [/^rag\.vector_storage\.hnsw\.mmap_sync_interval$/, "write rag.vector_storage.save_interval_seconds"],
];

/** @returns what to write instead of a retired key, or undefined */
export function findRetiredKey(parts: readonly string[], value: unknown): string | undefined {
  const path = parts.join(".");
  if (path === "providers.providers" && typeof value === "object") return "write [providers.NAME] instead of [providers.providers.NAME]";
  const say = keys.find(([pattern]) => pattern.test(path))?.[1];
  return say === undefined ? undefined : `retired; ${say}`;
}

/** @returns what to write instead of a retired value, or undefined */
export function retiredValue(path: string, value: string): string | undefined {
  if (path !== "runtime.state_persistence.backend_type" || !/^(sled|redis)$/i.test(value)) return undefined;
  return `"${value.toLowerCase()}" is retired; write "file"`;
}
