/** Names of providers and models, by what a configuration declares: what they mean, before any backend is made. */
import { type BackendType, backendTypes } from "../backends/types.ts";
import { providerNames, providerOf, providerOfType } from "../config/providers.ts";
import type { ResolvedConfig } from "../config/resolve.ts";
import { SpellError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { type ModelSpec, parseModelSpec } from "../spec/model-spec.ts";

export interface Names {
  /** @throws SpellError spec-syntax, spec-host */
  parse(text: string, allowHosts?: readonly string[] | "any"): ModelSpec;
  /** A model of a provider, whatever its host: it is not asked here. Servers name theirs freely. @throws SpellError spec-syntax */
  parseFor(provider: string, model: string): ModelSpec;
  /** The model that is used where none is named: default_model, else that of the default provider, else of the first type that has one. @throws SpellError usage-no-model */
  defaultSpec(): ModelSpec;
  typeOf(provider: string): BackendType | undefined;
  /** Whether it speaks to a server: its models are named there, and the server chooses the device. */
  isServer(provider: string): boolean;
  /** Whether that server is a service elsewhere. */
  isRemote(provider: string): boolean;
  /** The usual provider of a type. */
  usual(type: BackendType): string | undefined;
  /**
   * A declared provider, by its name or by the word of its type.
   * @throws SpellError backend-unknown, backend-not-configured
   */
  provider(word: string): string;
  unknownBackend(word: string): SpellError;
  notConfigured(type: BackendType): SpellError;
}

/** @param ownOrigin may be asked as an allowed host may */
export function createNames({ config, source, origins }: Pick<ResolvedConfig, "config" | "source" | "origins">, ownOrigin?: string): Names {
  const file = source.startsWith("file:") ? source.slice("file:".length) : "llmspell.toml";
  const declared = providerNames(config);
  const words = [...new Set([...backendTypes.flatMap((type) => type.words), ...declared])].map((word) => word.toLowerCase());
  const typeOf = (name: string): BackendType | undefined =>
    backendTypes.find(({ type }) => type === providerOf(config, name)?.provider_type);
  /** Words of those that do not open files: their models are named by a server. */
  const isServer = (type: BackendType | undefined): boolean => type !== undefined && !type.takes.includes("path");
  const wordsOf = (fits: (type: BackendType | undefined) => boolean): readonly string[] => [
    ...backendTypes.filter(fits).flatMap((type) => type.words),
    ...declared.filter((name) => fits(typeOf(name))),
  ];
  const servers = wordsOf((type) => isServer(type) && type?.isRemote === false);
  const services = wordsOf((type) => type?.isRemote === true);
  const isDeclared = (name: string): boolean => (origins.get(`providers.${name}.provider_type`) ?? "default") !== "default";

  const names: Names = {
    parse(text, allowHosts) {
      const owners = providerOfType(config, "candle") === undefined ? providerOfType(config, "ollama") : undefined;
      const allowed = allowHosts === "any" ? allowHosts : config.models.allow_hosts.concat(ownOrigin ?? [], allowHosts ?? []);
      return parseModelSpec(text, { providers: words, servers, services, owners, allowHosts: allowed });
    },
    isServer: (provider) => isServer(typeOf(provider)),
    isRemote: (provider) => typeOf(provider)?.isRemote === true,
    parseFor(provider, model) {
      const isOther = names.isRemote(provider) && !model.startsWith(`${provider}/`);
      const isBare = names.isServer(provider) && !model.includes("@");
      return names.parse(isOther ? `${provider}/${model}` : isBare ? `${model}@${provider}` : model, "any");
    },
    defaultSpec() {
      if (config.default_model !== undefined) return names.parse(config.default_model, "any");
      const usuals = backendTypes.flatMap((type) => names.usual(type) ?? []);
      // what somebody wrote stands before what is there by itself
      const inOrder = [...usuals.filter(isDeclared), ...usuals.filter((name) => !isDeclared(name))];
      for (const name of [config.providers.default_provider, ...inOrder]) {
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
    provider(word) {
      const type = backendTypes.find((each) => each.words.includes(word));
      const name = providerOf(config, word) !== undefined ? word : type && names.usual(type);
      if (name !== undefined) return name;
      if (type === undefined) throw names.unknownBackend(word);
      throw names.notConfigured(type);
    },
    unknownBackend(word) {
      const meant = nearest(word, words);
      const others = declared.filter((name) => !words.slice(0, words.length - declared.length).includes(name));
      return new SpellError("backend-unknown", `Backend '${word.slice(0, 60)}' not configured and no matching builtin profile found.`, {
        where: word.slice(0, 60),
        hint: `${meant === undefined ? "" : `Did you mean ${meant}? `}Available: ${["ollama", "candle (alias local)", ...others].join(", ")}. Format: model:variant@backend`,
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
