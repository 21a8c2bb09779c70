/**
 * Local models: what is here, what can be had, fetching, removing, running. One implementation for command line, library, pages and scripts;
 * its records carry the field names programs and scripts read. Which backend a name means is decided here, and nowhere else.
 */
import {
  bundledModels,
  type FoundModel,
  findModel,
  type LoadOptions,
  loadModel,
  type ModelFiles,
  previewDevice,
  variantsOfT5,
} from "../backends/candle.ts";
import { type LoadDefaults, usualLoad } from "../backends/candle-settings.ts";
import { type CatalogueEntry, findEntry, type ModelKind, readCatalogue } from "../backends/catalogue.ts";
import { type HubContext, listCached, listRepository, planRepository, planUrl, reuseCache } from "../backends/hub.ts";
import { findInstalled, hashSource, type InstalledModel, openInstalled, sizeOf } from "../backends/installed.ts";
import { createOllamaClient, type OllamaClient, type OllamaModel } from "../backends/ollama.ts";
import { planRegistry } from "../backends/ollama-registry.ts";
import { summarizeModel } from "../backends/summary.ts";
import { isGpu } from "../devices.ts";
import { realClock } from "../download/clock.ts";
import { aliasKey, listStored, type ModelManifest, type StoredModel, type Verified } from "../download/manifest.ts";
import {
  baseName,
  type DescribedModel,
  modifiedOf,
  type PlannedFile,
  type PullEvent,
  type PullPlan,
  pullModel,
  usedBlobs,
} from "../download/pull.ts";
import type { Network } from "../download/request.ts";
import { SpellError } from "../errors.ts";
import { type ByteSource, httpSource } from "../formats/byte-source.ts";
import { nearest } from "../nearest.ts";
import type { Platform } from "../platform.ts";
import type { GenerateOptions, Prompt } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import { defaultModelSettings, type LocalBackend, type ModelSettings } from "../spec/model-settings.ts";
import { checkModelName, type HfSpec, type ModelSpec, parseModelSpec, printModelSpec } from "../spec/model-spec.ts";
import type { Device, DeviceChoice, DevicePreview, DeviceReport } from "../spec/runtime.ts";
import { version } from "../version.ts";

/** A model that is here, in the form of lists. Unknown values are null. */
export interface ModelRecord {
  readonly id: string;
  readonly backend: LocalBackend;
  readonly format: "gguf" | "safetensors" | "onnx" | "ollama";
  readonly architecture: string | null;
  readonly parameter_count: number | null;
  readonly quantization: string | null;
  readonly size_bytes: number;
  /** seconds since the epoch */
  readonly modified_at: number | null;
  readonly source: string | null;
  readonly revision: string | null;
  readonly license: string | null;
  readonly verified: Verified;
  readonly bundled: boolean;
  readonly loaded: boolean;
  readonly path: string | null;
  readonly aliases: readonly string[];
}

export interface ModelInfo extends ModelRecord {
  readonly context_length: number | null;
  readonly embedding_length: number | null;
  readonly block_count: number | null;
  readonly vocab_size: number | null;
  readonly chat_template: string | null;
  readonly capabilities: readonly string[];
  readonly license_url: string | null;
  readonly files: readonly { readonly path: string; readonly size_bytes: number; readonly sha256: string | null }[];
  readonly fits: Fit | null;
  /** where a load would compute, and what was looked at on the way */
  readonly device: DevicePreview | null;
  readonly notes: readonly string[];
}

/** Whether a model fits into memory with the context it is loaded with by default. */
export interface Fit {
  readonly device: Device;
  readonly needed_bytes: number;
  /** null for a card: it was asked already, and says yes or no */
  readonly available_bytes: number | null;
  readonly ok: boolean;
}

export interface AvailableModel {
  readonly name: string;
  readonly backend: LocalBackend;
  readonly kind: ModelKind;
  readonly variants: readonly string[];
  readonly default_variant: string | null;
  readonly size_bytes: number | null;
  readonly parameter_count: number | null;
  readonly license: string | null;
  readonly description: string;
  readonly recommended: boolean;
  readonly installed: boolean;
  readonly spec: string;
  readonly source: string;
}

export interface PullResult {
  readonly model_id: string;
  readonly backend: LocalBackend;
  readonly status: "starting" | "downloading" | "verifying" | "complete" | "failed";
  readonly percent_complete: number;
  readonly bytes_downloaded: number;
  readonly bytes_total?: number;
  readonly files?: number;
  readonly path?: string;
  readonly verified: Verified;
  readonly already_present: boolean;
}

export interface RemoveResult {
  readonly model_id: string;
  readonly freed_bytes: number;
  readonly kept_files: readonly string[];
}

export interface VerifyResult {
  readonly model_id: string;
  readonly file: string;
  readonly ok: boolean;
  readonly expected: string | null;
  readonly actual: string | null;
}

export interface CandleStatus {
  readonly configured: boolean;
  readonly ready: boolean;
  readonly models: number;
  readonly version: string;
  readonly store: string;
  readonly error?: string;
}

export interface OllamaStatus {
  readonly configured: boolean;
  readonly running: boolean;
  readonly models: number;
  readonly version?: string;
  readonly url: string;
  readonly error?: string;
}

export interface GenerateResult {
  readonly text: string;
  readonly model: string;
  readonly backend: LocalBackend;
  readonly architecture: string;
  readonly device: DeviceReport;
  readonly finish_reason: string;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly seed: number;
  readonly timings: {
    readonly load_ms: number;
    readonly prompt_ms: number;
    readonly first_token_ms: number;
    readonly generation_ms: number;
    readonly tokens_per_second: number;
  };
  readonly candidates?: readonly string[];
}

export interface BackendResult {
  readonly backend: LocalBackend;
  readonly ok: boolean;
  readonly error?: SpellError;
}

export interface PullRequest {
  readonly force?: boolean;
  readonly quantization?: string;
  /** another name for it */
  readonly as?: string;
  readonly allowHosts?: readonly string[];
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
  /** about twice a second */
  readonly on_progress?: (progress: PullResult) => void;
  /** every event as it happens */
  readonly onEvent?: (event: PullEvent | OllamaPullEvent) => void;
}

/** The server's own progress, passed on. */
export interface OllamaPullEvent {
  readonly type: "ollama-progress";
  readonly model: string;
  readonly status: string;
  readonly bytes: number;
  readonly totalBytes: number | undefined;
}

export interface PlanResult {
  readonly id: string;
  readonly backend: LocalBackend;
  /** undefined for models of a server */
  readonly plan?: PullPlan;
  /** bytes of all files, where the source says */
  readonly sizeBytes: number | undefined;
  /** bytes that still have to come */
  readonly missingBytes: number | undefined;
}

export type LocalGenerateOptions = GenerateOptions & {
  readonly device?: DeviceChoice;
  readonly on_token?: (text: string) => void;
};

export interface LocalLlm {
  readonly settings: ModelSettings;
  /** Backend health, each asked on its own; a failing one says so. @throws SpellError backend-unknown */
  status(): Promise<{ readonly candle: CandleStatus; readonly ollama: OllamaStatus }>;
  status(backend: "candle"): Promise<CandleStatus>;
  status(backend: "ollama"): Promise<OllamaStatus>;
  /** Installed models, candle first. A backend that fails is left out and logged. @throws SpellError backend-unknown */
  list(backend?: string): Promise<readonly ModelRecord[]>;
  /** As list(), with what became of each backend. */
  listAll(backend?: string): Promise<{ readonly models: readonly ModelRecord[]; readonly backends: readonly BackendResult[] }>;
  /** Models that can be pulled. No network. */
  available(filter?: {
    readonly backend?: string;
    readonly kind?: string;
    readonly search?: string;
    readonly recommended?: boolean;
  }): Promise<readonly AvailableModel[]>;
  /** What a pull would do; asks the source. */
  plan(spec: string, request?: PullRequest): Promise<PlanResult>;
  /** Fetches a model, however long it takes. @throws SpellError net-*, store-*, model-*, gguf-*, safetensors-*, run-aborted */
  pull(spec: string, request?: PullRequest): Promise<PullResult>;
  /** @throws SpellError model-not-installed, model-unknown */
  info(spec: string, options?: { readonly remote?: boolean; readonly signal?: AbortSignal }): Promise<ModelInfo>;
  /** @throws SpellError model-bundled, model-not-installed, store-locked */
  remove(spec: string): Promise<RemoveResult>;
  /** Hashes files anew. @param spec default: all models of the store */
  verify(
    spec?: string,
    options?: { readonly signal?: AbortSignal; readonly onFile?: (file: string, share: number) => void },
  ): Promise<readonly VerifyResult[]>;
  /** Deletes unfinished downloads and files no model uses. */
  prune(options?: {
    readonly olderThanMs?: number;
    readonly dryRun?: boolean;
  }): Promise<readonly { readonly item: string; readonly bytes: number }[]>;
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

export interface LocalLlmOptions {
  readonly platform: Platform;
  readonly settings?: Partial<ModelSettings>;
  /** Defaults of a load; those of the provider candle. */
  readonly defaults?: LoadDefaults;
  /** default: the platform's own, in real time */
  readonly network?: Network;
  /** milliseconds since the epoch */
  readonly wallTime?: () => number;
}

/** Names people use with Ollama; shipped, so that `available` needs no network. */
const ollamaExamples: readonly (readonly [string, string, number])[] = [
  ["llama3.2:1b", "Llama 3.2 1B Instruct", 1_321_098_329],
  ["llama3.2:3b", "Llama 3.2 3B Instruct", 2_019_393_189],
  ["qwen2.5:0.5b", "Qwen2.5 0.5B Instruct", 397_821_319],
  ["gemma3:1b", "Gemma 3 1B", 815_319_791],
  ["phi3:mini", "Phi-3 mini", 2_176_178_913],
  ["mistral:7b", "Mistral 7B Instruct", 4_113_301_824],
];

const progressMs = 500;

export function createLocalLlm(options: LocalLlmOptions): LocalLlm {
  const { platform, settings: given, network: givenNetwork, wallTime = Date.now, defaults: usual = usualLoad } = options;
  const settings: ModelSettings = { ...defaultModelSettings, ...given };
  const network: Network = givenNetwork ?? {
    fetch: platform.fetch,
    clock: realClock(platform.now),
    ...(platform.lookup === undefined ? {} : { lookup: platform.lookup }),
  };
  const ollama = createOllamaClient(network, settings);
  const loaded = new Map<string, Promise<LanguageModel>>();
  let cataloguePromise: Promise<readonly CatalogueEntry[]> | undefined;
  const catalogue = (): Promise<readonly CatalogueEntry[]> => {
    cataloguePromise ??= readCatalogue(settings.catalogue);
    return cataloguePromise;
  };

  const hubContext = ({ allowHosts, signal, offline }: PullRequest): HubContext => ({
    network,
    settings: offline === true ? { ...settings, offline: true } : settings,
    ...(platform.foreign === undefined ? {} : { foreign: platform.foreign }),
    ...(allowHosts === undefined ? {} : { allowHosts }),
    ...(signal === undefined ? {} : { signal }),
  });

  const parse = (text: string, allowHosts?: readonly string[]): ModelSpec =>
    parseModelSpec(text, { providers: [], ...(allowHosts === undefined ? {} : { allowHosts }) });

  /** The first matching line decides; only settings are looked at, never whether a server answers. */
  async function backendOf(spec: ModelSpec, preferred?: LocalBackend): Promise<LocalBackend> {
    const need = (backend: LocalBackend): LocalBackend => {
      if (settings.backends.includes(backend)) return backend;
      throw new SpellError("backend-not-configured", `Backend '${backend}' not configured. To use ${backend} models:`, {
        hint: `1. use the builtin profile, or 2. declare it in a file: [providers.${backend}]`,
        commands: [`llmspell -p ${backend} model pull ${printModelSpec({ ...spec, backend })}`],
      });
    };
    if (spec.backend !== undefined) {
      if (spec.backend === "candle" || spec.backend === "ollama") return need(spec.backend);
      throw new SpellError("backend-unknown", `Backend '${spec.backend}' not configured and no matching builtin profile found.`, {
        hint: `Available: ollama, candle (alias local). Format: model:variant@backend`,
        commands: ["llmspell model available"],
      });
    }
    if (spec.kind === "hf" || spec.kind === "url" || spec.kind === "path") return need("candle");
    if (spec.kind === "ollama") return settings.backends.includes("ollama") ? "ollama" : need("candle");
    if (settings.backends.includes("candle") && (await isKnownName(spec.name))) return "candle";
    if (preferred === "candle") throw await unknownModel(spec.name);
    // a file that lies here and was named without ./ is no business of a server
    if (settings.backends.includes("ollama") && !/\.(gguf|safetensors|onnx)$/i.test(spec.name)) return "ollama";
    if (settings.backends.length === 0) return need("candle");
    throw await unknownModel(spec.name);
  }

  async function isKnownName(name: string): Promise<boolean> {
    if (bundledModels.has(name.toLowerCase()) || findEntry(await catalogue(), name) !== undefined) return true;
    return (await platform.store.readManifest(aliasKey(name))) !== undefined;
  }

  async function unknownModel(name: string): Promise<SpellError> {
    const entries = await catalogue();
    const names = (test: (entry: CatalogueEntry) => boolean): string =>
      entries
        .filter(test)
        .map((entry) => entry.name)
        .join(", ");
    const close = nearest(name, [...entries.flatMap((entry) => [entry.name, ...entry.aliases]), ...bundledModels.keys()]);
    const meant = close === undefined ? "" : ` Did you mean ${close}?`;
    return new SpellError(
      "model-unknown",
      `Model '${name}' is not known.${meant} GGUF: ${names(({ kind }) => kind !== "text2text")}. T5: ${names(({ kind }) => kind === "text2text")}.`,
      {
        hint: "GGUF and T5 models run on CPU and GPU alike; for your own files give a path. Or take it from Ollama or the Hugging Face Hub:",
        commands: [
          ...(close === undefined ? [] : [`llmspell generate -m ${close} "Hello"`]),
          `llmspell model pull ${name.toLowerCase()}@ollama`,
          "llmspell model pull hf:OWNER/REPO",
          `llmspell model pull ./DIR --as ${name}`,
        ],
        details: { name },
      },
    );
  }

  /** A name nobody here knows was taken for one of Ollama: where that leads nowhere, the nearest name we do know is told too. */
  async function didYouMean(error: unknown, spec: ModelSpec): Promise<never> {
    const mayBeSlip = error instanceof SpellError && (error.code === "ollama-unreachable" || error.code === "model-not-installed");
    if (!mayBeSlip || spec.kind !== "name" || spec.backend !== undefined) throw error;
    const close = nearest(spec.name, [...(await catalogue()).flatMap((entry) => [entry.name, ...entry.aliases])]);
    const hint =
      close === undefined
        ? `'${spec.name}' is no name of the catalogue, so Ollama was asked. ${error.hint}`
        : `Did you mean ${close}? ${error.hint}`;
    throw new SpellError(error.code, error.message, {
      hint,
      commands: [...(close === undefined ? [] : [`llmspell model pull ${close}@candle`]), ...error.commands],
      ...(error.where === undefined ? {} : { where: error.where }),
      ...(error.details === undefined ? {} : { details: error.details }),
      cause: error,
    });
  }

  /** `name:tag` as the server knows it. */
  function ollamaName(spec: ModelSpec): string {
    switch (spec.kind) {
      case "name":
        return `${spec.name.toLowerCase()}:${spec.variant ?? "latest"}`;
      case "ollama":
        return `${spec.namespace === undefined ? "" : `${spec.namespace}/`}${spec.name}:${spec.tag ?? "latest"}`;
      case "hf":
        return `hf.co/${spec.owner}/${spec.repo}:${spec.variant ?? "latest"}`;
      default:
        throw new SpellError("spec-syntax", `${printModelSpec(spec)}: an Ollama server knows names, no files or addresses`);
    }
  }

  async function find(spec: ModelSpec): Promise<InstalledModel | undefined> {
    return findInstalled(spec, { platform, settings, catalogue: await catalogue() });
  }

  async function notInstalled(spec: ModelSpec): Promise<SpellError> {
    if (spec.kind === "name" && !(await isKnownName(spec.name))) return unknownModel(spec.name);
    const id = await printKnown(spec);
    const { models } = await listStored(platform.store);
    const similar = models.filter(({ manifest }) => manifest.id.split(":")[0] === id.split(":")[0]).map(({ manifest }) => manifest.id);
    const entry = spec.kind === "name" ? findEntry(await catalogue(), spec.name) : undefined;
    const size = entry === undefined ? "" : `; it has about ${Math.round(entry.sizeBytes / 1e6)} MB`;
    const here = similar.length === 0 ? "" : `; here is ${similar.join(", ")}`;
    return new SpellError("model-not-installed", `${id} is not in ${platform.store.place}${size}${here}`, {
      commands: [`llmspell model pull ${printModelSpec({ ...spec, backend: "candle" })}`],
      details: { modelId: id, ...(entry === undefined ? {} : { sizeBytes: entry.sizeBytes }) },
    });
  }

  /** In the catalogue's spelling. */
  async function printKnown(spec: ModelSpec): Promise<string> {
    if (spec.kind !== "name") return printModelSpec(spec).replace(/@candle$/, "");
    const entry = findEntry(await catalogue(), spec.name);
    return `${entry?.name ?? spec.name}${spec.variant === undefined ? "" : `:${spec.variant.toUpperCase()}`}`;
  }

  /** Files of a model that is here. Bundled names and paths go on as they are. */
  async function resolve(spec: ModelSpec, signal?: AbortSignal): Promise<string | ModelFiles> {
    if (spec.kind === "path") return spec.path;
    if (spec.kind === "name" && bundledModels.has(spec.name.toLowerCase()))
      return printModelSpec({ kind: "name", name: spec.name, ...(spec.variant === undefined ? {} : { variant: spec.variant }) });
    const found = (await find(spec)) ?? (await findForeign(spec));
    if (found === undefined) throw await notInstalled(spec);
    const files = await openInstalled(found, platform, signal);
    return { id: found.manifest.id, files, ...(found.variant === undefined ? {} : { variant: found.variant }) };
  }

  /** Files of other tools that make a whole model are a model that is here, without being pulled. */
  async function findForeign(spec: ModelSpec): Promise<InstalledModel | undefined> {
    if (platform.foreign === undefined) return undefined;
    const plan = await planForeign(spec).catch(() => undefined);
    if (plan === undefined || plan.files.some(({ kind }) => kind !== "external")) return undefined;
    const manifest = await pullModel(plan, platform.store, network, { maxParallel: 1, now: seconds(), describe });
    const asked = spec.kind === "name" ? spec.variant : undefined;
    const variant = variantsOfT5.find((form) => form === asked?.toLowerCase());
    return { key: plan.key, manifest, aliases: [], ...(variant === undefined || manifest.format === "gguf" ? {} : { variant }) };
  }

  async function planForeign(spec: ModelSpec): Promise<PullPlan | undefined> {
    const { foreign } = platform;
    if (foreign === undefined) return undefined;
    const context = hubContext({ offline: true });
    if (spec.kind === "ollama") return planRegistry(spec, context);
    const hub = await asHub(spec);
    if (hub === undefined || !settings.reuseHfCache) return undefined;
    const listing = await listCached(
      { ...hub.spec, ...(hub.entry?.revision === undefined ? {} : { revision: hub.entry.revision }) },
      foreign,
    );
    return listing === undefined ? undefined : reuseCache(planRepository(listing, hub, context), hub.spec, context);
  }

  /** The repository behind a spec. */
  async function asHub(
    spec: ModelSpec,
  ): Promise<{ readonly spec: HfSpec; readonly entry?: CatalogueEntry; readonly variant?: string } | undefined> {
    if (spec.kind === "hf") return { spec, ...(spec.variant === undefined ? {} : { variant: spec.variant }) };
    if (spec.kind !== "name") return undefined;
    const entry = findEntry(await catalogue(), spec.name);
    if (entry?.source === undefined) return undefined;
    const isT5Form = entry.file === undefined && variantsOfT5.some((form) => form === spec.variant?.toLowerCase());
    if (entry.file === undefined && spec.variant !== undefined && !isT5Form) {
      throw new SpellError("model-variant-unknown", `${entry.name} has no variant ${spec.variant}; available: ${variantsOfT5.join(", ")}`, {
        commands: [`llmspell model pull ${entry.name}`],
      });
    }
    return {
      spec: { kind: "hf", ...entry.source, ...(entry.revision === undefined ? {} : { revision: entry.revision }) },
      entry,
      ...(spec.variant === undefined || isT5Form ? {} : { variant: spec.variant }),
    };
  }

  const seconds = (): number => Math.floor(wallTime() / 1000);

  async function describe(files: readonly ByteSource[], signal?: AbortSignal): Promise<DescribedModel> {
    const found = await findModel({ id: files[0]?.name ?? "model", files }, platform, signal);
    const { format, architecture, quantization, parameterCount, contextLength, license } = summarizeModel(found);
    return {
      format: format as ModelManifest["format"],
      architecture,
      quantization,
      parameter_count: parameterCount ?? 0,
      context_length: contextLength,
      ...(license === undefined ? {} : { license }),
    };
  }

  /** Variant of the spec, or of --quantization; both and different is a contradiction. */
  function withQuantization(spec: ModelSpec, quantization: string | undefined): ModelSpec {
    if (quantization === undefined || spec.kind === "path" || spec.kind === "url") return spec;
    const own = spec.kind === "ollama" ? spec.tag : spec.variant;
    if (own !== undefined && own.toLowerCase() !== quantization.toLowerCase()) {
      throw new SpellError("usage-value", `--quantization ${quantization} contradicts ${printModelSpec(spec)}`, {
        where: "--quantization",
        hint: "Keep one of them.",
      });
    }
    return spec.kind === "ollama" ? { ...spec, tag: quantization } : { ...spec, variant: quantization };
  }

  async function planCandle(spec: ModelSpec, pull: PullRequest): Promise<PullPlan> {
    const context = hubContext(pull);
    if (spec.kind === "path") return planPath(spec.path, pull.as);
    if (spec.kind === "url") return planUrl(spec, context);
    if (spec.kind === "ollama") return planRegistry(spec, context);
    const hub = await asHub(spec);
    if (hub === undefined) throw await unknownModel(spec.kind === "name" ? spec.name : printModelSpec(spec));
    if (context.settings.offline) {
      const cached = await planForeign(spec);
      if (cached !== undefined) return cached;
    }
    const listing = await listRepository(hub.spec, context);
    return reuseCache(planRepository(listing, hub, context), hub.spec, context);
  }

  /** A file or folder of the user, registered where it lies. */
  async function planPath(path: string, as: string | undefined): Promise<PullPlan> {
    if (!platform.files.available) throw new SpellError("model-unknown", `${path} is a path, and ${platform.files.reason}`);
    if (as === undefined) {
      throw new SpellError("usage-value", `${path} is on this machine already; it needs no pull`, {
        hint: "Run it by its path, or give it a name:",
        commands: [`llmspell generate -m ${path} "Hello"`, `llmspell model pull ${path} --as NAME`],
      });
    }
    const { files } = await findModel(path, platform);
    return {
      id: as,
      key: aliasKey(as),
      source: "file",
      files: files.map((source): PlannedFile => ({ kind: "external", external: { path: source.name, source, verified: "none" } })),
    };
  }

  function resultOf(manifest: ModelManifest, alreadyPresent: boolean, fetched: number): PullResult {
    const path =
      manifest.files[0]?.external ??
      (manifest.files[0]?.blob === undefined ? undefined : `${platform.store.place}/blobs/${manifest.files[0].blob}`);
    return {
      model_id: manifest.id,
      backend: "candle",
      status: "complete",
      percent_complete: 100,
      bytes_downloaded: fetched,
      bytes_total: sizeOf(manifest),
      files: manifest.files.length,
      ...(path === undefined ? {} : { path }),
      verified: manifest.verified,
      already_present: alreadyPresent,
    };
  }

  async function pullOllama(spec: ModelSpec, { signal, on_progress, onEvent }: PullRequest): Promise<PullResult> {
    const name = ollamaName(spec);
    const id = `${name}@ollama`;
    let last: PullResult = {
      model_id: id,
      backend: "ollama",
      status: "starting",
      percent_complete: 0,
      bytes_downloaded: 0,
      verified: "sha256",
      already_present: false,
    };
    const before = (await ollama.list(signal)).find((model) => model.name === name)?.digest;
    let told = Number.NEGATIVE_INFINITY;
    await ollama.pull(
      name,
      ({ status, bytes, totalBytes }) => {
        const isVerifying = /^verifying|^writing/.test(status);
        last = {
          ...last,
          status: isVerifying ? "verifying" : "downloading",
          bytes_downloaded: bytes,
          ...(totalBytes === undefined ? {} : { bytes_total: totalBytes, percent_complete: percent(bytes, totalBytes) }),
        };
        onEvent?.({ type: "ollama-progress", model: id, status, bytes, totalBytes });
        if (network.clock.now() - told < progressMs) return;
        told = network.clock.now();
        on_progress?.(last);
      },
      signal,
    );
    const after = (await ollama.list(signal)).find((model) => model.name === name);
    last = {
      ...last,
      status: "complete",
      percent_complete: 100,
      ...(after === undefined ? {} : { bytes_total: after.sizeBytes }),
      already_present: before !== undefined && before === after?.digest,
    };
    on_progress?.(last);
    return last;
  }

  async function pull(text: string, pulling: PullRequest = {}): Promise<PullResult> {
    const spec = withQuantization(parse(text, pulling.allowHosts), pulling.quantization);
    const as = pulling.as === undefined ? undefined : checkModelName(pulling.as);
    if (as !== undefined && (bundledModels.has(as.toLowerCase()) || findEntry(await catalogue(), as) !== undefined)) {
      throw new SpellError("usage-value", `--as ${as}: the catalogue has a model of this name`, {
        where: "--as",
        hint: "Choose another name.",
      });
    }
    if ((await backendOf(spec)) === "ollama") return pullOllama(spec, pulling).catch((error: unknown) => didYouMean(error, spec));
    if (spec.kind === "name" && bundledModels.has(spec.name.toLowerCase())) return bundledResult(spec);
    if (pulling.force !== true) {
      const there = await find(spec).catch((error: unknown) => {
        if (error instanceof SpellError && error.code === "store-corrupt") return undefined;
        throw error;
      });
      if (there !== undefined && (await isWhole(there))) {
        await nameIt(as, there);
        const result = resultOf(there.manifest, true, 0);
        pulling.on_progress?.(result);
        return result;
      }
    }
    const plan = await planCandle(spec, pulling);
    let fetched = 0;
    const watch = progressOf(plan, pulling);
    const manifest = await pullModel(plan, platform.store, network, {
      maxParallel: settings.maxParallel,
      ...(pulling.force === undefined ? {} : { force: pulling.force }),
      ...(pulling.signal === undefined ? {} : { signal: pulling.signal }),
      now: seconds(),
      describe,
      onEvent: (event) => {
        if (event.type === "download-end") fetched = event.fetchedBytes;
        watch(event);
        pulling.onEvent?.(event);
      },
    }).catch((error: unknown) => {
      throw error instanceof SpellError ? withCommand(error, text, plan) : error;
    });
    if (fetched > 0) await platform.store.persist();
    await nameIt(as, { key: plan.key, manifest, aliases: [] });
    const result = resultOf(manifest, false, fetched);
    pulling.on_progress?.(result);
    return result;
  }

  async function bundledResult(spec: ModelSpec): Promise<PullResult> {
    const found = await findModel(printModelSpec(spec).replace(/@.*$/, ""), platform);
    return {
      model_id: found.id,
      backend: "candle",
      status: "complete",
      percent_complete: 100,
      bytes_downloaded: 0,
      bytes_total: found.files.reduce((all, { size }) => all + size, 0),
      files: found.files.length,
      verified: "sha256",
      already_present: true,
    };
  }

  /** Whether all files of a model are there; a pull mends what is not. */
  async function isWhole({ manifest }: StoredModel): Promise<boolean> {
    for (const { blob, external, size, path } of manifest.files) {
      if (blob !== undefined && (await platform.store.lookBlob(blob).catch(() => undefined))?.size !== size) return false;
      if (external !== undefined && (await platform.foreign?.openFile(external, baseName(path)))?.size !== size) return false;
    }
    return true;
  }

  async function nameIt(as: string | undefined, { key, manifest }: StoredModel): Promise<void> {
    if (as === undefined || key[0] === "as") return;
    await platform.store.writeManifest(aliasKey(as), { schema: 1, alias: as, target: key, id: manifest.id });
  }

  function progressOf(plan: PullPlan, { on_progress }: PullRequest): (event: PullEvent) => void {
    if (on_progress === undefined) return () => undefined;
    let told = Number.NEGATIVE_INFINITY;
    const base = { model_id: plan.id, backend: "candle", verified: "none", already_present: false } as const;
    return (event) => {
      if (event.type === "download-start") {
        on_progress({
          ...base,
          status: "starting",
          percent_complete: 0,
          bytes_downloaded: 0,
          ...(event.totalBytes === undefined ? {} : { bytes_total: event.totalBytes }),
        });
        return;
      }
      if (event.type !== "download-progress" || network.clock.now() - told < progressMs) return;
      told = network.clock.now();
      const { bytes, totalBytes } = event;
      on_progress({
        ...base,
        status: "downloading",
        percent_complete: percent(bytes, totalBytes),
        bytes_downloaded: bytes,
        ...(totalBytes === undefined ? {} : { bytes_total: totalBytes }),
      });
    };
  }

  /** Where a load would compute and whether it would fit. Nothing is loaded. */
  async function lookAhead(found: FoundModel, signal?: AbortSignal): Promise<Pick<ModelInfo, "fits" | "device">> {
    const preview = await previewDevice(found, platform, usual, signal === undefined ? {} : { signal }).catch((error: unknown) => {
      if (error instanceof SpellError && error.code === "device-unavailable") return undefined;
      throw error;
    });
    if (preview === undefined) return { fits: null, device: null };
    const { needs, ...report } = preview;
    const device = report.chosen ?? "cpu";
    const needed = Math.ceil(needs.memoryBytes);
    const available = isGpu(device) ? null : (platform.freeMemory?.() ?? null);
    return {
      fits: { device, needed_bytes: needed, available_bytes: available, ok: available === null || needed <= available },
      device: report,
    };
  }

  const isLoaded = (id: string): boolean => loaded.has(id);

  function recordOf({ manifest, aliases }: StoredModel): ModelRecord {
    const [file] = manifest.files;
    return {
      id: manifest.id,
      backend: "candle",
      format: manifest.format,
      architecture: manifest.architecture,
      parameter_count: manifest.parameter_count,
      quantization: manifest.quantization,
      size_bytes: sizeOf(manifest),
      modified_at: manifest.created_at,
      source: manifest.source,
      revision: manifest.revision ?? null,
      license: manifest.license ?? null,
      verified: manifest.verified,
      bundled: false,
      loaded: isLoaded(manifest.id),
      path: file?.external ?? (file?.blob === undefined ? null : `${platform.store.place}/blobs/${file.blob}`),
      aliases,
    };
  }

  function recordOfFound(found: FoundModel): ModelRecord {
    const facts = summarizeModel(found);
    const modified = modifiedOf(found.files[0] ?? { name: "", size: 0, read: () => Promise.reject(new Error()) });
    return {
      id: found.id,
      backend: "candle",
      format: facts.format as ModelRecord["format"],
      architecture: facts.architecture,
      parameter_count: facts.parameterCount ?? null,
      quantization: facts.quantization,
      size_bytes: facts.sizeBytes,
      modified_at: modified === 0 ? null : Math.floor(modified / 1000),
      source: found.bundled ? "bundled" : "file",
      revision: null,
      license: facts.license ?? null,
      verified: found.bundled ? "sha256" : "none",
      bundled: found.bundled,
      loaded: isLoaded(found.id),
      path: found.files[0]?.path ?? null,
      aliases: [],
    };
  }

  async function listCandle(): Promise<readonly ModelRecord[]> {
    const entries = await catalogue();
    const bundled = await Promise.all(
      [...bundledModels.keys()].map(async (name) => {
        const record = recordOfFound(await findModel(name, platform));
        return { ...record, license: record.license ?? findEntry(entries, name)?.license ?? null };
      }),
    );
    const { models, damaged } = await listStored(platform.store);
    for (const error of damaged) platform.log({ level: "warn", message: error.message });
    return [...bundled, ...models.map(recordOf)];
  }

  function recordOfOllama(model: OllamaModel): ModelRecord {
    return {
      id: `${model.name}@ollama`,
      backend: "ollama",
      format: "ollama",
      architecture: model.family ?? null,
      parameter_count: model.parameterCount ?? null,
      quantization: model.quantization ?? null,
      size_bytes: model.sizeBytes,
      modified_at: model.modifiedAt ?? null,
      source: "ollama",
      revision: model.digest?.slice(0, 12) ?? null,
      license: null,
      verified: "sha256",
      bundled: false,
      loaded: false,
      path: null,
      aliases: [],
    };
  }

  /** @returns backends a command speaks of. @throws SpellError backend-unknown */
  function wantedBackends(backend: string | undefined): readonly LocalBackend[] {
    const word = backend?.toLowerCase();
    if (word === undefined || word === "all") return settings.backends;
    if (word === "candle" || word === "local") return ["candle"];
    if (word === "ollama") return ["ollama"];
    throw new SpellError("backend-unknown", `Backend '${backend}' not configured and no matching builtin profile found.`, {
      hint: "Available: ollama, candle (alias local)",
      commands: ["llmspell model list"],
    });
  }

  async function listAll(backend?: string) {
    const backends: BackendResult[] = [];
    const models: ModelRecord[] = [];
    for (const each of wantedBackends(backend)) {
      try {
        models.push(...(each === "candle" ? await listCandle() : (await ollama.list()).map(recordOfOllama)));
        backends.push({ backend: each, ok: true });
      } catch (error) {
        if (!(error instanceof SpellError)) throw error;
        backends.push({ backend: each, ok: false, error });
      }
    }
    return { models, backends };
  }

  async function candleStatus(): Promise<CandleStatus> {
    const configured = settings.backends.includes("candle");
    const base = { configured, version, store: platform.store.place };
    if (!configured) return { ...base, ready: false, models: 0, error: "Not configured" };
    try {
      return { ...base, ready: true, models: (await listCandle()).length };
    } catch (error) {
      return { ...base, ready: false, models: 0, error: error instanceof Error ? error.message : String(error) };
    }
  }

  async function ollamaStatus(): Promise<OllamaStatus> {
    const configured = settings.backends.includes("ollama");
    const base = { configured, url: ollama.url };
    if (!configured) return { ...base, running: false, models: 0, error: "Not configured" };
    try {
      const [version, models] = [await ollama.version(), await ollama.list()];
      return { ...base, running: true, models: models.length, version };
    } catch (error) {
      return { ...base, running: false, models: 0, error: error instanceof Error ? error.message : String(error) };
    }
  }

  function status(): Promise<{ readonly candle: CandleStatus; readonly ollama: OllamaStatus }>;
  function status(backend: "candle"): Promise<CandleStatus>;
  function status(backend: "ollama"): Promise<OllamaStatus>;
  async function status(backend?: string): Promise<unknown> {
    if (backend === undefined || backend === "all") {
      const [candle, server] = await Promise.all([candleStatus(), ollamaStatus()]);
      return { candle, ollama: server };
    }
    return wantedBackends(backend)[0] === "candle" ? candleStatus() : ollamaStatus();
  }

  async function infoOfFound(found: FoundModel, record: ModelRecord, manifest?: ModelManifest): Promise<ModelInfo> {
    const facts = summarizeModel(found);
    return {
      ...record,
      architecture: facts.architecture,
      context_length: facts.contextLength,
      embedding_length: facts.embeddingLength,
      block_count: facts.blockCount,
      vocab_size: facts.vocabSize,
      chat_template: facts.chatTemplate ?? null,
      capabilities: facts.capabilities,
      license_url: manifest?.license_url ?? null,
      files:
        manifest?.files.map(({ path, size, sha256 }) => ({ path, size_bytes: size, sha256: sha256 ?? null })) ??
        found.files.map(({ path, name, size }) => ({ path: path ?? name, size_bytes: size, sha256: null })),
      ...(await lookAhead(found)),
      notes: facts.notes,
    };
  }

  async function infoRemote(spec: ModelSpec, signal: AbortSignal | undefined): Promise<ModelInfo> {
    const plan = await planCandle(spec, signal === undefined ? {} : { signal });
    const sources = await Promise.all(
      plan.files.map(async (file) => {
        if (file.kind === "external") return file.external.source;
        const { url, secret, path } = file.remote;
        // Redirects and secrets are the same matter here as in a download, so the same function asks.
        return httpSource(url, remoteFetch(secret), { name: baseName(path), ...(signal === undefined ? {} : { signal }) });
      }),
    );
    const found = await findModel({ id: plan.id, files: sources }, platform, signal);
    const record: ModelRecord = {
      ...recordOfFound(found),
      id: plan.id,
      source: plan.source,
      revision: plan.revision ?? null,
      license: plan.license ?? null,
      path: null,
      modified_at: null,
    };
    const info = await infoOfFound(found, record);
    return {
      ...info,
      files: plan.files.map((file) =>
        file.kind === "remote"
          ? { path: file.remote.path, size_bytes: file.remote.size ?? 0, sha256: file.remote.sha256 ?? null }
          : { path: file.external.path, size_bytes: file.external.source.size, sha256: file.external.sha256 ?? null },
      ),
    };
  }

  function remoteFetch(secret: string | undefined): typeof globalThis.fetch {
    return (input, init) => {
      const headers = new Headers(init?.headers);
      if (secret !== undefined) headers.set("authorization", secret);
      return network.fetch(input, { ...init, headers, credentials: "omit" });
    };
  }

  async function load(text: string, options: LoadOptions = {}, defaults: LoadDefaults = usual): Promise<LanguageModel> {
    const spec = parse(text);
    if ((await backendOf(spec)) === "ollama") {
      const opening = ollama.open(ollamaName(spec), {
        ...(options.contextSize === undefined ? {} : { contextSize: options.contextSize }),
        ...(options.threads === undefined ? {} : { threads: options.threads }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      return opening.catch((error: unknown) => didYouMean(error, spec));
    }
    return loadModel(await resolve(spec, options.signal), platform, defaults, options);
  }

  return {
    settings,
    ollama,
    status,
    listAll,
    async list(backend) {
      const { models, backends } = await listAll(backend);
      for (const { error, backend: name } of backends) {
        if (error !== undefined) platform.log({ level: "warn", message: `${name} is left out: ${error.message}` });
      }
      return models;
    },
    async available({ backend, kind, search, recommended } = {}) {
      const wanted = wantedBackends(backend);
      const { models } = await listStored(platform.store);
      const here = (name: string): boolean =>
        bundledModels.has(name) || models.some(({ key }) => key[0] === "catalogue" && key[1] === name.toLowerCase());
      const ours = (await catalogue()).map(
        (entry): AvailableModel => ({
          name: entry.name,
          backend: "candle",
          kind: entry.kind,
          variants: entry.file === undefined && entry.kind === "text2text" ? variantsOfT5 : entry.quants,
          default_variant: entry.defaultQuant ?? (entry.kind === "text2text" ? "f32" : null),
          size_bytes: entry.sizeBytes,
          parameter_count: entry.parameterCount,
          license: entry.license,
          description: entry.description,
          recommended: entry.recommended,
          installed: here(entry.name),
          spec: entry.name,
          source: entry.source === undefined ? "bundled" : `hf:${entry.source.owner}/${entry.source.repo}`,
        }),
      );
      const theirs = ollamaExamples.map(
        ([name, description, size]): AvailableModel => ({
          name,
          backend: "ollama",
          kind: "chat",
          variants: [],
          default_variant: name.split(":")[1] ?? null,
          size_bytes: size,
          parameter_count: null,
          license: null,
          description: `${description} (example)`,
          recommended: false,
          installed: false,
          spec: `${name}@ollama`,
          source: "example",
        }),
      );
      const words = search?.toLowerCase();
      return [...(wanted.includes("candle") ? ours : []), ...(wanted.includes("ollama") ? theirs : [])].filter(
        (model) =>
          (kind === undefined || model.kind === kind) &&
          (recommended !== true || model.recommended) &&
          (words === undefined || `${model.name} ${model.description} ${model.source}`.toLowerCase().includes(words)),
      );
    },
    async plan(text, pulling = {}) {
      const spec = withQuantization(parse(text, pulling.allowHosts), pulling.quantization);
      if ((await backendOf(spec)) === "ollama")
        return { id: `${ollamaName(spec)}@ollama`, backend: "ollama", sizeBytes: undefined, missingBytes: undefined };
      if (spec.kind === "name" && bundledModels.has(spec.name.toLowerCase())) {
        const { bytes_total } = await bundledResult(spec);
        return { id: spec.name.toLowerCase(), backend: "candle", sizeBytes: bytes_total, missingBytes: 0 };
      }
      const plan = await planCandle(spec, pulling);
      let size: number | undefined = 0;
      let missing: number | undefined = 0;
      for (const file of plan.files) {
        const bytes = file.kind === "remote" ? file.remote.size : file.external.source.size;
        size = size === undefined || bytes === undefined ? undefined : size + bytes;
        const isHere =
          file.kind === "external" ||
          (file.remote.sha256 !== undefined && (await platform.store.lookBlob(`sha256:${file.remote.sha256}`)) !== undefined);
        if (!isHere) missing = missing === undefined || bytes === undefined ? undefined : missing + bytes;
      }
      return { id: plan.id, backend: "candle", plan, sizeBytes: size, missingBytes: missing };
    },
    pull,
    async info(text, { remote, signal } = {}) {
      const spec = parse(text);
      if ((await backendOf(spec)) === "ollama") {
        const name = ollamaName(spec);
        const details = await ollama.show(name, signal);
        const model = (await ollama.list(signal)).find((each) => each.name === name);
        const running = await ollama.running(signal);
        return {
          ...recordOfOllama(model ?? { name, sizeBytes: 0 }),
          architecture: details.architecture ?? null,
          parameter_count: details.parameterCount ?? model?.parameterCount ?? null,
          quantization: details.quantization ?? null,
          license: details.license ?? null,
          loaded: running.some((each) => each.name === name),
          context_length: details.contextLength ?? null,
          embedding_length: details.embeddingLength ?? null,
          block_count: details.blockCount ?? null,
          vocab_size: null,
          chat_template: details.template ?? null,
          capabilities: details.capabilities,
          license_url: null,
          files: [],
          fits: null,
          device: null,
          notes: [],
        };
      }
      if (remote === true && spec.kind !== "path") return infoRemote(spec, signal);
      const source = await resolve(spec, signal);
      const found = await findModel(source, platform, signal);
      const stored = typeof source === "string" ? undefined : await find(spec);
      const entry = spec.kind === "name" ? findEntry(await catalogue(), spec.name) : undefined;
      const record =
        stored === undefined
          ? recordOfFound(found)
          : recordOf((await listStored(platform.store)).models.find(({ manifest }) => manifest.id === stored.manifest.id) ?? stored);
      const info = await infoOfFound(found, record, stored?.manifest);
      return { ...info, license: info.license ?? entry?.license ?? null };
    },
    async remove(text) {
      const spec = parse(text);
      if ((await backendOf(spec)) === "ollama") {
        const name = ollamaName(spec);
        const before = (await ollama.list()).find((model) => model.name === name);
        await ollama.remove(name);
        return { model_id: `${name}@ollama`, freed_bytes: before?.sizeBytes ?? 0, kept_files: [] };
      }
      if (spec.kind === "name" && bundledModels.has(spec.name.toLowerCase())) {
        throw new SpellError("model-bundled", `${spec.name} is part of the package and cannot be removed`);
      }
      if (spec.kind === "path") {
        throw new SpellError(
          "model-not-installed",
          `${spec.path} is a file of yours, not in ${platform.store.place}; it is never deleted here`,
          { hint: "Delete it yourself." },
        );
      }
      const found = await find(spec);
      if (found === undefined) throw await notInstalled(spec);
      const { store } = platform;
      const { models } = await listStored(store);
      const aliases = models.find(({ key }) => key.join("\0") === found.key.join("\0"))?.aliases ?? [];
      const used = await usedBlobs(store, (key) => key.join("\0") === found.key.join("\0"));
      // The manifest first: what is left when this stops midway is a file no model names, which prune finds.
      for (const alias of aliases) await store.removeManifest(aliasKey(alias));
      await store.removeManifest(found.key);
      let freed = 0;
      const kept: string[] = [];
      for (const { blob, external } of found.manifest.files) {
        if (blob !== undefined && !used.has(blob)) freed += await store.removeBlob(blob);
        if (external !== undefined) kept.push(external);
      }
      return { model_id: found.manifest.id, freed_bytes: freed, kept_files: kept };
    },
    async verify(text, { signal, onFile } = {}) {
      const { models, damaged } = await listStored(platform.store);
      let wanted: readonly StoredModel[] = models;
      if (text !== undefined) {
        const spec = parse(text);
        const found = await find(spec);
        if (found === undefined) throw await notInstalled(spec);
        wanted = [found];
      } else for (const error of damaged) platform.log({ level: "warn", message: error.message });
      const results: VerifyResult[] = [];
      for (const { manifest } of wanted) {
        for (const file of manifest.files) {
          const name = baseName(file.path);
          onFile?.(file.path, 0);
          const source = await (file.blob === undefined
            ? platform.foreign?.openFile(file.external ?? "", name)
            : platform.store.openBlob(file.blob, name).catch(() => undefined));
          const actual = source === undefined ? null : await hashSource(source, platform, signal);
          const expected = file.sha256 ?? null;
          const ok = actual !== null && (expected === null ? source?.size === file.size : actual === expected);
          results.push({ model_id: manifest.id, file: file.path, ok, expected, actual });
        }
      }
      return results;
    },
    async prune({ olderThanMs = 0, dryRun = false } = {}) {
      const { store } = platform;
      const isOld = ({ modifiedMs }: { readonly modifiedMs: number }): boolean => wallTime() - modifiedMs >= olderThanMs;
      const removed: { item: string; bytes: number }[] = [];
      for (const part of await store.listParts()) {
        if (part.inUse || !isOld(part)) continue;
        const bytes = dryRun ? part.size : await store.removePart(part.id);
        removed.push({ item: `parts/${part.id}`, bytes });
      }
      // A blob that came just now may belong to a pull whose manifest is about to be written.
      const used = await usedBlobs(store);
      for (const blob of await store.listBlobs()) {
        if (used.has(blob.digest) || !isOld(blob) || wallTime() - blob.modifiedMs < 3_600_000) continue;
        const bytes = dryRun ? blob.size : await store.removeBlob(blob.digest);
        removed.push({ item: `blobs/${blob.digest}`, bytes });
      }
      return removed;
    },
    async generate(text, prompt, options = {}) {
      const { device, on_token, ...rest } = options;
      const spec = parse(text);
      const backend = await backendOf(spec);
      const key = `${printModelSpec(spec)} ${device ?? ""}`;
      let loading = loaded.get(key);
      if (loading === undefined) {
        loading = load(text, {
          ...(device === undefined ? {} : { device }),
          ...(rest.signal === undefined ? {} : { signal: rest.signal }),
        });
        loaded.set(key, loading);
        loading.catch(() => loaded.delete(key));
      }
      const model = await loading;
      let answer = "";
      for await (const part of model.stream(prompt, rest)) {
        if (part.type === "text-delta") {
          answer += part.text;
          on_token?.(part.text);
        } else if (part.type === "warning") platform.log({ level: "warn", message: part.message });
        else if (part.type === "stream-end") {
          const { usage, timing, seed, finishReason, candidates } = part;
          return {
            text: answer,
            model: model.id,
            backend,
            architecture: model.architecture,
            device: model.device,
            finish_reason: finishReason,
            prompt_tokens: usage.promptTokens,
            completion_tokens: usage.completionTokens,
            seed,
            timings: {
              load_ms: timing.loadMs,
              prompt_ms: timing.prefillMs,
              first_token_ms: timing.firstTokenMs,
              generation_ms: timing.decodeMs,
              tokens_per_second: timing.decodeRate,
            },
            ...(candidates === undefined ? {} : { candidates }),
          };
        }
      }
      throw new SpellError("run-crash", "the model ended without a result");
    },
    async unload(text) {
      const prefix = text === undefined ? "" : `${printModelSpec(parse(text))} `;
      const found = [...loaded].filter(([key]) => key.startsWith(prefix));
      for (const [key, loading] of found) {
        loaded.delete(key);
        await (await loading.catch(() => undefined))?.dispose();
      }
      return found.length;
    },
    load,
    async knows(text) {
      const spec = parse(text);
      return spec.kind !== "name" || (await isKnownName(spec.name));
    },
    backendOf: async (text, preferred) => backendOf(parse(text), preferred),
    async inspect(text, signal) {
      const spec = parse(text);
      if ((await backendOf(spec)) === "ollama") throw await notInstalled({ ...spec, backend: "candle" });
      return findModel(await resolve(spec, signal), platform, signal);
    },
  };
}

function percent(bytes: number, total: number | undefined): number {
  return total === undefined || total === 0 ? 0 : Math.min(100, Math.round((1000 * bytes) / total) / 10);
}

/** The command that goes on, and how far it is. */
function withCommand(error: SpellError, text: string, plan: PullPlan): SpellError {
  const [kept, total] = [error.details?.["keptBytes"], error.details?.["totalBytes"]];
  const share =
    typeof kept === "number" && typeof total === "number" && kept > 0 && total > 0 ? Math.floor((100 * kept) / total) : undefined;
  const hint = share === undefined ? error.hint : `The same command continues at ${share}%.`;
  const repeats = error.code.startsWith("net-") && !["net-gated", "net-auth", "net-not-found"].includes(error.code);
  const command = `llmspell model pull ${text}`;
  const where = error.where === undefined ? {} : { where: error.where };
  return new SpellError(error.code, error.message, {
    hint,
    commands: repeats ? [command] : error.commands,
    ...where,
    details: { ...error.details, modelId: plan.id },
    cause: error,
  });
}
