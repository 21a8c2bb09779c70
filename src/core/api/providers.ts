/**
 * The road from a name to a backend: a name is parsed once, at the door, and routed by what is declared. Backends of declared providers are made here,
 * each with its first use.
 */
import type { Backend, BackendHost, NotFound } from "../backends/backend.ts";
import { type BackendType, backendTypes } from "../backends/types.ts";
import { nearestName, unknownModel } from "../backends/unknown-model.ts";
import { isProfile } from "../config/profiles.ts";
import { providerNames, providerOf, providerOfType } from "../config/providers.ts";
import { SpellError } from "../errors.ts";
import { type ModelSpec, type NameSpec, parseModelSpec, printModelSpec } from "../spec/model-spec.ts";

/** A model spec with the backend that answers for it; the spec names none any more. */
export interface Route {
  readonly backend: Backend;
  readonly spec: ModelSpec;
}

/** A provider of a type that runs here, or a type of which none is declared. */
export interface Selected {
  readonly type: BackendType["type"];
  readonly provider: string | undefined;
}

export interface Providers {
  /** @throws SpellError spec-syntax, spec-host */
  parse(text: string, allowHosts?: readonly string[] | "any"): ModelSpec;
  /** @throws SpellError backend-unknown, backend-not-configured, model-unknown, usage-not-available, usage-no-model */
  route(spec: ModelSpec | undefined): Promise<Route>;
  /** The backend that opens files. @throws SpellError backend-not-configured */
  forFiles(): Promise<Backend>;
  /** Providers that a question is for: of a type or name, or of every type that runs here. @throws SpellError backend-unknown */
  select(word: string | undefined): readonly Selected[];
  /** Every type that runs here, with its usual provider where one is declared. */
  readonly types: readonly Selected[];
  backend(provider: string): Promise<Backend>;
  isDeclared(provider: string): boolean;
  /** Where a guess led nowhere, the error also names the nearest model of the catalogue. */
  explain(error: unknown, route: Route): Promise<unknown>;
}

const runnable = backendTypes.filter(({ create }) => create !== undefined);

export function createProviders(host: Omit<BackendHost, "isDeclared" | "parse">): Providers {
  const { config, source, origins } = host.config;
  const file = source.startsWith("file:") ? source.slice("file:".length) : "llmspell.toml";
  const backends = new Map<string, Promise<Backend>>();
  const declared = providerNames(config);
  const words = [...new Set([...backendTypes.flatMap((type) => type.words), ...declared])].map((word) => word.toLowerCase());
  const typeOf = (name: string): BackendType | undefined =>
    backendTypes.find(({ type }) => type === providerOf(config, name)?.provider_type);
  /** Words of those that do not open files: their models are named by a server. */
  const isServer = (type: BackendType | undefined): boolean => type !== undefined && !type.takes.includes("path");
  const servers = [...backendTypes.filter(isServer).flatMap((type) => type.words), ...declared.filter((name) => isServer(typeOf(name)))];
  const parse = (text: string, allowHosts?: readonly string[] | "any"): ModelSpec => {
    const owners = providerOfType(config, "candle") === undefined ? providerOfType(config, "ollama") : undefined;
    const allowed = allowHosts === "any" ? allowHosts : [...config.models.allow_hosts, ...(allowHosts ?? [])];
    return parseModelSpec(text, { providers: words, servers, owners, allowHosts: allowed });
  };
  const usual = ({ type }: BackendType): string | undefined => providerOfType(config, type);

  const isDeclared = (name: string): boolean =>
    [...origins].some(([path, origin]) => path.startsWith(`providers.${name}.`) && origin !== "default");

  const backend = (name: string): Promise<Backend> => {
    const create = typeOf(name)?.create;
    if (create === undefined) throw new Error(`provider ${name} does not run here`);
    const made = backends.get(name) ?? create({ ...host, isDeclared, parse }, name);
    backends.set(name, made);
    return made;
  };

  /** A provider by its name, or by the word of a type. */
  const named = (word: string, spec: ModelSpec): Promise<Backend> => {
    const type = backendTypes.find((each) => each.words.includes(word));
    const name = providerOf(config, word) !== undefined ? word : type && usual(type);
    if (name !== undefined) return ready(name, spec);
    if (type === undefined || !isProfile(type.profile)) throw unknownBackend(word);
    throw notConfigured(type, file);
  };
  const ready = (name: string, spec: ModelSpec): Promise<Backend> => {
    const type = typeOf(name);
    if (type?.create === undefined) throw notYet(name, type?.type ?? "unknown", spec);
    return backend(name);
  };
  const unknownBackend = (word: string): SpellError => {
    const others = declared.filter((name) => !words.slice(0, words.length - declared.length).includes(name));
    return new SpellError("backend-unknown", `Backend '${word.slice(0, 60)}' not configured and no matching builtin profile found.`, {
      where: word.slice(0, 60),
      hint: `Available: ${["ollama", "candle (alias local)", ...others].join(", ")}. Format: model:variant@backend`,
      actions: [{ kind: "available" }],
    });
  };

  /** The usual provider of the first type that takes this kind of source; the type that names the kind first stands before the others. */
  const takerOf = (kind: BackendType["takes"][number]): string => {
    const takers = runnable
      .filter(({ takes }) => takes.includes(kind))
      .sort((a, b) => Number(b.takes[0] === kind) - Number(a.takes[0] === kind));
    const name = takers.map(usual).find((each) => each !== undefined);
    if (name !== undefined) return name;
    throw notConfigured(takers.at(-1) ?? (runnable[0] as BackendType), file);
  };

  const routeName = async (spec: NameSpec): Promise<Backend> => {
    const usuals = runnable.flatMap((type) => usual(type) ?? []);
    if (usuals.length === 0) throw notConfigured(runnable[0] as BackendType, file);
    for (const name of usuals) if ((await (await backend(name)).claims(spec, "known")) === true) return backend(name);
    const first = config.providers.default_provider;
    if (first !== undefined && providerOf(config, first) !== undefined) {
      const own = await ready(first, spec);
      if ((await own.claims(spec, "default")) === true) return own;
      throw unknownModel(spec.name, await host.catalogue());
    }
    let asked: NotFound | undefined;
    for (const name of usuals) {
      const claim = await (await backend(name)).claims(spec, "guess");
      if (claim === true) return backend(name);
      if (claim !== false) asked = claim;
    }
    throw unknownModel(spec.name, await host.catalogue(), asked);
  };

  /** The model that is used where none is named: of the default provider, else of the first type that has one. */
  const defaultRoute = (): ModelSpec => {
    for (const name of [config.providers.default_provider, ...runnable.map(usual)]) {
      const model = name === undefined ? undefined : providerOf(config, name)?.default_model;
      if (name === undefined || model === undefined) continue;
      // servers name their models freely
      return { ...parse(isServer(typeOf(name)) && !model.includes("@") ? `${model}@${name}` : model), backend: name };
    }
    const hasOwn = providerOfType(config, "candle") !== undefined;
    throw new SpellError("usage-no-model", "no model was named, and the configuration has no default model", {
      hint: `Name a model, or set default_model of a provider. The bundled model runs right away${hasOwn ? "" : ", under another configuration"}:`,
      actions: [{ kind: "run", model: "tiny-stories", profile: hasOwn ? undefined : "candle" }],
    });
  };
  const types = runnable.map((type) => ({ type: type.type, provider: usual(type), words: type.words }));

  return {
    parse,
    async route(given) {
      const { backend: word, ...spec } = given ?? defaultRoute();
      if (word !== undefined) return { backend: await named(word, spec), spec };
      return { backend: await (spec.kind === "name" ? routeName(spec) : backend(takerOf(spec.kind))), spec };
    },
    forFiles: async () => backend(takerOf("file")),
    select(asked) {
      const word = asked?.toLowerCase();
      if (word === undefined || word === "all") return types.filter(({ provider }) => provider !== undefined);
      const type = typeOf(word);
      if (type?.create !== undefined) return [{ type: type.type, provider: word }];
      const found = types.find(({ words: own }) => own.includes(word));
      if (found === undefined) throw unknownBackend(word);
      return [found];
    },
    types,
    backend,
    isDeclared,
    async explain(error, { backend: { name }, spec }) {
      const isGuess = spec.kind === "name" && error instanceof SpellError;
      if (!isGuess || (error.code !== "ollama-unreachable" && error.code !== "model-not-installed")) return error;
      const catalogue = await host.catalogue();
      const close = nearestName(spec.name, catalogue);
      if (close === undefined || close.toLowerCase() === spec.name.toLowerCase()) return error;
      return error.with({
        hint: `Did you mean ${close}? ${error.hint}`,
        actions: [{ kind: "pull", model: `${close}@${providerOfType(config, "candle") ?? name}` }, ...error.actions],
      });
    },
  };
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

function notYet(name: string, type: string, spec: ModelSpec): SpellError {
  const message = `provider '${name}' (${type}) is declared, but ${type} providers come with a later release; ${printModelSpec(spec)} was not asked`;
  return new SpellError("usage-not-available", message, {
    where: name,
    hint: "Models on this machine run already:",
    actions: [{ kind: "run", model: "tiny-stories", profile: "candle" }],
  });
}
