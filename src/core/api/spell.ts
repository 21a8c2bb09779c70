/** The composition root: what a host hands in becomes the library a user calls. */
import type { FileSource, LoadOptions } from "../backends/backend.ts";
import { checkLoadOptions, loadOptionNames } from "../backends/load-options.ts";
import type { PullOffer, ServerPullEvent } from "../backends/models.ts";
import type { ResolvedConfig } from "../config/resolve.ts";
import { surveyDevices } from "../devices/survey.ts";
import { realClock } from "../download/clock.ts";
import type { PullEvent } from "../download/pull.ts";
import type { Network } from "../download/request.ts";
import { disposedError, SpellError } from "../errors.ts";
import { formatCount } from "../formats/format-count.ts";
import type { Platform } from "../platform.ts";
import type { Rag } from "../rag/types.ts";
import type { Sessions } from "../sessions/sessions.ts";
import type { EmbeddingModel, EmbedOptions, EmbedResult } from "../spec/embedding-model.ts";
import type { GenerateOptions, GenerateResult, JsonOf, Prompt, RunnableTool, Tool } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import { isModelSpec, type ModelSpec, printModelSpec } from "../spec/model-spec.ts";
import type { RerankModel, RerankOptions, RerankResult } from "../spec/rerank-model.ts";
import type { Device, DeviceAttempt, DevicePreview } from "../spec/runtime.ts";
import type { Scripts } from "../spec/scripts.ts";
import type { StreamPart } from "../spec/stream-part.ts";
import { asOptions, checkOptionNames, wrongOption } from "../text/check-call.ts";
import { collect } from "../text/collect.ts";
import type { ToolStep } from "../tools/loop.ts";
import { once } from "../values.ts";
import type { Workflows } from "../workflow/workflows.ts";
import { type ConfigOptions, readText, resolveConfig } from "./configuration.ts";
import type { LocalLlm } from "./local-llm.ts";
import { createModels, type Models, pathOfUrl, withVariant } from "./models.ts";
import { createPool, type Pool } from "./pool.ts";
import { createProviders } from "./providers.ts";
import { lazyTools, type Tools } from "./tools.ts";

/** A model's name in any form, also parsed; a path or address, the file itself, or the files of a T5 folder or export. */
export type ModelSource = string | URL | ModelSpec | FileSource;

export interface SpellParts extends ConfigOptions {
  readonly platform: Platform;
  /** default: the platform's own, in real time */
  readonly network?: Network | undefined;
  /** Address of the registry of Ollama's models; default https://registry.ollama.ai */
  readonly ollamaRegistry?: string | undefined;
  /** What runs scripts over a spell; the main entry brings it. */
  readonly scripts?: ((spell: Spell, over: AbortSignal) => Scripts) | undefined;
}

interface PullIfMissing {
  /**
   * What happens where the model is not installed. `true` fetches it, with one line in the log. A function is told size, memory, room and expected time
   * before a byte comes, and returns whether to fetch it. Default: nothing is fetched, and the error carries the action that pulls.
   */
  readonly pull?: boolean | ((offer: PullOffer) => boolean | Promise<boolean>) | undefined;
  /** Progress of that pull. */
  readonly onPull?: ((event: PullEvent | ServerPullEvent) => void) | undefined;
}

export interface SpellLoadOptions extends LoadOptions, PullIfMissing {
  /** The engine outlives its last holder: it stays loaded as the keep-alive of its provider says, as with generate(). Default false: it is freed with it. */
  readonly keep?: boolean | undefined;
}

/** Options of one answer, and of the load where the model is not loaded yet. */
export interface SpellGenerateOptions
  extends Omit<GenerateOptions, "tools">,
    Omit<LoadOptions, "device" | "pooling" | "signal">,
    PullIfMissing {
  /**
   * As in GenerateOptions. Where each has an `execute`, calls are run, and the model is asked again with their results until it answers. What a tool throws is
   * told to the model; so is a call that is unknown, has a wrong input, takes over a minute, or comes after `maxToolCalls`.
   */
  readonly tools?: readonly (Tool | RunnableTool)[] | undefined;
  /** Calls that are run; default 16. */
  readonly maxToolCalls?: number | undefined;
  /**
   * The text as it comes. The model waits for a promise; `false` ends the answer there: finishReason is `aborted`, and what only a whole answer tells
   * (counts, times, a seed that was not given) is 0.
   */
  readonly onText?: ((text: string) => unknown) | undefined;
}

/** Options of one call for vectors, and of the load where the model is not loaded yet. */
export interface SpellEmbedOptions extends EmbedOptions, Omit<LoadOptions, "signal" | "draft">, PullIfMissing {}

/** Options of one call for scores, and of the load where the model is not loaded yet. */
export interface SpellRerankOptions extends RerankOptions, Omit<LoadOptions, "signal" | "draft" | "pooling">, PullIfMissing {}

/** What ran a model. */
type RunBy = Pick<EmbeddingModel, "provider" | "backend" | "architecture"> & { readonly model: string };
export type SpellVectors = EmbedResult & RunBy;
export type SpellScores = RerankResult & RunBy;

/** A whole answer, and what ran the model. */
export type SpellResult<J = unknown> = GenerateResult<J> &
  Pick<LanguageModel, "provider" | "backend" | "architecture"> & {
    /** calls that were run, in order; only where tools have an `execute` */
    readonly steps?: readonly ToolStep[] | undefined;
  };

export interface Spell {
  readonly platform: Platform;
  /**
   * Loads a model; without a source the default model of the configuration. Options stand before the configuration. Loads with equal options share one engine;
   * the caller disposes the model.
   * @throws SpellError of config(); model-not-installed, model-unknown, backend-*, model-*, gguf-*, device-*, run-option, run-aborted
   */
  load(source?: ModelSource, options?: SpellLoadOptions): Promise<LanguageModel>;
  /**
   * One answer. The model stays loaded as the keep-alive of its provider says, and is shared with load().
   * @throws SpellError of load() and of LanguageModel.stream()
   */
  generate<const O extends SpellGenerateOptions>(
    source: ModelSource | undefined,
    prompt: Prompt,
    options?: O,
  ): Promise<SpellResult<JsonOf<O>>>;
  /**
   * Loads a model that makes vectors: an encoder, or any decoder as GGUF. As load() otherwise.
   * @throws SpellError of load(); model-architecture for models that make none
   */
  embeddings(source: ModelSource, options?: SpellLoadOptions): Promise<EmbeddingModel>;
  /**
   * Vectors of texts. The model stays loaded, as with generate().
   * @throws SpellError of embeddings() and of EmbeddingModel.embed()
   */
  embed(source: ModelSource, texts: readonly string[], options?: SpellEmbedOptions): Promise<SpellVectors>;
  /**
   * Loads a model that scores how well texts fit a question: a cross-encoder. As load() otherwise.
   * @throws SpellError of load(); model-architecture for models that score none
   */
  reranker(source: ModelSource, options?: SpellLoadOptions): Promise<RerankModel>;
  /**
   * Scores of texts beside a question. The model stays loaded, as with generate().
   * @throws SpellError of reranker() and of RerankModel.rerank()
   */
  rerank(source: ModelSource, query: string, texts: readonly string[], options?: SpellRerankOptions): Promise<SpellScores>;
  readonly models: Models;
  readonly scripts: Scripts;
  readonly tools: Tools;
  /** Workflows by their names: steps that run tools of this spell, agents and other workflows. */
  workflows(): Promise<Workflows>;
  /**
   * Sessions, artifacts and recorded calls as `runtime.sessions` keeps them; with `file` those of scripts and of other programs. Opens nothing yet.
   * @throws SpellError of config()
   */
  sessions(): Promise<Sessions>;
  /**
   * The effective configuration, every value with its origin; read once, with the first call that needs it.
   * @throws SpellError config-*, env-value, profile-unknown
   */
  config(): Promise<ResolvedConfig>;
  /**
   * Looks at every device, for decoders and for T5 apart, and runs the bundled models on each that is there: seconds. Verdicts are kept, so that
   * `auto` goes by them from then on.
   */
  devices(options?: SurveyOptions): Promise<Readonly<Record<"gguf" | "t5", DevicePreview>>>;
  /** The same over snake_case records, as scripts see it. @throws SpellError of config() */
  localLLM(): Promise<LocalLlm>;
  /** Retrieval over documents, as `[rag]` of the configuration says; one for all callers. @throws SpellError of config() */
  rag(): Promise<Rag>;
  /**
   * Saves what rag() has, and gives everything back: calls and loads under way reject with run-closed, as all later ones do; every engine is freed. A second call does nothing.
   * Questions about models and the configuration are still answered: they hold nothing.
   */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface SurveyOptions {
  /** this device alone */
  readonly only?: Device | undefined;
  /** told of each device as soon as it is known */
  readonly onAttempt?: ((architecture: "gguf" | "t5", attempt: DeviceAttempt) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const ownNames = ["pull", "onPull", "keep"] as const;

/** @throws SpellError run-option for unknown options */
export function createSpell({ platform, network: given, ollamaRegistry, scripts = noScripts, ...options }: SpellParts): Spell {
  checkOptionNames(options, ["profile", "config", "env"], "createSpell");
  const { fetch, lookup } = platform;
  const network: Network = given ?? { fetch, lookup, clock: realClock(platform.now) };
  const pool = createPool();
  const config = once(() => resolveConfig(options, platform));
  const providers = once(async () => {
    const resolved = await config();
    return createProviders({
      platform,
      network,
      ollamaRegistry,
      config: resolved,
      wallTime: network.clock.wallTime,
      isLoaded: pool.isLoaded,
      // names that need no catalogue, and pages that ask for none, do not wait for it
      catalogue: once(async () => {
        const { readCatalogue } = await import("../hub/catalogue.ts");
        return readCatalogue(await readText(resolved.config.models.catalogue, platform.config));
      }),
    });
  });
  const models = createModels(providers, pool, platform);

  const open = async <M>(given: ModelSource | undefined, all: SpellLoadOptions, load: Load<M>): Promise<M> => {
    checkLoadOptions(all, [...loadOptionNames, ...ownNames], "load");
    const { pull = false, onPull, keep: keeps = false, ...loadOptions } = all;
    if (typeof keeps !== "boolean") throw wrongOption("keep", "true or false", keeps);
    if (typeof pull !== "boolean" && typeof pull !== "function") throw wrongOption("pull", "true, false or a function", pull);
    const source = given instanceof URL ? pathOfUrl(given) : given;
    const road = await providers();
    const parsed = typeof source === "string" ? road.parse(source, "any") : source;
    if (parsed !== undefined && !isModelSpec(parsed)) return load(await road.forFiles(), parsed, loadOptions, keeps);
    const { quantization, ...rest } = loadOptions;
    const route = await road.route(parsed);
    const { backend } = route;
    const spec = withVariant(route.spec, quantization);
    // The variant of a name stands in it; files at a path take it as an option.
    const own = spec.kind === "path" || spec.kind === "url" ? loadOptions : rest;
    try {
      return await load(backend, spec, own, keeps);
    } catch (error) {
      const isMissing = error instanceof SpellError && error.code === "model-not-installed";
      if (!isMissing || pull === false || !(await pullMissing({ ...spec, backend: backend.name }, { ...all, pull })))
        throw await road.explain(error, route);
      return load(backend, spec, own, keeps);
    }
  };

  /** @returns whether the model is installed now */
  const pullMissing = async (spec: ModelSpec, { pull, onPull, device, contextSize, signal }: SpellLoadOptions): Promise<boolean> => {
    const name = printModelSpec(spec);
    const offer = await models.offer(name, { signal, device, contextSize, looksAhead: true });
    if (typeof pull === "function" && !(await pull(offer))) return false;
    const size = offer.missingBytes === undefined ? "" : `, ${formatCount(offer.missingBytes)} bytes`;
    platform.log({ level: "info", message: `pulling ${offer.id}${size}` });
    await models.pull(name, { signal, onEvent: onPull });
    return true;
  };

  const over = new AbortController();
  const { tools, close: closeTools } = lazyTools({ platform, config, signal: over.signal });
  let opened: Promise<Sessions> | undefined;
  let rag: Promise<Rag> | undefined;
  const dispose = async (): Promise<void> => {
    over.abort(disposedError());
    const close = [opened, rag].map((each) =>
      each?.then(
        (open) => open.close(),
        () => undefined,
      ),
    );
    rag = undefined;
    await Promise.all([pool.close(), closeTools(), ...close]);
  };
  const spell: Spell = {
    platform,
    load: (source, loadOptions = {}) => open(source, loadOptions, pool.load),
    async generate<O extends SpellGenerateOptions>(source: ModelSource | undefined, prompt: Prompt, given?: O) {
      const { onText, maxToolCalls, ...all } = asOptions<SpellGenerateOptions>(given ?? {});
      const { contextSize, threads, quantization, draft, batchSize, onProgress, pull, onPull, ...call } = all;
      const { device, signal } = call;
      const load = { device, signal, contextSize, threads, quantization, draft, batchSize, onProgress, pull, onPull };
      const model = await open(source, { ...load, keep: true }, pool.load);
      try {
        const { provider, backend, architecture } = model;
        const about = { provider, backend, architecture };
        const answer = (asked: Prompt, own: GenerateOptions) => collect(told(model.stream(asked, own), onText, own.seed ?? 0));
        if (!hasRunnable(call.tools)) return { ...(await answer(prompt, call)), ...about } as SpellResult<JsonOf<O>>;
        const { answerWithTools } = await import("./answer-with-tools.ts");
        return { ...(await answerWithTools(prompt, call, maxToolCalls, platform.now, answer)), ...about } as SpellResult<JsonOf<O>>;
      } finally {
        await model.dispose();
      }
    },
    embeddings: (source, loadOptions = {}) => open(source, loadOptions, pool.loadEmbeddings),
    async embed(source, texts, given = {}) {
      const { query, dimensions, truncate, ...load } = asOptions(given);
      const model = await open(source, { ...load, keep: true }, pool.loadEmbeddings);
      try {
        return { ...(await model.embed(texts, { query, dimensions, truncate, signal: load.signal })), ...runBy(model) };
      } finally {
        await model.dispose();
      }
    },
    reranker: (source, loadOptions = {}) => open(source, loadOptions, pool.loadReranker),
    async rerank(source, query, texts, given = {}) {
      const { truncate, ...load } = asOptions(given);
      const model = await open(source, { ...load, keep: true }, pool.loadReranker);
      try {
        return { ...(await model.rerank(query, texts, { truncate, signal: load.signal })), ...runBy(model) };
      } finally {
        await model.dispose();
      }
    },
    models,
    get scripts() {
      return scripts(spell, over.signal);
    },
    sessions() {
      opened ??= config().then(async (resolved) => (await import("../sessions/sessions.ts")).createSessions(resolved.config, platform));
      return opened;
    },
    tools,
    workflows: once(async () => (await import("./workflows.ts")).programWorkflows(tools, platform.now, over.signal)),
    config,
    async devices({ onAttempt, ...surveyOptions } = {}) {
      const survey = (architecture: "gguf" | "t5") =>
        surveyDevices(architecture, platform, { ...surveyOptions, onAttempt: (attempt) => onAttempt?.(architecture, attempt) });
      // One after the other: together they would disturb each other's times.
      const gguf = await survey("gguf");
      return { gguf, t5: await survey("t5") };
    },
    localLLM: once(async () => {
      await config();
      return (await import("./local-llm.ts")).createLocalLlm(spell);
    }),
    rag() {
      rag ??= import("./open-rag.ts").then(({ openRag }) => openRag({ ...spell, over: over.signal }));
      return rag;
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
  return spell;
}

function runBy({ id, provider, backend, architecture }: Pick<EmbeddingModel, "id" | "provider" | "backend" | "architecture">): RunBy {
  return { model: id, provider, backend, architecture };
}

function hasRunnable(tools: SpellGenerateOptions["tools"]): boolean {
  return Array.isArray(tools) && tools.some((tool) => typeof tool === "object" && tool !== null && "execute" in tool);
}

/** One of the pool's ways to load. */
type Load<M> = (...call: Parameters<Pool["load"]>) => Promise<M>;

const noScripts = (): Scripts => ({
  run: () => Promise.reject(new SpellError("usage-not-available", 'scripts need createSpell() of "llmspell"')),
});

async function* told(
  parts: AsyncIterable<StreamPart>,
  onText: SpellGenerateOptions["onText"],
  seed: number,
): AsyncGenerator<StreamPart, void, undefined> {
  for await (const part of parts) {
    yield part;
    if (part.type !== "text-delta" || (await onText?.(part.text)) !== false) continue;
    const timing = { loadMs: 0, firstTokenMs: 0, prefillMs: 0, decodeMs: 0, prefillRate: 0, decodeRate: 0 };
    yield { type: "stream-end", finishReason: "aborted", seed, usage: { promptTokens: 0, completionTokens: 0, totalTokens: 0 }, timing };
    return;
  }
}
