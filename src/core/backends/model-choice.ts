/**
 * Which provider answers for a model: by what is declared, never by whether a server is there. Models in this process and of an Ollama server are here;
 * for every other provider the answer says what it waits for.
 */
import type { Config } from "../config/config.generated.ts";
import { isProfile } from "../config/profiles.ts";
import { providerNames, providerOf, providerOfType } from "../config/providers.ts";
import { SpellError } from "../errors.ts";
import type { LocalBackend } from "../spec/model-settings.ts";
import { parseModelSpec, printModelSpec } from "../spec/model-spec.ts";

export interface ModelChoice {
  /** name of a declared provider of type candle or ollama; absent where the name of the model decides */
  readonly provider?: string | undefined;
  /** what LocalLlm.load takes */
  readonly spec: string;
  /** whom a name belongs to that is in no catalogue */
  readonly preferred?: LocalBackend | undefined;
  /** Called for such a name where it belongs to a provider of a later release. @throws SpellError usage-not-available */
  readonly refuse?: (() => never) | undefined;
}

/** Words that name a backend whether it is declared or not; each has a profile of that name, or stands in one. */
const backendWords: ReadonlyMap<string, { readonly name: string; readonly profile: string }> = new Map([
  ["candle", { name: "candle", profile: "candle" }],
  ["local", { name: "candle", profile: "candle" }],
  ["ollama", { name: "ollama", profile: "ollama" }],
  ["openai", { name: "openai", profile: "providers" }],
  ["anthropic", { name: "anthropic", profile: "providers" }],
]);

/**
 * @param spec undefined: the default model, of providers.default_provider, else of candle, else of ollama
 * @param file where a provider can be declared, for the advice
 * @throws SpellError backend-not-configured, backend-unknown, usage-no-model, usage-not-available, spec-syntax
 */
export function chooseModel(config: Config, spec: string | undefined, file?: string): ModelChoice {
  if (spec === undefined) return defaultModel(config, file);
  const { model, provider } = splitProvider(config, spec);
  if (provider !== undefined) return onProvider(config, declaredName(config, provider), model, file);
  const { kind } = parseModelSpec(model);
  const hasLocal = providerNames(config).some((name) => isLocal(providerOf(config, name)?.provider_type));
  if (kind === "hf" || kind === "url" || kind === "path" || !hasLocal)
    return onProvider(config, providerOfType(config, "candle") ?? "candle", model, file);
  const { default_provider: name } = config.providers;
  const type = name === undefined ? undefined : providerOf(config, name)?.provider_type;
  if (name === undefined || type === undefined) return { spec: model };
  return isLocal(type) ? { spec: model, preferred: type } : { spec: model, refuse: () => notYet(name, type, model) };
}

function isLocal(type: string | undefined): type is LocalBackend {
  return type === "candle" || type === "ollama";
}

/** A provider by its name, or by the word of a backend it stands for. */
function declaredName(config: Config, word: string): string {
  const name = backendWords.get(word)?.name ?? word;
  if (providerOf(config, name) !== undefined || !isLocal(name)) return name;
  return providerOfType(config, name) ?? name;
}

/**
 * @returns the provider of type candle or ollama that a spec names, and the spec for its backend alone; undefined where it names none
 * @throws SpellError spec-syntax
 */
export function splitLocalProvider(
  config: Config,
  spec: string,
): { readonly provider: string; readonly backend: LocalBackend; readonly spec: string } | undefined {
  const { model, provider } = splitProvider(config, spec);
  if (provider === undefined) return undefined;
  const name = declaredName(config, provider);
  const backend = providerOf(config, name)?.provider_type;
  return isLocal(backend) ? { provider: name, backend, spec: printModelSpec({ ...parseModelSpec(model), backend }) } : undefined;
}

/** For a file somebody hands in: only the in-process backend opens files. @throws SpellError backend-not-configured */
export function requireCandle(config: Config, file?: string): string {
  const name = providerOfType(config, "candle") ?? "candle";
  requireProvider(config, name, "./model.gguf", file);
  return name;
}

/** Where neither `-m` nor a file names a model. */
function defaultModel(config: Config, file: string | undefined): ModelChoice {
  const asked = config.providers.default_provider;
  for (const name of [asked, providerOfType(config, "candle"), providerOfType(config, "ollama")]) {
    const provider = name === undefined ? undefined : providerOf(config, name);
    if (name === undefined || provider?.default_model === undefined) continue;
    return onProvider(config, name, provider.default_model, file);
  }
  throw new SpellError("usage-no-model", "no model was named, and the configuration has none", {
    hint: "Name one with -m, or set default_model of a provider. The bundled one runs right away:",
    commands: ['llmspell -p candle generate -m tiny-stories "Once upon a time"'],
  });
}

/** `…@provider` and `provider/…`; paths and addresses are left as they are. */
function splitProvider(config: Config, spec: string): { readonly model: string; readonly provider?: string | undefined } {
  const isPath = /^(\.{1,2}([/\\]|$)|[/~]|[A-Za-z]:[\\/]|\\\\)/.test(spec);
  if (isPath || /^https?:\/\//i.test(spec)) return { model: spec };
  const at = spec.lastIndexOf("@");
  const isKnown = (word: string): boolean => providerOf(config, word) !== undefined || backendWords.has(word);
  // in these forms any other @ is a mistake, which their grammar tells
  if (/^(hf|ollama):/i.test(spec) && !isKnown(spec.slice(at + 1).toLowerCase())) return { model: spec };
  const slash = spec.indexOf("/");
  const prefix = slash > 0 ? spec.slice(0, slash).toLowerCase() : undefined;
  const hasPrefix = prefix !== undefined && isKnown(prefix);
  const model = hasPrefix ? spec.slice(slash + 1) : spec;
  if (at > 0) return { model: model.slice(0, model.lastIndexOf("@")), provider: spec.slice(at + 1).toLowerCase() };
  return hasPrefix ? { model, provider: prefix } : { model };
}

function onProvider(config: Config, name: string, spec: string, file: string | undefined): ModelChoice {
  const type = requireProvider(config, name, spec, file);
  if (!isLocal(type)) return notYet(name, type, spec);
  // A name that is wrong is told before anything is opened; and a path is whatever its characters say.
  const { backend: _, ...parsed } = parseModelSpec(spec);
  return { provider: name, spec: printModelSpec(parsed) };
}

/** @returns its type */
function requireProvider(config: Config, name: string, model: string, file: string | undefined): string {
  const provider = providerOf(config, name);
  if (provider !== undefined) return provider.provider_type;
  const declared = providerNames(config);
  const word = backendWords.get(name);
  if (word === undefined || !isProfile(word.profile)) {
    throw new SpellError("backend-unknown", `Backend '${name.slice(0, 60)}' not configured and no matching builtin profile found.`, {
      where: name.slice(0, 60),
      hint: `Available: ${["ollama", "candle (alias local)", ...declared.filter((other) => !backendWords.has(other))].join(", ")}. Write model:variant@backend.`,
      commands: ["llmspell model available"],
    });
  }
  throw notConfigured(name, word.profile, model, file ?? "llmspell.toml");
}

/**
 * Both ways out: a profile for this command, or two lines for every command.
 * @param file where a provider can be declared
 */
export function notConfigured(
  name: string,
  profile: string,
  model: string,
  file: string,
  command = `generate -m ${model.includes("@") ? model : `${model}@${name}`} "Hello"`,
): SpellError {
  return new SpellError(
    "backend-not-configured",
    `Backend '${name}' not configured. To use ${name} models:\n  1. use the builtin profile '${profile}' (the command below)\n  2. or configure it in ${file}:\n       [providers.${name}]\n       provider_type = "${name}"`,
    {
      where: name,
      hint: `With the profile '${profile}':`,
      commands: [`llmspell -p ${profile} ${command}`],
      details: { backend: name, profile },
    },
  );
}

function notYet(name: string, type: string, model: string): never {
  throw new SpellError(
    "usage-not-available",
    `provider '${name}' (${type}) is declared, but ${type} providers come with a later release; ${model} was not asked`,
    {
      where: name,
      hint: "Models on this machine run already:",
      commands: ['llmspell -p candle generate -m tiny-stories "Once upon a time"'],
    },
  );
}
