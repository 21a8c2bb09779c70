/** Names of providers and models, by what a configuration declares: what they mean, before any backend is made. */
import { type BackendType, backendTypes } from "../backends/types.ts";
import { isProfile } from "../config/profiles.ts";
import { providerNames, providerOf, providerOfType } from "../config/providers.ts";
import type { ResolvedConfig } from "../config/resolve.ts";
import { SpellError } from "../errors.ts";
import { type ModelSpec, parseModelSpec, printModelSpec } from "../spec/model-spec.ts";

export interface Names {
  /** @throws SpellError spec-syntax, spec-host */
  parse(text: string, allowHosts?: readonly string[] | "any"): ModelSpec;
  /** A model of a provider; servers name theirs freely. @throws SpellError spec-syntax, spec-host */
  parseFor(provider: string, model: string): ModelSpec;
  /** The model that is used where none is named: default_model, else that of the default provider, else of the first type that has one. @throws SpellError usage-no-model */
  defaultSpec(): ModelSpec;
  typeOf(provider: string): BackendType | undefined;
  /** Whether it speaks to a server: its models are named there, and the server chooses the device. */
  isServer(provider: string): boolean;
  /** The usual provider of a type. */
  usual(type: BackendType): string | undefined;
  /**
   * A provider that runs here, by its name or by the word of its type.
   * @param spec what is asked of it
   * @throws SpellError backend-unknown, backend-not-configured, usage-not-available
   */
  provider(word: string, spec: ModelSpec | undefined): string;
  /** @returns the name of a declared provider. @throws SpellError usage-not-available */
  ready(name: string, spec: ModelSpec | undefined): string;
  unknownBackend(word: string): SpellError;
  notConfigured(type: BackendType): SpellError;
}

/** Types whose providers run here. */
export const runnable: readonly BackendType[] = backendTypes.filter(({ create }) => create !== undefined);

export function createNames({ config, source }: Pick<ResolvedConfig, "config" | "source">): Names {
  const file = source.startsWith("file:") ? source.slice("file:".length) : "llmspell.toml";
  const declared = providerNames(config);
  const words = [...new Set([...backendTypes.flatMap((type) => type.words), ...declared])].map((word) => word.toLowerCase());
  const typeOf = (name: string): BackendType | undefined =>
    backendTypes.find(({ type }) => type === providerOf(config, name)?.provider_type);
  /** Words of those that do not open files: their models are named by a server. */
  const isServer = (type: BackendType | undefined): boolean => type !== undefined && !type.takes.includes("path");
  const servers = [...backendTypes.filter(isServer).flatMap((type) => type.words), ...declared.filter((name) => isServer(typeOf(name)))];

  const names: Names = {
    parse(text, allowHosts) {
      const owners = providerOfType(config, "candle") === undefined ? providerOfType(config, "ollama") : undefined;
      const allowed = allowHosts === "any" ? allowHosts : [...config.models.allow_hosts, ...(allowHosts ?? [])];
      return parseModelSpec(text, { providers: words, servers, owners, allowHosts: allowed });
    },
    isServer: (provider) => isServer(typeOf(provider)),
    parseFor: (provider, model) => names.parse(names.isServer(provider) && !model.includes("@") ? `${model}@${provider}` : model),
    defaultSpec() {
      if (config.default_model !== undefined) return names.parse(config.default_model, "any");
      for (const name of [config.providers.default_provider, ...runnable.map(names.usual)]) {
        const model = name === undefined ? undefined : providerOf(config, name)?.default_model;
        if (name !== undefined && model !== undefined) return { ...names.parseFor(name, model), backend: name };
      }
      const hasOwn = providerOfType(config, "candle") !== undefined;
      throw new SpellError("usage-no-model", "no model was named, and the configuration has no default model", {
        hint: `Name a model, or set default_model. The bundled model runs right away${hasOwn ? "" : ", under another configuration"}:`,
        actions: [{ kind: "run", model: "tiny-stories", profile: hasOwn ? undefined : "candle" }],
      });
    },
    typeOf,
    usual: ({ type }) => providerOfType(config, type),
    provider(word, spec) {
      const type = backendTypes.find((each) => each.words.includes(word));
      const name = providerOf(config, word) !== undefined ? word : type && names.usual(type);
      if (name !== undefined) return names.ready(name, spec);
      if (type === undefined || !isProfile(type.profile)) throw names.unknownBackend(word);
      throw names.notConfigured(type);
    },
    ready(name, spec) {
      const type = typeOf(name);
      if (type?.create === undefined) throw notYet(name, type?.type ?? "unknown", spec);
      return name;
    },
    unknownBackend(word) {
      const others = declared.filter((name) => !words.slice(0, words.length - declared.length).includes(name));
      return new SpellError("backend-unknown", `Backend '${word.slice(0, 60)}' not configured and no matching builtin profile found.`, {
        where: word.slice(0, 60),
        hint: `Available: ${["ollama", "candle (alias local)", ...others].join(", ")}. Format: model:variant@backend`,
        actions: [{ kind: "available" }],
      });
    },
    notConfigured: (type) => notConfigured(type, file),
  };
  return names;
}

/** Both ways out: a profile for this call, or two lines for every call. @param file where a provider can be declared */
function notConfigured({ type, profile }: BackendType, file: string): SpellError {
  return new SpellError(
    "backend-not-configured",
    `Backend '${type}' not configured. To use ${type} models:\n  1. use the builtin profile '${profile}' (the command below)\n  2. or configure it in ${file}:\n       [providers.${type}]\n       provider_type = "${type}"`,
    {
      where: type,
      hint: `With the profile '${profile}':`,
      actions: [{ kind: "use-profile", profile }],
      details: { backend: type, profile },
    },
  );
}

function notYet(name: string, type: string, spec: ModelSpec | undefined): SpellError {
  const asked = spec === undefined ? "" : `; ${printModelSpec(spec)} was not asked`;
  const message = `provider '${name}' (${type}) is declared, but ${type} providers come with a later release${asked}`;
  return new SpellError("usage-not-available", message, {
    where: name,
    hint: "Models on this machine run already:",
    actions: [{ kind: "run", model: "tiny-stories", profile: "candle" }],
  });
}
