/** What is known of the keys: the compiled schema (keys.generated.ts) and how to look into it. No text of a user is read here. */
import type { ConfigKey } from "./key.ts";
import { configKeys, providerKeys, tableNames } from "./keys.generated.ts";

export type ProviderType = keyof typeof providerKeys;

const staticKeys: ReadonlyMap<string, ConfigKey> = new Map(configKeys.map((key) => [key.path, key]));

/** Keys of a provider type by their paths within the table. */
const keysByType: ReadonlyMap<string, ReadonlyMap<string, ConfigKey>> = new Map(
  Object.entries(providerKeys).map(([type, keys]) => [type, new Map(keys.map((key) => [key.path, key]))]),
);

/** Words of a provider's name that would be read as something else. `providers` is the retired form `[providers.providers.X]`. */
const reservedProviders: ReadonlySet<string> = new Set(["local", "all", "auto", "hf", "providers"]);

/** All keys outside of named providers. */
export function allKeys(): readonly ConfigKey[] {
  return configKeys;
}

export function keyAt(path: string): ConfigKey | undefined {
  return staticKeys.get(path);
}

/** Names inside a table of the schema; undefined where there is no such table. */
export function namesIn(table: string): readonly string[] | undefined {
  return Object.hasOwn(tableNames, table) ? tableNames[table] : undefined;
}

export function isProviderType(text: string): text is ProviderType {
  return keysByType.has(text);
}

export function providerTypes(): readonly string[] {
  return [...keysByType.keys()];
}

export function keysOfType(type: ProviderType): ReadonlyMap<string, ConfigKey> {
  return keysByType.get(type) ?? new Map();
}

/** Names of sections, in the order they are shown. */
export function sectionNames(): readonly string[] {
  return namesIn("") ?? [];
}

/** @returns what is wrong with a provider's name, or undefined */
export function providerNameProblem(name: string): string | undefined {
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(name)) return "wanted a small letter, then small letters, digits and -";
  return reservedProviders.has(name) ? `${name} is reserved` : undefined;
}

/** Values of such keys are shown to nobody. */
export function isSecret(key: string): boolean {
  return /(api_key|token|secret|password)$/i.test(key);
}
