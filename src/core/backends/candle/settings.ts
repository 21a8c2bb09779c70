/** What the configuration says to the embedded engine, in the terms of its code. */
import type { Config } from "../../config/config.generated.ts";
import { providerOf } from "../../config/providers.ts";
import type { CallSettings, LoadOptions } from "../backend.ts";
import { samplingOf } from "../call-settings.ts";

/** Defaults of a load; an option of the call wins. contextSize 0 = the model's limit, threads 0 = measured. */
export type LoadDefaults = {
  readonly [Name in "device" | "contextSize" | "threads" | "batchSize"]: NonNullable<LoadOptions[Name]>;
} & {
  /** that kept states may have together */
  readonly keptBytes: number;
};

export interface CandleSettings {
  /** folder of the store */
  readonly modelFolder: string;
  readonly defaultQuantization: string;
  readonly load: LoadDefaults;
  readonly calls: CallSettings;
}

/** @returns undefined where the configuration declares no provider of this type and name */
export function candleSettings(config: Config, name = "candle"): CandleSettings | undefined {
  const provider = providerOf(config, name);
  if (provider?.provider_type !== "candle") return undefined;
  const { device, context_size: contextSize, cpu_threads: threads, batch_size: batchSize, keep_alive_seconds, kept_states_mb } = provider;
  return {
    modelFolder: provider.model_directory,
    defaultQuantization: provider.default_quantization,
    load: { device, contextSize, threads, batchSize, keptBytes: kept_states_mb * 1_000_000 },
    calls: {
      generate: samplingOf(provider),
      timeoutMs: provider.timeout_seconds * 1000,
      maxConcurrent: provider.max_concurrent,
      maxPerModel: 1,
      keepAliveMs: keep_alive_seconds < 0 ? undefined : keep_alive_seconds * 1000,
    },
  };
}
