/** The composition root: what a host hands in becomes the library a user calls. */
import {
  type FoundModel,
  findModel,
  type LoadOptions,
  loadModel,
  type ModelSource,
  type PreviewOptions,
  previewDevice,
  surveyDevices,
} from "../backends/candle.ts";
import type { CandleSettings } from "../backends/candle-settings.ts";
import type { ResolvedConfig } from "../config/resolve.ts";
import { limits } from "../limits.ts";
import type { Platform } from "../platform.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { Device, DeviceAttempt, DevicePreview, ModelNeeds } from "../spec/runtime.ts";
import { createTurns, type Turns } from "../text/turns.ts";
import { type ConfigOptions, resolveConfig } from "./configuration.ts";
import { configuredModel } from "./configured-model.ts";

export interface SpellOptions extends ConfigOptions {
  readonly platform: Platform;
}

export interface Spell {
  readonly platform: Platform;
  /**
   * The effective configuration; read once, with the first call that needs it.
   * @throws SpellError config-*, env-value, profile-unknown
   */
  config(): Promise<ResolvedConfig>;
  /**
   * Loads a model: a bundled name, a path to a file or folder, or a Blob; without a source the default model of the configuration.
   * Options stand before the configuration. The caller owns the model and disposes it.
   * @throws SpellError of config(); backend-*, model-*, gguf-*, device-*, run-option, run-aborted
   */
  load(source?: ModelSource, options?: LoadOptions): Promise<LanguageModel>;
  /** Reads a model's header only: architecture, sizes, limits, chat template. Nothing is loaded. */
  inspect(source: ModelSource, options?: { readonly signal?: AbortSignal }): Promise<FoundModel>;
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
  readonly only?: Device;
  /** told of each device as soon as it is known */
  readonly onAttempt?: (architecture: "gguf" | "t5", attempt: DeviceAttempt) => void;
  readonly signal?: AbortSignal;
}

export function createSpell({ platform, ...options }: SpellOptions): Spell {
  let resolved: Promise<ResolvedConfig> | undefined;
  const config = (): Promise<ResolvedConfig> => {
    resolved ??= resolveConfig(options, platform);
    return resolved;
  };
  /** Generations at once are counted per provider, over all its models. */
  const turnsOf = new Map<string, Turns>();

  return {
    platform,
    config,
    async load(source, loadOptions = {}) {
      const { model, provider, settings } = await placeOf(source, await config());
      const turns = turnsOf.get(provider) ?? createTurns(limits.waitingGenerations, settings.maxConcurrent);
      turnsOf.set(provider, turns);
      const { onProgress: _, signal: __, ...again } = loadOptions;
      const first = await loadModel(model, platform, settings.load, loadOptions);
      return configuredModel(first, {
        settings,
        turns,
        reload: (signal) => loadModel(model, platform, settings.load, { ...again, ...(signal === undefined ? {} : { signal }) }),
      });
    },
    inspect: (source, inspectOptions) => findModel(source, platform, inspectOptions?.signal),
    async preview(model, previewOptions) {
      const { candleSettings } = await import("../backends/candle-settings.ts");
      const { config: values } = await config();
      return previewDevice(model, platform, candleSettings(values)?.load, previewOptions);
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

/** Which provider runs a model, and with which settings. */
async function placeOf(
  source: ModelSource | undefined,
  { config, source: origin }: ResolvedConfig,
): Promise<{ readonly model: ModelSource; readonly provider: string; readonly settings: CandleSettings }> {
  const [{ chooseModel, requireCandle }, { candleSettings }] = await Promise.all([
    import("../backends/model-choice.ts"),
    import("../backends/candle-settings.ts"),
  ]);
  const file = origin.startsWith("file:") ? origin.slice("file:".length) : undefined;
  const isName = source === undefined || typeof source === "string";
  const { provider, spec } = isName ? chooseModel(config, source, file) : { ...requireCandle(config, file), spec: source };
  const settings = candleSettings(config, provider);
  if (settings === undefined) throw new Error(`provider ${provider} was chosen and has no settings`);
  return { model: spec, provider, settings };
}
