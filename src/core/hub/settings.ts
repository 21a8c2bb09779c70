/** What the configuration says to finding and fetching models, in the terms of the code. */
import type { Config } from "../config/config.generated.ts";
import type { ConfigHost } from "../platform.ts";

export interface ModelSettings {
  /** No downloads; pulls give net-offline. */
  readonly offline: boolean;
  /** Address of the hub, without a slash at its end. */
  readonly hfEndpoint: string;
  /** Sent to the hub only; looked at with each request. */
  readonly hfToken: (() => string | undefined) | undefined;
  /** Hosts that may be private or local, beside those of a call: `host`, `host:port`, `*.domain`. */
  readonly allowHosts: readonly string[];
  /** Address of the Ollama registry. */
  readonly ollamaRegistry: string;
  /** Open files of other tools in place. */
  readonly reuseHfCache: boolean;
  readonly reuseOllamaStore: boolean;
  /** Connections per host, 1–16. */
  readonly maxParallel: number;
  /** Variant of GGUF models where a spec has none. */
  readonly defaultQuantization: string;
}

/** @param host the hub's token */
export function modelSettings(
  { models }: Config,
  host: ConfigHost | undefined,
  defaultQuantization: string,
  ollamaRegistry = "https://registry.ollama.ai",
): ModelSettings {
  return {
    offline: models.offline,
    hfEndpoint: models.hf_endpoint.replace(/\/+$/, ""),
    hfToken: host?.hubToken,
    allowHosts: models.allow_hosts,
    reuseHfCache: models.reuse_hf_cache,
    reuseOllamaStore: models.reuse_ollama_store,
    maxParallel: models.max_parallel,
    defaultQuantization,
    ollamaRegistry,
  };
}
