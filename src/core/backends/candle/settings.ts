/** What the configuration says to the embedded engine, in the terms of its code. */
import type { CandleProvider, Config } from "../../config/config.generated.ts";
import { providerOf } from "../../config/providers.ts";
import type { DeviceChoice } from "../../spec/runtime.ts";
import type { CallSettings } from "../backend.ts";
import { samplingOf } from "../call-settings.ts";

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
  return provider?.provider_type === "candle" ? settingsOf(provider) : undefined;
}

function settingsOf(provider: CandleProvider): CandleSettings {
  const { model_directory, device, context_size, cpu_threads, batch_size, timeout_seconds, max_concurrent, keep_alive_seconds } = provider;
  return {
    modelFolder: model_directory,
    defaultQuantization: provider.default_quantization,
    load: { device, contextSize: context_size, threads: cpu_threads, batchSize: batch_size },
    calls: {
      generate: samplingOf(provider),
      timeoutMs: timeout_seconds * 1000,
      maxConcurrent: max_concurrent,
      maxPerModel: 1,
      keepAliveMs: keep_alive_seconds < 0 ? undefined : keep_alive_seconds * 1000,
    },
  };
}
