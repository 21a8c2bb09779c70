/** Looks into what was compiled (compiled.generated.ts): keys, the variables that set them, profiles. Reads no text of a user. */
import type { Environment } from "../platform.ts";
import { once } from "../values.ts";
import { builtinProfiles, configKeys, type ProviderType, providerKeys, providerTypes } from "./compiled.generated.ts";
import type { BuiltinProfile, ConfigKey } from "./key.ts";

/** Words that mean something else where a provider is named. `providers` is the retired form `[providers.providers.X]`. */
const reservedProviders: ReadonlySet<string> = new Set(["local", "all", "auto", "hf", "providers"]);

/** Variables that say where and what to load, or that beat a key by a rule of their own. */
export const reservedVariables: ReadonlySet<string> = new Set(
  ["HOME", "CONFIG", "PROFILE", "TRACE", "DEVICE", "WASM_KERNELS"].map((name) => `LLMSPELL_${name}`),
);

/** Variables for the device of every provider that computes in this process; the first that is set counts. */
export const deviceVariables: readonly string[] = ["LLMSPELL_DEVICE", "CANDLE_DEVICE"];

/** Variables that other programs use too, with the keys they set. */
export const vendorVariables: Readonly<Record<string, string>> = {
  OPENAI_API_KEY: "providers.openai.api_key",
  ANTHROPIC_API_KEY: "providers.anthropic.api_key",
  OLLAMA_HOST: "providers.ollama.base_url",
  HF_ENDPOINT: "models.hf_endpoint",
  HF_HUB_OFFLINE: "models.offline",
};

/** All keys outside of named providers. */
export const keysByPath: () => ReadonlyMap<string, ConfigKey> = once(() => new Map(configKeys.map((key) => [key.path, key])));

const keysByType = once(
  () =>
    new Map(
      providerTypes.map((type) => [type, new Map(providerKeys.filter(({ types }) => types.includes(type)).map((key) => [key.path, key]))]),
    ),
);

/** Keys of a provider type by their paths within its table. */
export function keysOfType(type: ProviderType): ReadonlyMap<string, ConfigKey> {
  return keysByType().get(type) ?? new Map();
}

/** @returns names directly inside a table of dotted paths, in their order; none where there is no such table */
export function namesIn(paths: Iterable<string>, table: readonly string[]): readonly string[] {
  const start = table.map((part) => `${part}.`).join("");
  const inside = [...paths].filter((path) => path.startsWith(start)).map((path) => path.slice(start.length));
  return [...new Set(inside.map((path) => path.split(".", 1)[0] ?? ""))];
}

export function isProviderType(text: string): text is ProviderType {
  return (providerTypes as readonly string[]).includes(text);
}

/** Names of sections, in the order they are shown. */
export function sectionNames(): readonly string[] {
  return namesIn(keysByPath().keys(), []);
}

/** @returns what is wrong with a provider's name, or undefined */
export function providerNameProblem(name: string): string | undefined {
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(name)) return "expected a small letter, then small letters, digits and -";
  return reservedProviders.has(name) ? `${name} is reserved` : undefined;
}

/** Shown instead of a secret. */
export const mask = "********";

/** Values of such keys are never shown. */
export function isSecret(key: string): boolean {
  return /(api_key|token|secret|password|postgres_url)$/i.test(key);
}

/** @returns set variables with the systematic beginning in any case, whether a key has them or not */
export function systematicNames(env: Environment): readonly string[] {
  return Object.keys(env).filter((name) => /^llmspell_/i.test(name) && (env[name] ?? "") !== "" && !reservedVariables.has(name));
}

/** Most programs start without any variable of the configuration; then environment.ts is not loaded. */
export function hasVariables(env: Environment): boolean {
  return [...deviceVariables, ...Object.keys(vendorVariables)].some((name) => (env[name] ?? "") !== "") || systematicNames(env).length > 0;
}

/** By long or short name in any case; undefined for an unknown one. */
export function findProfile(name: string): BuiltinProfile | undefined {
  const typed = name.toLowerCase();
  return builtinProfiles.find((profile) => profile.name === typed || profile.aliases.includes(typed));
}
