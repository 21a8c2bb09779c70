/** The composition root: what a host hands in becomes the library a user calls. */
import {
  type FoundModel,
  findModel,
  type LoadOptions,
  loadModel,
  loadOptionNames,
  type ModelSource,
  type PreviewOptions,
  previewDevice,
  surveyDevices,
  withoutUrl,
} from "../backends/candle.ts";
import { type CandleSettings, candleSettings, ollamaSettings } from "../backends/candle-settings.ts";
import type { LocalProviders } from "../backends/model-settings.ts";
import { providerOfType } from "../config/providers.ts";
import type { ResolvedConfig } from "../config/resolve.ts";
import type { PullEvent } from "../download/pull.ts";
import { SpellError } from "../errors.ts";
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import type { Platform } from "../platform.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import { parseModelSpec, printModelSpec } from "../spec/model-spec.ts";
import type { Device, DeviceAttempt, DevicePreview, ModelNeeds } from "../spec/runtime.ts";
import { checkOptionNames } from "../text/check-call.ts";
import { createTurns, type Turns } from "../text/turns.ts";
import { type ConfigOptions, resolveConfig } from "./configuration.ts";
import { configuredModel } from "./configured-model.ts";
import type { LocalLlm } from "./local-llm.ts";
import type { LocalLlmOptions } from "./models/context.ts";
import type { OllamaPullEvent, PullOffer } from "./models/records.ts";

export interface SpellOptions extends ConfigOptions {
  readonly platform: Platform;
}

export interface SpellLoadOptions extends LoadOptions {
  /**
   * What becomes of a model that is not here. A function is told size, memory, room and expected time before a byte comes, and says whether to fetch it;
   * `true` fetches it, with one line in the log. By default nothing is fetched, and the error names the pull command.
   */
  readonly pull?: boolean | ((offer: PullOffer) => boolean | Promise<boolean>) | undefined;
  /** Progress of that pull. */
  readonly onPull?: ((event: PullEvent | OllamaPullEvent) => void) | undefined;
}

export interface Spell {
  readonly platform: Platform;
  /**
   * The effective configuration; read once, with the first call that needs it.
   * @throws SpellError config-*, env-value, profile-unknown
   */
  config(): Promise<ResolvedConfig>;
  /**
   * Lists, fetches, removes and runs local models, by the configuration.
   * @throws SpellError of config()
   */
  localLLM(): Promise<LocalLlm>;
  /**
   * Loads a model: any form of a model's name, a path to a file or folder, or a Blob; without a source the default model of the
   * configuration. One that is not here is fetched where `pull` says so. Options stand before the configuration. The caller owns the model and disposes it.
   * @throws SpellError of config(); model-not-installed with the pull command; backend-*, model-*, gguf-*, device-*, run-option, run-aborted
   */
  load(source?: ModelSource, options?: SpellLoadOptions): Promise<LanguageModel>;
  /** Reads a model's header only: architecture, sizes, limits, chat template. Nothing is loaded. */
  inspect(source: ModelSource, options?: { readonly signal?: AbortSignal | undefined }): Promise<FoundModel>;
  /** The device load() would take for a model that inspect() found, and why not the others; and what the model needs. Nothing is loaded. */
  preview(model: FoundModel, options?: PreviewOptions): Promise<DevicePreview & { readonly needs: ModelNeeds }>;
  /**
   * Looks at every device, for decoders and for T5 apart, and runs the bundled models on each that is there: seconds. Verdicts are kept, so that
   * `auto` goes by them from then on.
   */
  devices(options?: SurveyOptions): Promise<Readonly<Record<"gguf" | "t5", DevicePreview>>>;
}

export interface SurveyOptions {
  /** this device alone */
  readonly only?: Device | undefined;
  /** told of each device as soon as it is known */
  readonly onAttempt?: ((architecture: "gguf" | "t5", attempt: DeviceAttempt) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @throws SpellError run-option for options that are none */
export function createSpell({ platform, ...options }: SpellOptions): Spell {
  checkOptionNames(options, ["profile", "config", "env"], "createSpell");
  const config = once(() => resolveConfig(options, platform));
  const localLLM = once(async () => {
    const { config: values, source } = await config();
    const [{ createLocalLlm }, { modelSettings, usualProviders }, { splitLocalProvider }] = await Promise.all([
      import("./local-llm.ts"),
      import("../backends/model-settings.ts"),
      import("../backends/model-choice.ts"),
    ]);
    const optionsOf = async (names: LocalProviders): Promise<LocalLlmOptions> => {
      const candle = names.candle === undefined ? undefined : candleSettings(values, names.candle);
      const store = candle === undefined ? undefined : platform.storeAt?.(candle.modelFolder);
      return {
        platform: store === undefined ? platform : { ...platform, store },
        settings: await modelSettings(values, platform.config, names),
        defaults: candle?.load,
        configFile: source.startsWith("file:") ? source.slice("file:".length) : undefined,
      };
    };
    const usual = usualProviders(values);
    return createLocalLlm(await optionsOf(usual), async (text) => {
      const named = splitLocalProvider(values, text);
      if (named === undefined || named.provider === usual[named.backend]) return named;
      return { ...named, options: await optionsOf({ ...usual, [named.backend]: named.provider }) };
    });
  });
  /** Generations at once are counted per provider, over all its models. */
  const turnsOf = new Map<string, Turns>();

  return {
    platform,
    config,
    localLLM,
    async load(given, options = {}) {
      checkOptionNames(options, [...loadOptionNames, "pull", "onPull"], "load");
      const { pull, onPull, ...loadOptions } = options;
      const source = withoutUrl(given);
      const { provider, settings, spec, open } = await placeOf(source, await config(), platform, localLLM);
      const turns = turnsOf.get(provider) ?? createTurns(limits.waitingGenerations, settings.maxConcurrent);
      turnsOf.set(provider, turns);
      const { onProgress: _, signal: __, ...again } = loadOptions;
      const model = await open(loadOptions).catch(async (error: unknown) => {
        const isMissing = error instanceof SpellError && error.code === "model-not-installed";
        if (!isMissing || spec === undefined || pull === undefined || pull === false) throw error;
        if (!(await pullMissing(spec, await localLLM(), platform, { ...loadOptions, pull, ...(onPull === undefined ? {} : { onPull }) })))
          throw error;
        return open(loadOptions);
      });
      return configuredModel(model, {
        settings,
        turns,
        reload: (signal) => open({ ...again, ...(signal === undefined ? {} : { signal }) }),
      });
    },
    async inspect(given, inspectOptions) {
      const source = withoutUrl(given);
      if (typeof source !== "string") return findModel(source, platform, inspectOptions?.signal);
      return (await localLLM()).inspect(source, inspectOptions?.signal);
    },
    async preview(model, previewOptions) {
      const { config: values } = await config();
      return previewDevice(model, platform, candleSettings(values, providerOfType(values, "candle"))?.load, previewOptions);
    },
    async devices({ onAttempt, ...surveyOptions } = {}) {
      const survey = (architecture: "gguf" | "t5") =>
        surveyDevices(architecture, platform, { ...surveyOptions, onAttempt: (attempt) => onAttempt?.(architecture, attempt) });
      // One after the other: together they would disturb each other's times.
      const gguf = await survey("gguf");
      return { gguf, t5: await survey("t5") };
    },
  };
}

/** Where a model runs: under which provider's settings, and how it is opened. */
interface Place {
  readonly provider: string;
  readonly settings: Pick<CandleSettings, "generate" | "timeoutMs" | "maxConcurrent" | "keepAliveMs">;
  /** undefined for files that were handed in */
  readonly spec?: string | undefined;
  readonly open: (options: LoadOptions) => Promise<LanguageModel>;
}

async function placeOf(
  source: Exclude<ModelSource, URL> | undefined,
  { config, source: origin }: ResolvedConfig,
  platform: Platform,
  localLLM: () => Promise<LocalLlm>,
): Promise<Place> {
  const { chooseModel, requireCandle } = await import("../backends/model-choice.ts");
  const file = origin.startsWith("file:") ? origin.slice("file:".length) : undefined;
  if (source !== undefined && typeof source !== "string") {
    const provider = requireCandle(config, file);
    const settings = declared(candleSettings(config, provider), provider);
    return { provider, settings, open: (options) => loadModel(source, platform, settings.load, options) };
  }
  const llm = await localLLM();
  const { spec, provider: named, preferred, refuse } = chooseModel(config, source, file);
  if (refuse !== undefined && !(await llm.knows(spec))) refuse();
  const provider = named ?? providerOfType(config, await llm.backendOf(spec, preferred)) ?? "candle";
  const candle = candleSettings(config, provider);
  const settings = candle ?? declared(ollamaSettings(config, provider), provider);
  // A name that nobody gave a provider leads to the same backend again, and keeps its advice for slips.
  const full = named === undefined ? spec : withProvider(spec, provider, candle === undefined ? "ollama" : "candle");
  return { provider, settings, spec: full, open: (options) => llm.load(full, options, candle?.load) };
}

/** A file lies where it lies; where a name leads is its provider's business. */
function withProvider(text: string, provider: string, backend: string): string {
  const spec = parseModelSpec(text);
  return printModelSpec({ ...spec, backend: spec.kind === "path" || spec.kind === "url" ? backend : provider });
}

/** @returns whether the model is here now */
async function pullMissing(
  spec: string,
  llm: LocalLlm,
  platform: Platform,
  { pull, onPull, device, contextSize, signal }: SpellLoadOptions,
): Promise<boolean> {
  const stop = signal === undefined ? {} : { signal };
  const offer = await llm.offer(spec, {
    ...stop,
    ...(device === undefined ? {} : { device }),
    ...(contextSize === undefined ? {} : { contextSize }),
  });
  if (typeof pull === "function" && !(await pull(offer))) return false;
  const size = offer.missingBytes === undefined ? "" : `, ${formatCount(offer.missingBytes)} bytes`;
  platform.log({ level: "info", message: `pulling ${offer.id}${size}` });
  await llm.pull(spec, { ...stop, ...(onPull === undefined ? {} : { onEvent: onPull }) });
  return true;
}

function declared<T>(settings: T | undefined, provider: string): T {
  if (settings === undefined) throw new Error(`provider ${provider} was chosen and has no settings`);
  return settings;
}

/** The same promise for everybody; a failure is told again, not tried again. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
