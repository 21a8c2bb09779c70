/** Providers of an effective configuration, by name. */
import type { Config, ProviderConfig } from "./config.generated.ts";

/** @returns a provider that is declared and enabled; one that is switched off counts as not declared */
export function providerOf(config: Config, name: string): ProviderConfig | undefined {
  const provider = Object.hasOwn(config.providers, name) ? config.providers[name] : undefined;
  return typeof provider === "object" && provider.provider_type !== undefined && provider.enabled ? provider : undefined;
}

/**
 * The provider that stands for a backend where only that is named, or a file: the default provider where it is of this type, else the one that is
 * called as the type, else the first that is declared.
 */
export function providerOfType(config: Config, type: ProviderConfig["provider_type"]): string | undefined {
  const names = providerNames(config).filter((name) => providerOf(config, name)?.provider_type === type);
  return [config.providers.default_provider, type].find((name) => name !== undefined && names.includes(name)) ?? names[0];
}

/** Names of all that are declared and enabled. */
export function providerNames(config: Config): readonly string[] {
  return Object.keys(config.providers).filter((name) => providerOf(config, name) !== undefined);
}
