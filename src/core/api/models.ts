/** Finding, fetching and looking after models: one implementation for library, command line, pages and scripts. Each question goes to the backend of its name. */
import type { Backend, FileSource, OfferOptions } from "../backends/backend.ts";
import { checkLoadOptions } from "../backends/load-options.ts";
import type {
  AvailableFilter,
  AvailableModel,
  BackendResult,
  BackendStatus,
  InfoOptions,
  LoadedModel,
  ModelInfo,
  ModelRecord,
  PrunedItem,
  PruneOptions,
  PullOffer,
  PullOptions,
  PullResult,
  RemoveResult,
  RunningModel,
  UnloadOptions,
  VerifyOptions,
  VerifyResult,
} from "../backends/models.ts";
import { SpellError } from "../errors.ts";
import type { Platform } from "../platform.ts";
import { type ModelSpec, printModelSpec } from "../spec/model-spec.ts";
import { checkOptionNames } from "../text/check-call.ts";
import type { Pool } from "./pool.ts";
import type { Providers, Route } from "./providers.ts";

/** Models of several backends, and what became of each backend. */
export interface ModelList {
  readonly models: readonly ModelRecord[];
  readonly backends: readonly BackendResult[];
}

export interface Models {
  /** Installed models. A backend that fails is left out and logged. @param backend type or name of a provider; default: all @throws SpellError backend-unknown */
  list(backend?: string): Promise<readonly ModelRecord[]>;
  /** As list(), with what became of each backend. */
  listAll(backend?: string): Promise<ModelList>;
  /** Models that can be pulled; asks no network. @throws SpellError backend-unknown, run-option */
  available(filter?: AvailableFilter): Promise<readonly AvailableModel[]>;
  /**
   * What a pull would do; asks the source. With `looksAhead` also whether the model would run: headers are read at the source, no weights are fetched.
   * @throws SpellError as pull()
   */
  offer(name: string, options?: OfferOptions & { readonly looksAhead?: boolean | undefined }): Promise<PullOffer>;
  /** Fetches a model, however long it takes. @throws SpellError net-*, store-*, model-*, gguf-*, safetensors-*, run-aborted */
  pull(name: string, options?: PullOptions): Promise<PullResult>;
  /** What a model says about itself, and whether it would run here. Nothing is loaded. @throws SpellError model-not-installed, model-unknown */
  info(source: string | URL | FileSource, options?: InfoOptions): Promise<ModelInfo>;
  /** @throws SpellError model-bundled, model-not-installed, store-locked */
  remove(name: string): Promise<RemoveResult>;
  /** Hashes files anew. @param name default: all models of the store and of the package */
  verify(name?: string, options?: VerifyOptions): Promise<readonly VerifyResult[]>;
  /** Deletes unfinished downloads, files that no model uses, and kept states. @throws SpellError run-option, before anything is deleted */
  prune(options?: PruneOptions): Promise<readonly PrunedItem[]>;
  /** Health of each backend, by its type; of services elsewhere, by their names, whether they have a key: only one that is named is asked. @param backend type or name of a provider; default: all @throws SpellError backend-unknown */
  status(backend?: string): Promise<Readonly<Record<string, BackendStatus>>>;
  /** Models that servers hold in memory. One that nothing configures is left out where it fails, and logged. @throws SpellError of the first configured one that fails */
  running(signal?: AbortSignal): Promise<readonly RunningModel[]>;
  /** Whether a name leads to this machine or its Ollama server, not to a service elsewhere. Nothing is asked. @throws SpellError as info() for a name alone */
  isLocal(name: string): Promise<boolean>;
  /** Models that this process holds in memory, and until when. */
  loaded(): readonly LoadedModel[];
  /** Frees loaded models; their holders load them again with the next call. @param model a name, or one of loaded(); default: all @returns how many were loaded */
  unload(model?: string | LoadedModel, options?: UnloadOptions): Promise<number>;
}

const pullOptionNames = ["force", "quantization", "as", "allowHosts", "offline", "signal", "onProgress", "onEvent"];
const offerOptionNames = [...pullOptionNames, "device", "contextSize", "looksAhead"];

/** Only a page that looks after models pays for it. */
const checks = (): Promise<typeof import("./refuse-call.ts")> => import("./refuse-call.ts");

type RouteOptions = Pick<PullOptions, "quantization"> & { readonly allowHosts?: readonly string[] | "any" | undefined };

/** @param road reads the configuration with the first question */
export function createModels(road: () => Promise<Providers>, pool: Pool, platform: Platform): Models {
  const routeOf = async (name: string, { allowHosts, quantization }: RouteOptions = {}): Promise<Route> => {
    if (typeof name !== "string") throw (await checks()).wrongName(name);
    const providers = await road();
    return providers.route(withVariant(providers.parse(name, allowHosts), quantization));
  };
  /** What is here may come from any host. */
  const routeOfStored = (name: string): Promise<Route> => routeOf(name, { allowHosts: "any" });

  const listAll = async (backend?: string): Promise<ModelList> => {
    const [models, backends]: [ModelRecord[], BackendResult[]] = [[], []];
    const providers = await road();
    for (const { type, provider = type } of providers.select(backend)) {
      const about = { backend: type, provider, isDeclared: providers.isDeclared(provider) };
      try {
        // as a name would be routed: a type without a provider says how to declare one
        const { backend: asked } = await providers.route({ kind: "name", name: "any", backend: provider });
        const isUsual = [...providers.types.map((each) => each.provider), ...providers.services].includes(provider);
        const found = await asked.list();
        models.push(...(isUsual ? found : found.map((model) => ({ ...model, id: idAt(model.id, provider, providers) }))));
        backends.push({ ...about, ok: true });
      } catch (error) {
        if (!(error instanceof SpellError)) throw error;
        backends.push({ ...about, ok: false, error });
      }
    }
    return { models, backends };
  };
  const each = async (word?: string): Promise<readonly Backend[]> => {
    const providers = await road();
    return Promise.all(providers.select(word).flatMap(({ provider }) => (provider === undefined ? [] : [providers.backend(provider)])));
  };

  return {
    listAll,
    async list(backend) {
      const { models, backends } = await listAll(backend);
      for (const { error, backend: name } of backends) {
        if (error !== undefined) platform.log({ level: "warn", message: `${name} is left out: ${error.message}` });
      }
      return models;
    },
    async available(filter = {}) {
      (await checks()).checkModelOptions("available", filter);
      return (await Promise.all((await each(filter.backend)).map((backend) => backend.available?.(filter) ?? []))).flat();
    },
    async offer(name, { looksAhead = false, ...options } = {}) {
      checkLoadOptions(options, offerOptionNames, "offer");
      const { backend, spec } = await routeOf(name, options);
      const offer = await need(backend, "offer", spec);
      const found = await offer(spec, options, looksAhead);
      return { ...found, spec: printModelSpec({ ...spec, backend: backend.name }) };
    },
    async pull(name, options = {}) {
      (await checks()).checkModelOptions("pull", options, pullOptionNames);
      const route = await routeOf(name, options);
      const { backend, spec } = route;
      const pull = await need(backend, "pull", spec);
      return pull(spec, options).catch(async (error: unknown) => {
        throw await (await road()).explain(error, route);
      });
    },
    async info(source, options = {}) {
      (await checks()).checkModelOptions("info", options);
      const text = typeof source === "string" ? source : source instanceof URL ? pathOfUrl(source) : undefined;
      if (text === undefined) return (await (await road()).forFiles()).info(source as FileSource, options);
      const { backend, spec } = await (options.remote === true ? routeOf(text) : routeOfStored(text));
      return backend.info(spec, options);
    },
    async remove(name) {
      const { backend, spec } = await routeOfStored(name);
      const remove = await need(backend, "remove", spec);
      const removed = await remove(spec);
      await pool.unload({ provider: backend.name, id: removed.modelId });
      return removed;
    },
    async verify(name, options = {}) {
      (await checks()).checkModelOptions("verify", options);
      if (name === undefined)
        return (await Promise.all((await each()).map((backend) => backend.verify?.(undefined, options) ?? []))).flat();
      const { backend, spec } = await routeOfStored(name);
      const verify = await need(backend, "verify", spec);
      return verify(spec, options);
    },
    async prune(options = {}) {
      (await checks()).checkModelOptions("prune", options);
      return (await Promise.all((await each()).map((backend) => backend.prune?.(options) ?? []))).flat();
    },
    async status(word) {
      const providers = await road();
      const isNamed = word !== undefined && word !== "all";
      const services = providers.services.map((provider) => ({ type: provider, provider }));
      const selected = isNamed ? providers.select(word) : [...providers.types, ...services];
      const all = await Promise.all(
        selected.map(async ({ type, provider }) => {
          const absent: BackendStatus = { configured: false, models: 0, error: "Not configured" };
          return [type, provider === undefined ? absent : await (await providers.backend(provider)).status(isNamed)] as const;
        }),
      );
      return Object.fromEntries(all);
    },
    running: async (signal) => (await Promise.all((await each()).map((backend) => backend.running?.(signal) ?? []))).flat(),
    isLocal: async (name) => !(await road()).services.includes((await routeOfStored(name)).backend.name),
    loaded: pool.loaded,
    async unload(model, options = {}) {
      checkOptionNames(options, ["whenIdle"], "unload");
      const { whenIdle } = options;
      if (model === undefined) return pool.unload(undefined, whenIdle);
      if (typeof model === "object" && model !== null) return pool.unload({ provider: model.provider, id: model.modelId }, whenIdle);
      const { backend, spec } = await routeOfStored(model);
      return pool.unload({ provider: backend.name, id: (await backend.find(spec, {})).id }, whenIdle);
    },
  };
}

/** An id as it is typed for a provider that is not the usual one of its type. */
function idAt(id: string, provider: string, { parse }: Pick<Providers, "parse">): string {
  const spec = parse(id, "any");
  return spec.kind === "path" || spec.kind === "url" ? id : printModelSpec({ ...spec, backend: provider });
}

/** @throws SpellError usage-not-available where a backend cannot do it */
async function need<K extends "offer" | "pull" | "remove" | "verify">(
  backend: Backend,
  what: K,
  spec: ModelSpec,
): Promise<NonNullable<Backend[K]>> {
  const method = backend[what];
  if (method === undefined) throw (await checks()).cannot(backend, what, spec);
  return method;
}

/** The variant of a name, said apart from it. @throws SpellError usage-value where both name different ones */
export function withVariant(spec: ModelSpec, quantization: string | undefined): ModelSpec {
  if (quantization === undefined || spec.kind === "path" || spec.kind === "url") return spec;
  const own = spec.kind === "registry" ? spec.tag : spec.variant;
  if (own !== undefined && own.toLowerCase() !== quantization.toLowerCase()) {
    throw new SpellError("usage-value", `quantization ${quantization} contradicts ${printModelSpec(spec)}`, {
      where: "quantization",
      hint: "Keep one of them.",
    });
  }
  return spec.kind === "registry" ? { ...spec, tag: quantization } : { ...spec, variant: quantization };
}

/** An address as a name; that of a local file, as `new URL("./model.gguf", import.meta.url)` makes it, as a path. @throws SpellError run-option */
export function pathOfUrl(url: URL): string {
  if (url.protocol !== "file:") return url.href;
  try {
    // On Windows the drive follows the first slash.
    return decodeURIComponent(url.pathname).replace(/^\/(?=[A-Za-z]:)/, "");
  } catch (cause) {
    throw new SpellError("run-option", `${url.href}: its path cannot be decoded`, { where: url.href, cause });
  }
}
