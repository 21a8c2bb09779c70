/** What every provider that is reached over HTTP says, in the terms of the code. */
import type { HttpProvider } from "../../config/config.generated.ts";
import type { RetryPlan } from "../../download/retry.ts";
import { limits } from "../../limits.ts";
import type { CallSettings } from "../backend.ts";
import { samplingOf } from "../call-settings.ts";

export interface ServerSettings {
  /** address, without a slash at its end */
  readonly baseUrl: string;
  /** Longest wait of a call without any progress. */
  readonly timeoutMs: number;
  readonly retry: RetryPlan;
  /** calls in a minute; 0 = any number */
  readonly callsPerMinute: number;
  /** The server queues by itself. */
  readonly calls: CallSettings;
}

export function serverSettings(provider: HttpProvider & { readonly base_url?: string | undefined }): ServerSettings {
  const { initial_delay_ms, max_delay_ms, backoff_multiplier } = provider.retry;
  const maxConcurrent = limits.waitingGenerations;
  const timeoutMs = provider.timeout_seconds * 1000;
  return {
    baseUrl: (provider.base_url ?? "").replace(/\/+$/, ""),
    timeoutMs,
    retry: { tries: provider.max_retries + 1, firstWaitMs: initial_delay_ms, longestWaitMs: max_delay_ms, factor: backoff_multiplier },
    callsPerMinute: provider.rate_limit.requests_per_minute,
    calls: { generate: samplingOf(provider), timeoutMs, maxConcurrent, maxPerModel: maxConcurrent, keepAliveMs: undefined },
  };
}
