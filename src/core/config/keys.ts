/** Looking into what was compiled (compiled.generated.ts): keys, the variables that set them, profiles. No text of a user is read here. */
import type { Environment } from "../platform.ts";
import { builtinProfiles, configKeys, providerKeys, tableNames } from "./compiled.generated.ts";
import type { BuiltinProfile, ConfigKey } from "./key.ts";

export type ProviderType = keyof typeof providerKeys;

/** Both are filled with the first question: a start should not pay for names that nobody asks for. */
const staticKeys = new Map<string, ConfigKey>();
const keysByType = new Map<ProviderType, ReadonlyMap<string, ConfigKey>>();

/** Words of a provider's name that would be read as something else. `providers` is the retired form `[providers.providers.X]`. */
const reservedProviders: ReadonlySet<string> = new Set(["local", "all", "auto", "hf", "providers"]);

/** Variables that say where and what to load, or beat a key by a rule of their own. */
export const reservedVariables: ReadonlySet<string> = new Set(
  ["HOME", "CONFIG", "PROFILE", "TRACE", "DEVICE"].map((name) => `LLMSPELL_${name}`),
);

/** Short names that other programs use too, and the ones of devices. */
const vendorVariables = [
  "LLMSPELL_DEVICE",
  "CANDLE_DEVICE",
  "OPENAI_API_KEY",
  "ANTHROPIC_API_KEY",
  "OLLAMA_HOST",
  "HF_ENDPOINT",
  "HF_HUB_OFFLINE",
] as const;

/** All keys outside of named providers. */
export function allKeys(): readonly ConfigKey[] {
  return configKeys;
}

export function keyAt(path: string): ConfigKey | undefined {
  if (staticKeys.size === 0) for (const key of configKeys) staticKeys.set(key.path, key);
  return staticKeys.get(path);
}

/** Names inside a table of the schema; undefined where there is no such table. */
export function namesIn(table: string): readonly string[] | undefined {
  return Object.hasOwn(tableNames, table) ? tableNames[table] : undefined;
}

export function isProviderType(text: string): text is ProviderType {
  return Object.hasOwn(providerKeys, text);
}

export function providerTypes(): readonly string[] {
  return Object.keys(providerKeys);
}

/** Keys of a provider type by their paths within its table. */
export function keysOfType(type: ProviderType): ReadonlyMap<string, ConfigKey> {
  const known = keysByType.get(type) ?? new Map(providerKeys[type]().map((key) => [key.path, key]));
  keysByType.set(type, known);
  return known;
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

/** Shown instead of a secret. */
export const mask = "********";

/** Values of such keys are shown to nobody. */
export function isSecret(key: string): boolean {
  return /(api_key|token|secret|password)$/i.test(key);
}

/** @returns set variables with the systematic beginning in any case, whether a key has them or not */
export function systematicNames(env: Environment): readonly string[] {
  return Object.keys(env).filter((name) => /^llmspell_/i.test(name) && (env[name] ?? "") !== "" && !reservedVariables.has(name));
}

/** Most programs are started with no variable that matters to their configuration: then nothing else is read for them (environment.ts). */
export function hasVariables(env: Environment): boolean {
  return vendorVariables.some((name) => (env[name] ?? "") !== "") || systematicNames(env).length > 0;
}

/** By long or short name in any case; undefined where there is none (unknownProfile() of source-errors.ts says so). */
export function findProfile(name: string): BuiltinProfile | undefined {
  const typed = name.toLowerCase();
  return builtinProfiles.find((profile) => profile.name === typed || profile.aliases.includes(typed));
}
