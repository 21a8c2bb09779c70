/** What the configuration says to model management, in the terms of its code. */
import type { Config } from "../config/config.generated.ts";
import { providerOf, providerOfType } from "../config/providers.ts";
import { SpellError } from "../errors.ts";
import type { ConfigHost } from "../platform.ts";
import { defaultModelSettings, type LocalBackend, type ModelSettings } from "../spec/model-settings.ts";

/** The provider of each backend. */
export type LocalProviders = Readonly<Record<LocalBackend, string | undefined>>;

/** Those that answer where a call names none. */
export function usualProviders(config: Config): LocalProviders {
  return { candle: providerOfType(config, "candle"), ollama: providerOfType(config, "ollama") };
}

/**
 * @param host the hub's token, and the file of an additional catalogue
 * @throws SpellError config-not-found, config-unreadable for a catalogue that is not there
 */
export async function modelSettings(config: Config, host: ConfigHost | undefined, names: LocalProviders): Promise<ModelSettings> {
  const { models } = config;
  const of = (backend: LocalBackend) => providerOf(config, names[backend] ?? "");
  const [candle, ollama] = [of("candle"), of("ollama")];
  const hfToken = host?.hubToken;
  const catalogue = models.catalogue === undefined ? undefined : await host?.readFile?.(models.catalogue).catch(explainCatalogue);
  return {
    ...defaultModelSettings,
    backends: (["candle", "ollama"] as const).filter((backend) => of(backend)?.provider_type === backend),
    offline: models.offline,
    hfEndpoint: models.hf_endpoint.replace(/\/+$/, ""),
    ...(hfToken === undefined ? {} : { hfToken }),
    reuseHfCache: models.reuse_hf_cache,
    reuseOllamaStore: models.reuse_ollama_store,
    maxParallel: models.max_parallel,
    ...(catalogue === undefined ? {} : { catalogue: catalogue.text }),
    ...(candle?.provider_type === "candle"
      ? { candleProvider: names.candle ?? "candle", defaultQuantization: candle.default_quantization }
      : {}),
    ...(ollama?.provider_type === "ollama"
      ? {
          ollamaProvider: names.ollama ?? "ollama",
          ollamaBaseUrl: ollama.base_url.replace(/\/+$/, ""),
          ollamaTimeoutMs: ollama.timeout_seconds * 1000,
          ollamaKeepAliveSeconds: ollama.keep_alive_seconds,
          ollamaContextSize: ollama.context_size,
        }
      : {}),
  };
}

/** Which key names the file. */
function explainCatalogue(error: unknown): never {
  if (!(error instanceof SpellError)) throw error;
  throw new SpellError(error.code, `models.catalogue: ${error.message}`, {
    hint: "Correct the path, or remove the key.",
    commands: ["llmspell config show models --origin"],
    where: error.where,
    cause: error,
  });
}
