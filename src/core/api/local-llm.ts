/**
 * Local models: what is here, what can be had, fetching, removing, running. One implementation for command line, library, pages and scripts.
 * It is put together here from the parts in models/.
 */
import { type FoundModel, findModel, type LoadOptions } from "../backends/candle.ts";
import type { LoadDefaults } from "../backends/candle-settings.ts";
import type { OllamaClient } from "../backends/ollama.ts";
import type { Prompt } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { LocalBackend, ModelSettings } from "../spec/model-settings.ts";
import { type AvailableFilter, available } from "./models/available.ts";
import { createContext, type LocalLlmOptions, type ModelContext, parse } from "./models/context.ts";
import { notInstalled, resolve } from "./models/find.ts";
import { type InfoOptions, info } from "./models/info.ts";
import { type PrunedItem, type PruneOptions, prune, remove, type VerifyOptions, verify } from "./models/keep.ts";
import { list, listAll, type ModelList } from "./models/list.ts";
import { backendOf, isKnownName } from "./models/names.ts";
import { type OfferRequest, offer } from "./models/offer.ts";
import { plan } from "./models/plan.ts";
import { pull } from "./models/pull.ts";
import type {
  AvailableModel,
  CandleStatus,
  GenerateResult,
  LocalGenerateOptions,
  ModelInfo,
  ModelRecord,
  OllamaStatus,
  PlanResult,
  PullOffer,
  PullRequest,
  PullResult,
  RemoveResult,
  VerifyResult,
} from "./models/records.ts";
import { generate, load, unload } from "./models/run.ts";
import { status } from "./models/status.ts";

export interface LocalLlm {
  readonly settings: ModelSettings;
  /** Backend health, each asked on its own; a failing one says so. @throws SpellError backend-unknown */
  status(): Promise<{ readonly candle: CandleStatus; readonly ollama: OllamaStatus }>;
  status(backend: "candle"): Promise<CandleStatus>;
  status(backend: "ollama"): Promise<OllamaStatus>;
  /** Installed models, candle first. A backend that fails is left out and logged. @throws SpellError backend-unknown */
  list(backend?: string): Promise<readonly ModelRecord[]>;
  /** As list(), with what became of each backend. */
  listAll(backend?: string): Promise<ModelList>;
  /** Models that can be pulled. No network. */
  available(filter?: AvailableFilter): Promise<readonly AvailableModel[]>;
  /** What a pull would do; asks the source. */
  plan(spec: string, request?: PullRequest): Promise<PlanResult>;
  /**
   * As plan(), with memory and room: what a person should know before a pull on demand begins. Reads headers at the source; no weights are fetched.
   * @throws SpellError of plan(); model-*, gguf-*, safetensors-*, tokenizer-* for what would not run here
   */
  offer(spec: string, request?: OfferRequest): Promise<PullOffer>;
  /** Fetches a model, however long it takes. @throws SpellError net-*, store-*, model-*, gguf-*, safetensors-*, run-aborted */
  pull(spec: string, request?: PullRequest): Promise<PullResult>;
  /** @throws SpellError model-not-installed, model-unknown */
  info(spec: string, options?: InfoOptions): Promise<ModelInfo>;
  /** @throws SpellError model-bundled, model-not-installed, store-locked */
  remove(spec: string): Promise<RemoveResult>;
  /** Hashes files anew. @param spec default: all models of the store, and those of the package */
  verify(spec?: string, options?: VerifyOptions): Promise<readonly VerifyResult[]>;
  /** Deletes unfinished downloads and files no model uses. */
  prune(options?: PruneOptions): Promise<readonly PrunedItem[]>;
  /** Runs a model that is here, and keeps it loaded. Pulls nothing by itself. */
  generate(spec: string, prompt: Prompt, options?: LocalGenerateOptions): Promise<GenerateResult>;
  /** Forgets loaded models. @returns how many */
  unload(spec?: string): Promise<number>;
  /**
   * Loads a model that is here; the caller owns it.
   * @param defaults of the provider that runs it, where that is not the usual one
   * @throws SpellError model-not-installed, model-unknown, as loadModel
   */
  load(spec: string, options?: LoadOptions, defaults?: LoadDefaults): Promise<LanguageModel>;
  /** Whether a name is in the catalogue, or was given with `as`; other forms of a spec speak for themselves. */
  knows(spec: string): Promise<boolean>;
  /**
   * Who runs a model of this name; only settings and the catalogue are looked at, never whether a server answers.
   * @param preferred whom a name that is not in the catalogue belongs to
   * @throws SpellError backend-not-configured, backend-unknown, model-unknown, spec-syntax
   */
  backendOf(spec: string, preferred?: LocalBackend): Promise<LocalBackend>;
  /** Reads the headers of a model that is here. */
  inspect(spec: string, signal?: AbortSignal): Promise<FoundModel>;
  readonly ollama: OllamaClient;
}

/** A provider of its own that a spec names: which, the spec without its name, and its options where they are not the usual ones. */
export interface NamedProvider {
  readonly provider: string;
  readonly spec: string;
  readonly options?: LocalLlmOptions | undefined;
}

/** @param find looks for a provider in a spec; undefined where none is named */
export function createLocalLlm(
  options: LocalLlmOptions,
  find: (spec: string) => Promise<NamedProvider | undefined> = async () => undefined,
): LocalLlm {
  const context = createContext(options);
  const others = new Map<string, ModelContext>();
  /** Under the settings of the provider that the spec names. */
  const at = async <T>(text: string, run: (context: ModelContext, spec: string) => Promise<T>): Promise<T> => {
    const named = await find(text);
    if (named?.options === undefined) return run(context, named?.spec ?? text);
    const other = others.get(named.provider) ?? createContext(named.options);
    others.set(named.provider, other);
    return run(other, named.spec);
  };
  return {
    settings: context.settings,
    ollama: context.ollama,
    status: ((backend?: string) => status(context, backend)) as LocalLlm["status"],
    list: (backend) => list(context, backend),
    listAll: (backend) => listAll(context, backend),
    available: (filter) => available(context, filter),
    plan: (text, request) => at(text, (own, spec) => plan(own, spec, request)),
    offer: (text, request) => at(text, (own, spec) => offer(own, spec, request)),
    pull: (text, request) => at(text, (own, spec) => pull(own, spec, request)),
    info: (text, infoOptions) => at(text, (own, spec) => info(own, spec, infoOptions)),
    remove: (text) => at(text, remove),
    verify: (text, verifyOptions) =>
      text === undefined ? verify(context, text, verifyOptions) : at(text, (own, spec) => verify(own, spec, verifyOptions)),
    prune: (pruneOptions) => prune(context, pruneOptions),
    generate: (text, prompt, generateOptions) => at(text, (own, spec) => generate(own, spec, prompt, generateOptions)),
    async unload(text) {
      if (text !== undefined) return at(text, unload);
      let count = 0;
      for (const own of [context, ...others.values()]) count += await unload(own);
      return count;
    },
    load: (text, loadOptions, defaults) => at(text, (own, spec) => load(own, spec, loadOptions, defaults)),
    async knows(text) {
      const spec = parse(text);
      return spec.kind !== "name" || isKnownName(context, spec.name);
    },
    backendOf: (text, preferred) => at(text, async (own, spec) => backendOf(own, parse(spec), preferred)),
    inspect: (text, signal) =>
      at(text, async (own, plain) => {
        const spec = parse(plain);
        if ((await backendOf(own, spec)) === "ollama") throw await notInstalled(own, { ...spec, backend: "candle" });
        return findModel(await resolve(own, spec, signal), own.platform, signal);
      }),
  };
}
