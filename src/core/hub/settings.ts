/** What the configuration says to finding and fetching models, in the terms of the code. */
import type { Config } from "../config/config.generated.ts";
import type { ConfigHost } from "../platform.ts";
import { defaultModelSettings, type ModelSettings } from "../spec/model-settings.ts";

/** @param host the hub's token */
export function modelSettings(
  { models }: Config,
  host: ConfigHost | undefined,
  defaultQuantization: string,
  ollamaRegistry?: string,
): ModelSettings {
  return {
    ...defaultModelSettings,
    offline: models.offline,
    hfEndpoint: models.hf_endpoint.replace(/\/+$/, ""),
    hfToken: host?.hubToken,
    allowHosts: models.allow_hosts,
    reuseHfCache: models.reuse_hf_cache,
    reuseOllamaStore: models.reuse_ollama_store,
    maxParallel: models.max_parallel,
    defaultQuantization,
    ollamaRegistry: ollamaRegistry ?? defaultModelSettings.ollamaRegistry,
  };
}
