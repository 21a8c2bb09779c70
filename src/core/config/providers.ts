/** Providers of an effective configuration, by name. */
import type { Config, ProviderConfig } from "./config.generated.ts";

/** @returns a provider that is declared and enabled; one that is switched off counts as not declared */
export function providerOf(config: Config, name: string): ProviderConfig | undefined {
  const provider = Object.hasOwn(config.providers, name) ? config.providers[name] : undefined;
  return typeof provider === "object" && provider.provider_type !== undefined && provider.enabled ? provider : undefined;
}

/** Names of all that are declared and enabled. */
export function providerNames(config: Config): readonly string[] {
  return Object.keys(config.providers).filter((name) => providerOf(config, name) !== undefined);
}
