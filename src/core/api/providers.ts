/**
 * The road from a name to a backend: a name is parsed once, at the door, and routed by what is declared. Backends of declared providers are made here,
 * each with its first use.
 */
import type { Backend, BackendHost, NotFound } from "../backends/backend.ts";
import { type BackendType, backendTypes } from "../backends/types.ts";
import { providerNames, providerOf, providerOfType } from "../config/providers.ts";
import { SpellError } from "../errors.ts";
import type { ModelSpec, NameSpec } from "../spec/model-spec.ts";
import { wrongOption } from "../text/check-call.ts";
import { createNames } from "./names.ts";

/** A model spec with the backend that answers for it; the spec names none any more. */
export interface Route {
  readonly backend: Backend;
  readonly spec: ModelSpec;
  /** The name said which backend; else it may be no model at all. */
  readonly isNamed: boolean;
}

/** A provider, or a type of which none is declared. */
export interface Selected {
  readonly type: BackendType["type"];
  readonly provider: string | undefined;
}

export interface Providers {
  /** @throws SpellError spec-syntax, spec-host */
  parse(text: string, allowHosts?: readonly string[] | "any"): ModelSpec;
  /** @throws SpellError backend-unknown, backend-not-configured, model-unknown, usage-no-model */
  route(spec: ModelSpec | undefined): Promise<Route>;
  /** The backend that opens files. @throws SpellError backend-not-configured */
  forFiles(): Promise<Backend>;
  /** Providers that a question is for: of a type or name, or of every type whose models are on this machine or its servers. @throws SpellError backend-unknown */
  select(word: string | undefined): readonly Selected[];
  /** Every such type, with its usual provider where one is declared. */
  readonly types: readonly Selected[];
  /** Declared services elsewhere. */
  readonly services: readonly string[];
  backend(provider: string): Promise<Backend>;
  isDeclared(provider: string): boolean;
  /** Where a guess led nowhere, the error also names the nearest model of the catalogue. */
  explain(error: unknown, route: Route): Promise<unknown>;
}

export function createProviders(host: Omit<BackendHost, "isDeclared" | "parse">): Providers {
  const { config, origins } = host.config;
  const names = createNames(host.config, host.platform.ownOrigin);
  const { parse, typeOf, usual } = names;
  const backends = new Map<string, Promise<Backend>>();
  const local = backendTypes.filter(({ isRemote }) => !isRemote);
  const isDeclared = (name: string): boolean =>
    [...origins].some(([path, origin]) => path.startsWith(`providers.${name}.`) && origin !== "default");
  /** Somebody wrote that it is there; a variable may set a key of one that is there by itself. */
  const isWritten = (name: string): boolean => origins.get(`providers.${name}.provider_type`) !== "default";

  const backend = (name: string): Promise<Backend> => {
    const type = typeOf(name);
    if (type === undefined) throw new Error(`provider ${name} is not declared`);
    const made = backends.get(name) ?? type.create({ ...host, isDeclared, parse }, name);
    backends.set(name, made);
    return made;
  };

  /** The usual provider of the first type that takes this kind of source; the type that names the kind first stands before the others. */
  const takerOf = (kind: BackendType["takes"][number]): string => {
    const takers = backendTypes
      .filter(({ takes }) => takes.includes(kind))
      .sort((a, b) => Number(b.takes[0] === kind) - Number(a.takes[0] === kind));
    const name = takers.map(usual).find((each) => each !== undefined);
    if (name !== undefined) return name;
    throw names.notConfigured(takers.at(-1) ?? (backendTypes[0] as BackendType));
  };

  const unknown = async (name: string, asked?: NotFound): Promise<SpellError> =>
    (await import("../backends/unknown-model.ts")).unknownModel(name, await host.catalogue(), asked);

  const routeName = async (spec: NameSpec): Promise<Backend> => {
    const usuals = local.flatMap((type) => usual(type) ?? []);
    const first = config.providers.default_provider;
    const hasFirst = first !== undefined && providerOf(config, first) !== undefined;
    if (usuals.length === 0 && !hasFirst) throw names.notConfigured(backendTypes[0] as BackendType);
    for (const name of usuals) {
      // one that nobody declared gives way to those that somebody did
      const how = !isWritten(name) && usuals.some(isWritten) ? "sure" : "known";
      if ((await (await backend(name)).claims(spec, how)) === true) return backend(name);
    }
    if (hasFirst) {
      // what is said to a model of the package is meant for this machine
      if (names.isRemote(first) && (await import("../backends/candle/bundled.ts")).bundledModels.has(spec.name.toLowerCase()))
        throw names.notConfigured(backendTypes[0] as BackendType);
      const asked = await backend(first);
      if ((await asked.claims(spec, "default")) === true) return asked;
      throw await unknown(spec.name);
    }
    let asked: NotFound | undefined;
    for (const name of usuals) {
      const claim = await (await backend(name)).claims(spec, "guess");
      if (claim === true) return backend(name);
      if (claim !== false) asked = claim;
    }
    throw await unknown(spec.name, asked);
  };

  const selected = (type: BackendType) => ({ type: type.type, provider: usual(type), words: type.words });
  const types = local.map(selected);

  return {
    parse,
    async route(given) {
      const { backend: word, ...spec } = given ?? names.defaultSpec();
      if (word !== undefined) return { backend: await backend(names.provider(word)), spec, isNamed: true };
      return { backend: await (spec.kind === "name" ? routeName(spec) : backend(takerOf(spec.kind))), spec, isNamed: false };
    },
    forFiles: async () => backend(takerOf("file")),
    select(asked) {
      if (asked !== undefined && typeof asked !== "string") throw wrongOption("backend", "the type or the name of a provider", asked);
      const word = asked?.toLowerCase();
      if (word === undefined || word === "all") return types.filter(({ provider }) => provider !== undefined);
      const type = typeOf(word);
      if (type !== undefined) return [{ type: type.type, provider: word }];
      const found = backendTypes.find(({ words: own }) => own.includes(word));
      if (found === undefined) throw names.unknownBackend(word);
      return [selected(found)];
    },
    types,
    services: providerNames(config).filter(names.isRemote),
    backend,
    isDeclared,
    async explain(given, { spec, isNamed }) {
      const isGuess = spec.kind === "name" && given instanceof SpellError;
      if (!isGuess || (given.code !== "ollama-unreachable" && given.code !== "model-not-installed")) return given;
      const isAsked = given.code === "ollama-unreachable" && !isNamed;
      const error = isAsked ? given.with({ message: `${spec.name} is not known here, and ${given.message}` }) : given;
      const { nearestNames } = await import("../backends/unknown-model.ts");
      const [close] = providerOfType(config, "candle") === undefined ? [] : nearestNames(spec.name, await host.catalogue());
      if (close === undefined || close.toLowerCase() === spec.name.toLowerCase()) return error;
      return error.with({ hint: `${error.hint} Or did you mean ${close}?`, actions: [{ kind: "run", model: close }, ...error.actions] });
    },
  };
}
