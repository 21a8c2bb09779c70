/** What the configuration says to model management, in the terms of its code. */
import type { Config } from "../config/config.generated.ts";
import { providerOf } from "../config/providers.ts";
import type { ConfigHost } from "../platform.ts";
import { defaultModelSettings, type LocalBackend, type ModelSettings } from "../spec/model-settings.ts";

/**
 * @param host the hub's token, and the file of an additional catalogue
 * @throws SpellError config-not-found, config-unreadable for a catalogue that is not there
 */
export async function modelSettings(config: Config, host: ConfigHost | undefined): Promise<ModelSettings> {
  const { models } = config;
  const candle = providerOf(config, "candle");
  const ollama = providerOf(config, "ollama");
  const declared = (name: LocalBackend): boolean => providerOf(config, name)?.provider_type === name;
  const hfToken = host?.hubToken;
  const catalogue = models.catalogue === undefined ? undefined : await host?.readFile?.(models.catalogue);
  return {
    ...defaultModelSettings,
    backends: (["candle", "ollama"] as const).filter(declared),
    offline: models.offline,
    hfEndpoint: models.hf_endpoint.replace(/\/+$/, ""),
    ...(hfToken === undefined ? {} : { hfToken }),
    reuseHfCache: models.reuse_hf_cache,
    reuseOllamaStore: models.reuse_ollama_store,
    maxParallel: models.max_parallel,
    ...(catalogue === undefined ? {} : { catalogue: catalogue.text }),
    ...(candle?.provider_type === "candle" ? { defaultQuantization: candle.default_quantization } : {}),
    ...(ollama?.provider_type === "ollama"
      ? {
          ollamaBaseUrl: ollama.base_url.replace(/\/+$/, ""),
          ollamaTimeoutMs: ollama.timeout_seconds * 1000,
          ollamaKeepAliveSeconds: ollama.keep_alive_seconds,
          ollamaContextSize: ollama.context_size,
        }
      : {}),
  };
}
