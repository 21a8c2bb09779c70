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
import type { Platform } from "../platform.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { Device, DeviceAttempt, DevicePreview, ModelNeeds } from "../spec/runtime.ts";

export interface SpellOptions {
  readonly platform: Platform;
}

export interface Spell {
  readonly platform: Platform;
  /**
   * Loads a model: a bundled name, a path to a file or folder, or a Blob. The caller owns the model and disposes it.
   * @throws SpellError model-*, gguf-*, device-*, run-option, run-aborted
   */
  load(source: ModelSource, options?: LoadOptions): Promise<LanguageModel>;
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

export function createSpell({ platform }: SpellOptions): Spell {
  return {
    platform,
    load: (source, options) => loadModel(source, platform, options),
    inspect: (source, options) => findModel(source, platform, options?.signal),
    preview: (model, options) => previewDevice(model, platform, options),
    async devices({ onAttempt, ...options } = {}) {
      const survey = (architecture: "gguf" | "t5") =>
        surveyDevices(architecture, platform, { ...options, onAttempt: (attempt) => onAttempt?.(architecture, attempt) });
      // One after the other: together they would disturb each other's times.
      const gguf = await survey("gguf");
      return { gguf, t5: await survey("t5") };
    },
  };
}
