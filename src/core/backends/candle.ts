/**
 * The in-process backend: finds the files of a model, lets the gate look at them, and opens them on a runtime.
 * The only place that chooses between decoders (gguf/) and T5 (t5/); the code of either is loaded when a model of its kind turns up, so that
 * a page pays for what it uses.
 */

import { exportNeeds, ggufNeeds, t5Needs } from "../devices/needs.ts";
import { SpellError } from "../errors.ts";
import { type ByteSource, blobSource } from "../formats/byte-source.ts";
import type { GgufFacts } from "../gguf/gate.ts";
import { collectShards, parseShardName } from "../gguf/shards.ts";
import { type BundledFile, bundledFiles } from "../hub/bundled.generated.ts";
import { limits } from "../limits.ts";
import type { FoundFiles, Offer, Platform } from "../platform.ts";
import { deviceChoices } from "../spec/devices.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import { parseModelSpec } from "../spec/model-spec.ts";
import type {
  DeviceChoice,
  DevicePreview,
  DeviceSurvey,
  DeviceSurveyOptions,
  GgufRuntime,
  ModelNeeds,
  Seq2SeqDraft,
  Seq2SeqRuntime,
  Seq2SeqVariant,
} from "../spec/runtime.ts";
import type { ExportFacts } from "../t5/export-files.ts";
import type { T5Facts } from "../t5/files.ts";
import { checkOptionNames } from "../text/check-call.ts";
import type { LoadDefaults } from "./candle-settings.ts";

export interface LoadOptions {
  /** default: of the configuration, `auto` there */
  readonly device?: DeviceChoice | undefined;
  /**
   * tokens. Decoders: 128 … the model's limit, default: of the configuration (4096 there), or the model's limit, whichever is smaller.
   * T5: of the input, 128 … 4096, default 512.
   */
  readonly contextSize?: number | undefined;
  /** 0 = measured on this machine; default: of the configuration, 0 there */
  readonly threads?: number | undefined;
  /**
   * T5 only: form of the weights in memory, made at load; default f32, or the variant of the model's name.
   * Of an export: one of the forms it has, by default the first of f32, q8, q4.
   */
  readonly quantization?: Seq2SeqVariant | undefined;
  /**
   * T5 only: a copy of the decoder in this form writes ahead of greedy answers and the model checks it. The text stays the same; speed is bought with memory
   * (a tenth to a quarter of the weights more). Pays from some 50 MB of weights on.
   */
  readonly draft?: Seq2SeqDraft | undefined;
  /** prompt tokens per step, default: of the configuration, 512 there; smaller aborts sooner */
  readonly batchSize?: number | undefined;
  /** Loaded share, 0 … 1 */
  readonly onProgress?: ((share: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type PreviewOptions = Pick<LoadOptions, "device" | "contextSize" | "signal">;

/** Files of a model that were found already. */
export interface ModelFiles {
  readonly id: string;
  readonly files: readonly ByteSource[];
  /** of T5: asked for by name */
  readonly variant?: Seq2SeqVariant | undefined;
}

/** A bundled name, a path to a file or folder, an address (of a local file too), the file itself, or the files of a T5 folder or of an export. */
export type ModelSource = string | URL | Blob | readonly File[];

interface FoundBase {
  readonly id: string;
  readonly bundled: boolean;
  readonly files: readonly ByteSource[];
}

/** A model whose files were found and whose headers were read. */
export type FoundModel =
  | (FoundBase & { readonly kind: "gguf"; readonly facts: GgufFacts })
  | (FoundBase & { readonly kind: "t5"; readonly facts: T5Facts; readonly variant: Seq2SeqVariant })
  /** T5, exported to ONNX for transformers.js */
  | (FoundBase & { readonly kind: "t5-onnx"; readonly facts: ExportFacts; readonly variant: Seq2SeqVariant });

export interface BundledModel {
  readonly kind: FoundModel["kind"];
  readonly architecture: string;
  /** as the format names it */
  readonly quantization: string;
  /** all files of the model's folder */
  readonly files: readonly BundledFile[];
  /** names that may follow the colon, in lower case; the first is the default */
  readonly variants: readonly string[];
}

/** Forms a T5 model can be loaded in; the first is the default. */
export const variantsOfT5: readonly Seq2SeqVariant[] = ["f32", "q8", "q4"];

/** Forms a draft can be made in. */
export const draftsOfT5: readonly Seq2SeqDraft[] = ["q8", "q4"];

/** Models inside the package. */
export const bundledModels: ReadonlyMap<string, BundledModel> = new Map<string, BundledModel>([
  ["tiny-stories", { kind: "gguf", architecture: "llama", quantization: "Q8_0", files: bundledFiles["tiny-stories"], variants: ["q8_0"] }],
  ["tiny-t5-en-fr", { kind: "t5", architecture: "t5", quantization: "F16", files: bundledFiles["tiny-t5-en-fr"], variants: variantsOfT5 }],
]);

/**
 * Finds a model's files and reads their headers; no runtime is touched.
 * @throws SpellError spec-syntax, model-*, gguf-*, safetensors-*, tokenizer-missing, usage-not-available
 */
export async function findModel(source: ModelSource | ModelFiles, platform: Platform, signal?: AbortSignal): Promise<FoundModel> {
  return readHeaders(await findFiles(source, platform), signal);
}

async function readHeaders({ kind, variant, ...base }: FoundFilesOfModel, signal: AbortSignal | undefined): Promise<FoundModel> {
  if (kind === "t5") {
    const { acceptT5, findT5Files } = await import("../t5/files.ts");
    return { ...base, kind, variant: variant ?? "f32", facts: await acceptT5(findT5Files(base.files), signal) };
  }
  if (kind === "t5-onnx") {
    const { acceptExport, findExportFiles } = await import("../t5/export-files.ts");
    const facts = await acceptExport(findExportFiles(base.files), variant, signal);
    return { ...base, kind, variant: facts.form.variant, facts };
  }
  const { acceptGguf } = await import("../gguf/gate.ts");
  return { ...base, kind, facts: await acceptGguf(base.files, signal === undefined ? {} : { signal }) };
}

/**
 * Finds, checks and opens a model.
 * @throws SpellError of findModel and of the runtime's open(); run-option for options out of range; device-unavailable where the host has no runtime
 */
export async function loadModel(
  source: ModelSource | ModelFiles,
  platform: Platform,
  defaults: LoadDefaults,
  options: LoadOptions = {},
): Promise<LanguageModel> {
  checkLoadOptions(options);
  const device = options.device ?? defaults.device;
  const found = await findFiles(source, platform);
  runtimeFor(found.kind, platform).prepare?.(device);
  const variant = options.quantization ?? found.variant;
  const model = await readHeaders({ ...found, ...(variant === undefined ? {} : { variant }) }, options.signal);
  try {
    const loaded =
      model.kind === "gguf"
        ? await loadGguf(model, runtimeOf(platform.gguf, "GGUF"), platform, defaults, options)
        : await loadT5(model, runtimeFor(model.kind, platform), platform, defaults, options);
    const { chosen, runtime } = loaded.device;
    platform.log({ level: "info", message: `${model.id} computes on ${chosen}${runtime === undefined ? "" : ` through ${runtime}`}` });
    return loaded;
  } catch (error) {
    throw withSmallerVariant(error, model);
  }
}

function runtimeFor(kind: Exclude<FoundModel["kind"], "gguf">, platform: Platform): Seq2SeqRuntime;
function runtimeFor(kind: FoundModel["kind"], platform: Platform): GgufRuntime | Seq2SeqRuntime;
function runtimeFor(kind: FoundModel["kind"], platform: Platform): GgufRuntime | Seq2SeqRuntime {
  switch (kind) {
    case "gguf":
      return runtimeOf(platform.gguf, "GGUF");
    case "t5":
      return runtimeOf(platform.seq2seq, "T5");
    case "t5-onnx":
      return runtimeOf(platform.exported, "exported T5");
    default:
      return kind satisfies never;
  }
}

/**
 * The device that load() would take, without loading: what can be seen of each, and verdicts of earlier self-tests.
 * @throws SpellError device-unavailable where the host has no runtime for the model
 */
export async function previewDevice(
  model: FoundModel,
  platform: Platform,
  defaults: LoadDefaults | undefined,
  options: PreviewOptions = {},
): Promise<DevicePreview & { readonly needs: ModelNeeds }> {
  const runtime: Partial<DeviceSurvey> = runtimeFor(model.kind, platform);
  const { device = defaults?.device ?? "auto", contextSize, signal } = options;
  const needs = needsOf(model, contextLengthOf(model, contextSize, defaults));
  const preview = await runtime.preview?.(model.files, { device, needs, signal });
  return { ...(preview ?? { tried: [] }), needs };
}

/** @param tokens that are kept */
function needsOf(model: FoundModel, tokens: number): ModelNeeds {
  if (model.kind === "gguf") return ggufNeeds(model.facts, tokens, model.files);
  return model.kind === "t5" ? t5Needs(model.facts, model.variant, tokens) : exportNeeds(model.facts, tokens);
}

/** Looks at every device for one architecture, and tests those that are there. A host without a runtime has none. */
export async function surveyDevices(architecture: "gguf" | "t5", platform: Platform, options: DeviceSurveyOptions): Promise<DevicePreview> {
  const offer: Offer<Partial<DeviceSurvey>> = architecture === "gguf" ? platform.gguf : platform.seq2seq;
  return (offer.available ? await offer.value.survey?.(options) : undefined) ?? { tried: [] };
}

/** What does not fit may fit in a smaller form: T5 makes it at load, a GGUF file has to be another one. */
function withSmallerVariant(error: unknown, model: FoundModel): unknown {
  if (!(error instanceof SpellError) || error.code !== "device-memory") return error;
  const { code, message, details, cause } = error;
  const variant = model.kind === "t5" ? model.variant : undefined;
  const smaller = variant === "f32" ? "q8" : variant === "q8" ? "q4" : undefined;
  const isNamed = model.bundled;
  const t5Command = isNamed
    ? `llmspell generate -m ${model.id}:${smaller} "Hello"`
    : `llmspell generate -m ${model.id} --quantization ${smaller} "Hello"`;
  return new SpellError(code, message, {
    hint:
      model.kind === "gguf"
        ? "Take a file of the same model with a smaller quantisation (Q4_0 takes half of Q8_0), or a shorter context."
        : smaller === undefined
          ? "Take a smaller model, or a shorter input."
          : `Take the smaller variant ${smaller}, or a shorter input.`,
    commands: [...(smaller === undefined ? [] : [t5Command]), "llmspell doctor"],
    where: model.id,
    details,
    cause,
  });
}

async function loadGguf(
  model: Extract<FoundModel, { kind: "gguf" }>,
  runtime: GgufRuntime,
  platform: Platform,
  defaults: LoadDefaults,
  options: LoadOptions,
): Promise<LanguageModel> {
  for (const name of ["quantization", "draft"] as const) {
    if (options[name] === undefined) continue;
    const why = name === "draft" ? "it is for T5 models" : "a GGUF file has one already";
    throw new SpellError("run-option", `${name}: ${why}; wanted a T5 model`, { where: name });
  }
  const limit = model.facts.contextLength;
  checkContextSize(options, limit, model.id);
  const contextLength = contextLengthOf(model, options.contextSize, defaults);
  const { openGgufModel } = await import("../gguf/model.ts");
  return openGgufModel(model, runtime, platform, {
    ...commonOptions(defaults, options),
    needs: needsOf(model, contextLength),
    contextLength,
    batchSize: options.batchSize ?? defaults.batchSize,
    ...(model.facts.bos === undefined ? {} : { bos: model.facts.bos.text }),
  });
}

/** Tokens a load keeps: of a decoder its whole context, of T5 the input. @param defaults undefined where no configuration speaks of decoders */
export function contextLengthOf(model: FoundModel, asked: number | undefined, defaults: LoadDefaults | undefined): number {
  if (model.kind !== "gguf") return asked ?? limits.seq2seqInputTokens;
  const wanted = asked ?? defaults?.contextSize ?? 0;
  const limit = model.facts.contextLength;
  return wanted === 0 ? limit : Math.min(wanted, limit);
}

async function loadT5(
  model: Exclude<FoundModel, { kind: "gguf" }>,
  runtime: Seq2SeqRuntime,
  platform: Platform,
  defaults: LoadDefaults,
  options: LoadOptions,
): Promise<LanguageModel> {
  const { id, files, facts, variant } = model;
  checkContextSize(options, limits.seq2seqMostInputTokens, id);
  const inputLength = contextLengthOf(model, options.contextSize, defaults);
  const { openT5Model } = await import("../t5/model.ts");
  return openT5Model({ id, files, generation: facts.generation }, runtime, platform, {
    ...commonOptions(defaults, options),
    needs: needsOf(model, inputLength),
    ...(options.draft === undefined ? {} : { draft: options.draft }),
    variant,
    inputLength,
  });
}

function commonOptions(defaults: LoadDefaults, { device, threads, onProgress, signal }: LoadOptions) {
  return {
    device: device ?? defaults.device,
    threads: threads ?? defaults.threads,
    onProgress,
    signal,
  };
}

function runtimeOf<T>(offer: Offer<T>, what: string): T {
  if (offer.available) return offer.value;
  throw new SpellError("device-unavailable", `no runtime for ${what} models here: ${offer.reason}`);
}

function checkContextSize({ contextSize }: LoadOptions, limit: number, id: string): void {
  if (contextSize === undefined || contextSize <= limit) return;
  throw new SpellError("run-option", `contextSize: wanted 128 … ${limit} (the limit of ${id}); got ${contextSize}`, {
    where: "contextSize",
  });
}

const optionNames: Readonly<Record<keyof LoadOptions, true>> = {
  device: true,
  contextSize: true,
  threads: true,
  quantization: true,
  draft: true,
  batchSize: true,
  onProgress: true,
  signal: true,
};

/** Names of all options of a load. */
export const loadOptionNames: readonly string[] = Object.keys(optionNames);

function checkLoadOptions(options: LoadOptions): void {
  checkOptionNames(options, loadOptionNames, "load");
  if (options.device !== undefined && !deviceChoices.includes(options.device)) {
    throw new SpellError("run-option", `device: wanted ${deviceChoices.join(", ")}; got ${JSON.stringify(options.device)}`, {
      where: "device",
    });
  }
  const check = (name: "contextSize" | "threads" | "batchSize", min: number, max: number): void => {
    const value = options[name];
    if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
    throw new SpellError("run-option", `${name}: wanted an integer, ${min} … ${max}; got ${String(value)}`, { where: name });
  };
  check("contextSize", 128, 2 ** 31 - 1);
  check("threads", 0, 1024);
  check("batchSize", 1, 16_384);
}

interface FoundFilesOfModel extends FoundBase {
  readonly kind: FoundModel["kind"];
  /** of T5: asked for by name */
  readonly variant?: Seq2SeqVariant | undefined;
}

/** An address as a model spec; that of a local file, as `new URL("./model.gguf", import.meta.url)` makes it, as a path. @throws SpellError run-option */
export function withoutUrl<T>(source: T | URL): Exclude<T, URL> | string {
  if (!(source instanceof URL)) return source as Exclude<T, URL>;
  if (source.protocol !== "file:") return source.href;
  try {
    // On Windows the drive follows the first slash.
    return decodeURIComponent(source.pathname).replace(/^\/(?=[A-Za-z]:)/, "");
  } catch (cause) {
    throw new SpellError("run-option", `${source.href}: its path cannot be decoded`, { where: source.href, cause });
  }
}

async function findFiles(given: ModelSource | ModelFiles, platform: Platform): Promise<FoundFilesOfModel> {
  const source = withoutUrl(given);
  const plain = { bundled: false } as const;
  if (typeof source !== "string" && !(source instanceof Blob) && !Array.isArray(source)) {
    if (typeof source !== "object" || source === null || !("files" in source)) throw noSource(source);
    return { ...plain, ...source, ...(await layoutOf(source.files, source.id)) };
  }
  if (typeof source !== "string") {
    const list = source instanceof Blob ? [source] : (source as readonly Blob[]);
    const wrong = list.find((file) => !(file instanceof Blob));
    if (wrong !== undefined) throw noSource(wrong);
    const files = list.map((file) =>
      blobSource("name" in file && typeof file.name === "string" && file.name !== "" ? file.name : "model.gguf", file),
    );
    const id = files.find(({ name }) => /\.(gguf|safetensors)$/i.test(name))?.name ?? files[0]?.name ?? "nothing";
    const [only] = files;
    // A file somebody chose is taken at its word, whatever its name: the gate says what it is.
    const layout =
      files.length === 1 && only !== undefined
        ? { kind: "gguf" as const, files: await collectShards(only, async () => undefined) }
        : undefined;
    return { id, ...plain, ...(layout ?? (await layoutOf(files, id))) };
  }
  const spec = parseModelSpec(source);
  if (spec.kind === "path") {
    if (!platform.files.available) throw new SpellError("model-unknown", `${source} is a path, and ${platform.files.reason}`);
    const found = await platform.files.value.look(spec.path);
    return { id: spec.path, ...plain, ...(await filesOf(found)) };
  }
  const name = spec.kind === "name" ? spec.name.toLowerCase() : "";
  const model = bundledModels.get(name);
  if (spec.kind !== "name" || model === undefined) throw new SpellError("internal-error", `${source} was to be found in the store`);
  const variant = checkBundledVariant(name, model, spec.variant);
  return {
    id: name,
    bundled: true,
    kind: model.kind,
    variant: model.kind === "gguf" ? undefined : (variantsOfT5.find((candidate) => candidate === variant) ?? "f32"),
    files: await Promise.all(model.files.map((file) => platform.bundled(name, file.name))),
  };
}

/**
 * @param asked what follows the colon of its name
 * @returns the variant in lower case
 * @throws SpellError model-variant-unknown
 */
export function checkBundledVariant(name: string, { kind, variants }: BundledModel, asked: string | undefined): string | undefined {
  const variant = asked?.toLowerCase();
  if (variant === undefined || variants.includes(variant)) return variant;
  const shown = variants.map((each) => (kind === "gguf" ? each.toUpperCase() : each));
  throw new SpellError("model-variant-unknown", `${name} has no variant ${asked}; available: ${shown.join(", ")}`, {
    commands: [`llmspell generate -m ${name}:${shown[0]} "Hello"`],
  });
}

function noSource(got: unknown): SpellError {
  const what = got === null ? "null" : typeof got;
  return new SpellError(
    "run-option",
    `source: wanted the name of a model, a path, an address, a File or Blob, or the files of a folder; got ${what}`,
    {
      where: "source",
    },
  );
}

type Layout = Pick<FoundFilesOfModel, "kind" | "files">;

/** One of the accepted layouts among files that lie together. T5 wins where both are complete; a named file wins over both. */
async function filesOf(found: FoundFiles): Promise<Layout> {
  const [first] = found.sources;
  if (found.kind === "folder") return layoutOf(found.sources, found.path);
  if (first === undefined) throw new SpellError("internal-error", `no source for ${found.path}`);
  if (/\.onnx$/i.test(first.name)) {
    throw new SpellError("model-layout", `${first.name} is one graph of several; wanted the folder of the export, with its config.json`, {
      where: found.path,
    });
  }
  if (!/\.safetensors$/i.test(first.name)) return { kind: "gguf", files: await collectShards(first, (name) => found.sibling(name)) };
  // A weight file by itself says too little: its folder is the model.
  const names = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "spiece.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
  ];
  const beside = await Promise.all(names.map((name) => found.sibling(name)));
  return { kind: "t5", files: [first, ...beside.flatMap((file) => file ?? [])] };
}

async function layoutOf(files: readonly ByteSource[], where: string): Promise<Layout> {
  const [{ looksLikeT5 }, { looksLikeExport }] = await Promise.all([import("../t5/files.ts"), import("../t5/export-files.ts")]);
  if (looksLikeT5(files)) return { kind: "t5", files };
  if (looksLikeExport(files)) return { kind: "t5-onnx", files };
  const models = files.filter(({ name }) => name.toLowerCase().endsWith(".gguf") && (parseShardName(name)?.index ?? 1) === 1);
  const [model, second] = models;
  if (model === undefined) {
    const names = files.map(({ name }) => name);
    throw new SpellError(
      "model-layout",
      `${where}: no model found; wanted one .gguf file, or config.json, *.safetensors and tokenizer.json of a T5 model, or an ONNX export of one; got ${names.length === 0 ? "an empty folder" : names.slice(0, 8).join(", ")}`,
      { where },
    );
  }
  if (second !== undefined) {
    throw new SpellError("model-ambiguous", `${where} holds ${models.length} models: ${models.map(({ name }) => name).join(", ")}`, {
      where,
      commands: [`llmspell generate -m ${model.path ?? model.name} "Hello"`],
    });
  }
  return { kind: "gguf", files: await collectShards(model, async (name) => files.find((other) => other.name === name)) };
}
