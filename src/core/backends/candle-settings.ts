/** What the configuration says to the in-process backend, in the terms of its code. */
import type { CandleProvider, Config, OllamaProvider } from "../config/config.generated.ts";
import { providerOf } from "../config/providers.ts";
import { limits } from "../limits.ts";
import type { GenerateOptions } from "../spec/generate.ts";
import type { DeviceChoice } from "../spec/runtime.ts";
import { parameterRules } from "../text/parameters.ts";

/** Defaults of a load; an option of the call wins. */
export interface LoadDefaults {
  readonly device: DeviceChoice;
  /** tokens a decoder keeps, at most its own limit; 0 = that limit */
  readonly contextSize: number;
  /** 0 = measured */
  readonly threads: number;
  /** prompt tokens of one step */
  readonly batchSize: number;
}

/** Where nothing is configured. */
export const usualLoad: LoadDefaults = { device: "auto", contextSize: 4096, threads: 0, batchSize: 512 };

export interface CandleSettings {
  /** folder of the store */
  readonly modelFolder: string;
  readonly load: LoadDefaults;
  /** Defaults of every call; they stand before what the model itself recommends. */
  readonly generate: GenerateOptions;
  /** longest wait without progress */
  readonly timeoutMs: number;
  /** generations at once, over all models */
  readonly maxConcurrent: number;
  /** an idle model is unloaded after this; 0 = at once, undefined = never */
  readonly keepAliveMs: number | undefined;
}

/** @returns undefined where the configuration declares no such provider */
export function candleSettings(config: Config, name = "candle"): CandleSettings | undefined {
  const provider = providerOf(config, name);
  return provider?.provider_type === "candle" ? settingsOf(provider) : undefined;
}

function settingsOf(provider: CandleProvider): CandleSettings {
  const { model_directory, device, context_size, cpu_threads, batch_size, timeout_seconds, max_concurrent, keep_alive_seconds } = provider;
  return {
    modelFolder: model_directory,
    load: { device, contextSize: context_size, threads: cpu_threads, batchSize: batch_size },
    generate: samplingOf(provider),
    timeoutMs: timeout_seconds * 1000,
    maxConcurrent: max_concurrent,
    keepAliveMs: keep_alive_seconds < 0 ? undefined : keep_alive_seconds * 1000,
  };
}

/** Settings of a server's models: it queues and unloads by itself. @returns undefined where the configuration declares no such provider */
export function ollamaSettings(
  config: Config,
  name: string,
): Pick<CandleSettings, "generate" | "timeoutMs" | "maxConcurrent" | "keepAliveMs"> | undefined {
  const provider = providerOf(config, name);
  if (provider?.provider_type !== "ollama") return undefined;
  return {
    generate: samplingOf(provider),
    timeoutMs: provider.timeout_seconds * 1000,
    maxConcurrent: limits.waitingGenerations,
    keepAliveMs: undefined,
  };
}

/** Keys that are set: temperature, top_p, top_k, min_p, repeat_penalty, repeat_last_n, max_tokens, seed, stop, preset. */
function samplingOf(provider: CandleProvider | OllamaProvider): GenerateOptions {
  const { stop, preset } = provider;
  const numbers: Partial<Record<(typeof parameterRules)[number]["name"], number>> = {};
  for (const { name, snakeName } of parameterRules) {
    const value = (provider as unknown as Readonly<Record<string, unknown>>)[snakeName];
    if (typeof value === "number") numbers[name] = value;
  }
  return { ...numbers, ...(stop === undefined ? {} : { stop }), ...(preset === undefined ? {} : { preset }) };
}
