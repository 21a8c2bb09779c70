/** What the configuration says to an Ollama server, in the terms of the code. */
import type { Config } from "../../config/config.generated.ts";
import { providerOf } from "../../config/providers.ts";
import { limits } from "../../limits.ts";
import type { CallSettings } from "../backend.ts";
import { samplingOf } from "../call-settings.ts";

export interface OllamaSettings {
  /** address, without a slash at its end */
  readonly baseUrl: string;
  /** Longest wait of a call without any progress. */
  readonly timeoutMs: number;
  /** Seconds an idle model stays loaded; -1 = for ever. Absent = the server's choice. */
  readonly keepAliveSeconds: number | undefined;
  /** Tokens the server keeps; 0 = the server's choice. */
  readonly contextSize: number;
  /** The server queues and unloads by itself. */
  readonly calls: CallSettings;
}

/** @returns undefined where the configuration declares no provider of this type and name */
export function ollamaSettings(config: Config, name: string): OllamaSettings | undefined {
  const provider = providerOf(config, name);
  if (provider?.provider_type !== "ollama") return undefined;
  const timeoutMs = provider.timeout_seconds * 1000;
  const maxConcurrent = limits.waitingGenerations;
  return {
    baseUrl: provider.base_url.replace(/\/+$/, ""),
    timeoutMs,
    keepAliveSeconds: provider.keep_alive_seconds,
    contextSize: provider.context_size,
    calls: { generate: samplingOf(provider), timeoutMs, maxConcurrent, maxPerModel: maxConcurrent, keepAliveMs: undefined },
  };
}
