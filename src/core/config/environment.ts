/** Environment variables to a layer: one systematic name for each key, and the short names that other programs use too. */
import { nearest } from "../nearest.ts";
import type { Environment } from "../platform.ts";
import type { ConfigKey } from "./key.ts";
import { allKeys, isSecret, keyAt, keysOfType, mask, type ProviderType, reservedVariables, systematicNames } from "./keys.ts";
import { declaredTypes, type Entry, type Layer } from "./layer.ts";
import type { Problem } from "./problem.ts";
import { checkValue, describeValues, showGot } from "./value.ts";

/** Providers that a variable may declare by itself. */
const namedProviders: readonly ProviderType[] = ["candle", "ollama", "openai", "anthropic"];

/** `rag.enabled` to `LLMSPELL_RAG_ENABLED`. */
export function variableOf(path: string): string {
  return `LLMSPELL_${path.toUpperCase().replace(/[.-]/g, "_")}`;
}

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
export function readEnvironment(env: Environment, declared: ReadonlyMap<string, ProviderType>): EnvironmentResult {
  const layer = new Map<string, Entry>();
  const problems: Problem[] = [];
  const warnings: string[] = [];
  const names = [...systematicNames(env)];
  // usually nobody sets any, and a start should not pay for names that nobody asks for
  const byVariable = new Map<string, ConfigKey>(names.length === 0 ? [] : allKeys().map((key) => [variableOf(key.path), key]));
  for (const name of names.sort()) {
    const text = env[name] ?? "";
    const key = byVariable.get(name);
    const target: Target | undefined = key === undefined ? findProviderKey(name, declared) : { path: key.path, key };
    if (target === undefined && takeType(name, text, declared, layer, problems)) continue;
    if (target === undefined) {
      const meant = nearestVariable(name, [...byVariable.keys(), ...reservedVariables, ...providerVariables(declared)]);
      warnings.push(`${name} is no variable of llmspell${meant === undefined ? "" : `; did you mean ${meant}?`}`);
      continue;
    }
    const origin = `env:${name}`;
    const entry = take(name, text, target, problems);
    if (entry !== undefined) layer.set(target.path, entry);
    if (target.provider !== undefined && !declared.has(target.provider.name))
      layer.set(`providers.${target.provider.name}.provider_type`, { value: target.provider.type, origin });
  }
  const all = new Map([...declared, ...declaredTypes(layer)]);
  return { layer, vendor: readVendor(env, all, problems), problems, warnings };
}

/** `LLMSPELL_PROVIDERS_<NAME>_<KEY>`; of several readings the longest key wins. */
function findProviderKey(variable: string, declared: ReadonlyMap<string, ProviderType>): Target | undefined {
  let best: Target | undefined;
  for (const [name, type] of knownProviders(declared)) {
    const prefix = variableOf(`providers.${name}.`);
    if (!variable.startsWith(prefix)) continue;
    const rest = variable.slice(prefix.length);
    for (const key of keysOfType(type).values()) {
      if (key.path.toUpperCase().replaceAll(".", "_") !== rest) continue;
      if (best === undefined || key.path.length > best.key.path.length)
        best = { path: `providers.${name}.${key.path}`, key, provider: { name, type } };
    }
  }
  return best;
}

/**
 * `LLMSPELL_PROVIDERS_<NAME>_PROVIDER_TYPE` may repeat what a provider is, and so declare it, but not change it: its keys hang on that.
 * @returns whether the variable is one of these
 */
function takeType(
  variable: string,
  text: string,
  declared: ReadonlyMap<string, ProviderType>,
  layer: Map<string, Entry>,
  problems: Problem[],
): boolean {
  const found = [...knownProviders(declared)].find(([name]) => variableOf(`providers.${name}.provider_type`) === variable);
  if (found === undefined) return false;
  const [name, type] = found;
  const path = `providers.${name}.provider_type`;
  if (text.trim().toLowerCase() === type) layer.set(path, { value: type, origin: `env:${variable}` });
  else
    problems.push({
      code: "env-value",
      path,
      where: variable,
      message: `wanted ${type}, which a variable cannot change, because the keys of a provider hang on it; got ${showGot(path, text)}`,
      expected: type,
      got: showGot(path, text),
    });
  return true;
}

function knownProviders(declared: ReadonlyMap<string, ProviderType>): ReadonlyMap<string, ProviderType> {
  return new Map([...namedProviders.map((name) => [name, name] as const), ...declared]);
}

function providerVariables(declared: ReadonlyMap<string, ProviderType>): readonly string[] {
  return [...knownProviders(declared)].flatMap(([name, type]) =>
    [...keysOfType(type).keys()].map((path) => variableOf(`providers.${name}.${path}`)),
  );
}

/** Their beginning is the same; left out, more of them are short enough to compare. */
function nearestVariable(variable: string, all: readonly string[]): string | undefined {
  const meant = nearest(
    variable.slice("LLMSPELL_".length).toUpperCase(),
    all.map((name) => name.slice("LLMSPELL_".length)),
  );
  return meant === undefined ? undefined : `LLMSPELL_${meant}`;
}

function take(variable: string, text: string, { path, key }: Target, problems: Problem[]): Entry | undefined {
  const result = checkValue(key, parseText(key, text));
  if ("value" in result) return { value: result.value, origin: `env:${variable}` };
  const got = isSecret(path) ? mask : showGot(path, text);
  problems.push({
    code: "env-value",
    path,
    where: variable,
    message: `wanted ${key.type === "boolean" ? "true, false, 1, 0, yes, no, on or off" : result.wanted}; got ${got}`,
    expected: describeValues(key),
    got,
  });
  return undefined;
}

const words: Readonly<Record<string, boolean>> = {
  true: true,
  false: false,
  "1": true,
  "0": false,
  yes: true,
  no: false,
  on: true,
  off: false,
};
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The text of a variable as a value of the key's type; what does not read stays a text and is refused. */
function parseText({ type }: ConfigKey, text: string): unknown {
  switch (type) {
    case "boolean":
      return Object.hasOwn(words, text.trim().toLowerCase()) ? words[text.trim().toLowerCase()] : text;
    case "integer":
    case "number":
      return decimal.test(text.trim()) ? Number(text) : text;
    case "list":
      return text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== "");
    case "text":
      return text;
  }
}

function readVendor(env: Environment, declared: ReadonlyMap<string, ProviderType>, problems: Problem[]): Layer {
  const layer = new Map<string, Entry>();
  const set = (variable: string, path: string, key: ConfigKey | undefined, text = env[variable] ?? ""): void => {
    if (text === "" || key === undefined) return;
    const entry = take(variable, text, { path, key }, problems);
    if (entry !== undefined) layer.set(path, entry);
  };
  const setOfProvider = (variable: string, name: string, own: string, text = env[variable] ?? ""): void => {
    const type = declared.get(name);
    if (type !== undefined) set(variable, `providers.${name}.${own}`, keysOfType(type).get(own), text);
  };
  // A wrong device is told even where nobody computes: whoever set it expects an effect.
  const device = ["LLMSPELL_DEVICE", "CANDLE_DEVICE"].find((name) => (env[name] ?? "") !== "");
  if (device !== undefined) {
    const key = keysOfType("candle").get("device");
    set(device, "providers.candle.device", key);
    const entry = layer.get("providers.candle.device");
    layer.delete("providers.candle.device");
    for (const [name, type] of declared) if (type === "candle" && entry !== undefined) layer.set(`providers.${name}.device`, entry);
  }
  setOfProvider("OPENAI_API_KEY", "openai", "api_key");
  setOfProvider("ANTHROPIC_API_KEY", "anthropic", "api_key");
  if ((env["OLLAMA_HOST"] ?? "") !== "") setOfProvider("OLLAMA_HOST", "ollama", "base_url", ollamaAddress(env["OLLAMA_HOST"] ?? ""));
  set("HF_ENDPOINT", "models.hf_endpoint", keyAt("models.hf_endpoint"));
  set("HF_HUB_OFFLINE", "models.offline", keyAt("models.offline"));
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
