/** Environment variables to a layer: one systematic name for each key, and short names that other programs use too. */
import { didYouMean, nearest } from "../nearest.ts";
import type { Environment } from "../platform.ts";
import { once } from "../values.ts";
import type { ProviderType } from "./compiled.generated.ts";
import type { ConfigKey } from "./key.ts";
import { deviceVariables, keysByPath, keysOfType, reservedVariables, systematicNames, vendorVariables } from "./keys.ts";
import { declaredTypes, type Entry, type Layer } from "./layer.ts";
import type { Problem } from "./problem.ts";
import { variableOf } from "./switch-on.ts";
import { checkValue, describeValues, showGot } from "./value.ts";

/** Providers that a variable may declare. */
const namedProviders: readonly ProviderType[] = ["candle", "ollama", "openai", "anthropic"];

type ProviderTypes = ReadonlyMap<string, ProviderType>;

export interface EnvironmentResult {
  /** systematic names; they may declare providers */
  readonly layer: Layer;
  /** names of other programs; they lose to `layer` and declare nothing */
  readonly vendor: Layer;
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

interface Target {
  readonly path: string;
  readonly key: ConfigKey;
  readonly provider?: { readonly name: string; readonly type: ProviderType } | undefined;
}

/** @param declared types of the providers declared so far, by name */
export function readEnvironment(env: Environment, declared: ProviderTypes): EnvironmentResult {
  const layer = new Map<string, Entry>();
  const problems: Problem[] = [];
  const warnings: string[] = [];
  const names = [...systematicNames(env)].sort();
  const byVariable = once(() => new Map([...keysByPath().values()].map((key) => [variableOf(key.path), key])));
  for (const name of names) {
    const text = env[name] ?? "";
    const key = byVariable().get(name);
    const target: Target | undefined = key === undefined ? findProviderKey(name, declared) : { path: key.path, key };
    if (target !== undefined) {
      const { path, provider } = target;
      const entry = take(name, text, path, target.key, problems);
      if (entry !== undefined) layer.set(path, entry);
      if (provider !== undefined && !declared.has(provider.name))
        layer.set(`providers.${provider.name}.provider_type`, { value: provider.type, origin: `env:${name}` });
    } else if (!takeType(name, text, declared, layer, problems)) {
      const meant = nearestVariable(name, [...byVariable().keys(), ...reservedVariables, ...providerVariables(declared)]);
      warnings.push(`unknown variable ${name}${didYouMean(meant)}`);
    }
  }
  const all = new Map([...declared, ...declaredTypes(layer)]);
  return { layer, vendor: readVendor(env, all, problems), problems, warnings };
}

/** `LLMSPELL_PROVIDERS_<NAME>_<KEY>`; of several readings the longest key wins. */
function findProviderKey(variable: string, declared: ProviderTypes): Target | undefined {
  let best: Target | undefined;
  for (const [name, type] of knownProviders(declared)) {
    for (const key of keysOfType(type).values()) {
      const path = `providers.${name}.${key.path}`;
      if (variableOf(path) !== variable || (best !== undefined && key.path.length <= best.key.path.length)) continue;
      best = { path, key, provider: { name, type } };
    }
  }
  return best;
}

/**
 * `LLMSPELL_PROVIDERS_<NAME>_PROVIDER_TYPE` may repeat the type of a provider, which declares it, but not change it: its keys depend on the type.
 * @returns whether the variable is one of these
 */
function takeType(variable: string, text: string, declared: ProviderTypes, layer: Map<string, Entry>, problems: Problem[]): boolean {
  const found = [...knownProviders(declared)].find(([name]) => variableOf(`providers.${name}.provider_type`) === variable);
  if (found === undefined) return false;
  const [name, type] = found;
  const path = `providers.${name}.provider_type`;
  const got = showGot(path, text);
  if (text.trim().toLowerCase() === type) layer.set(path, { value: type, origin: `env:${variable}` });
  else {
    const message = `expected ${type}, got ${got}: a variable cannot change the type of a provider`;
    problems.push({ code: "env-value", path, where: variable, message, expected: type, got });
  }
  return true;
}

function knownProviders(declared: ProviderTypes): ProviderTypes {
  return new Map([...namedProviders.map((name) => [name, name] as const), ...declared]);
}

function providerVariables(declared: ProviderTypes): readonly string[] {
  const variablesOf = ([name, type]: readonly [string, ProviderType]): readonly string[] =>
    [...keysOfType(type).keys()].map((path) => variableOf(`providers.${name}.${path}`));
  return [...knownProviders(declared)].flatMap(variablesOf);
}

/** Compares without the common beginning: then more names are short enough to compare. */
function nearestVariable(variable: string, all: readonly string[]): string | undefined {
  const ending = (name: string): string => name.slice("LLMSPELL_".length).toUpperCase();
  const meant = nearest(ending(variable), all.map(ending));
  return meant === undefined ? undefined : `LLMSPELL_${meant}`;
}

function take(variable: string, text: string, path: string, key: ConfigKey, problems: Problem[]): Entry | undefined {
  const value = checkValue(key, parseText(key, text));
  if (value !== undefined) return { value, origin: `env:${variable}` };
  const expected = key.type === "boolean" ? "true, false, 1, 0, yes, no, on or off" : describeValues(key);
  const got = showGot(path, text);
  problems.push({ code: "env-value", path, where: variable, message: `expected ${expected}, got ${got}`, expected, got });
  return undefined;
}

/** The text of a variable, or of a command line, as a value of the key's type; a text of another form stays a text, which the key refuses. */
export function parseText({ type }: ConfigKey, text: string): unknown {
  const word = text.trim().toLowerCase();
  switch (type) {
    case "boolean":
      return /^(true|1|yes|on)$/.test(word) ? true : /^(false|0|no|off)$/.test(word) ? false : text;
    case "integer":
    case "number":
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(word) ? Number(word) : text;
    case "list":
      return text.split(",").flatMap((part) => part.trim() || []);
    case "text":
      return text;
  }
}

function readVendor(env: Environment, declared: ProviderTypes, problems: Problem[]): Layer {
  const layer = new Map<string, Entry>();
  const device = deviceVariables.find((name) => (env[name] ?? "") !== "");
  const deviceKey = keysOfType("candle").get("device");
  if (device !== undefined && deviceKey !== undefined) {
    // A wrong device is an error even without such a provider: the person who set it expects an effect.
    const entry = take(device, env[device] ?? "", "providers.candle.device", deviceKey, problems);
    for (const [name, type] of declared)
      if (keysOfType(type).has("device") && entry !== undefined) layer.set(`providers.${name}.device`, entry);
  }
  for (const [variable, path] of Object.entries(vendorVariables)) {
    const [section, name = "", own = ""] = path.split(".");
    const type = section === "providers" ? declared.get(name) : undefined;
    const key = type === undefined ? keysByPath().get(path) : keysOfType(type).get(own);
    const text = env[variable] ?? "";
    if (text === "" || key === undefined) continue;
    const entry = take(variable, variable === "OLLAMA_HOST" ? ollamaAddress(text) : text, path, key, problems);
    if (entry !== undefined) layer.set(path, entry);
  }
  return layer;
}

/** `host`, `host:port` or an address, as Ollama's own client reads it; a server that listens everywhere is asked on this machine. */
export function ollamaAddress(text: string): string {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text.trim()) ? text.trim() : `http://${text.trim().replace(/^:/, "127.0.0.1:")}`;
  if (!URL.canParse(full)) return text;
  const url = new URL(full);
  if (url.hostname === "0.0.0.0" || url.hostname === "[::]") url.hostname = "127.0.0.1";
  const hasPort = url.port !== "" || /:(80|443)\/?$/.test(full);
  if (!hasPort && url.protocol === "http:" && !/^[a-z]+:\/\//i.test(text)) url.port = "11434";
  return url.href.replace(/\/$/, "");
}
