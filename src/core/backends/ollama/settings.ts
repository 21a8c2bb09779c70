/** What the configuration says to an Ollama server, in the terms of the code. */
import type { Config } from "../../config/config.generated.ts";
import { providerOf } from "../../config/providers.ts";
import { type ServerSettings, serverSettings } from "../server/settings.ts";

export interface OllamaSettings extends ServerSettings {
  /** Seconds an idle model stays loaded; -1 = for ever. Absent = the server's choice. */
  readonly keepAliveSeconds: number | undefined;
  /** Tokens the server keeps; 0 = the server's choice. */
  readonly contextSize: number;
}

/** @returns undefined where the configuration declares no provider of this type and name */
export function ollamaSettings(config: Config, name: string): OllamaSettings | undefined {
  const provider = providerOf(config, name);
  if (provider?.provider_type !== "ollama") return undefined;
  return { ...serverSettings(provider), keepAliveSeconds: provider.keep_alive_seconds, contextSize: provider.context_size };
}
