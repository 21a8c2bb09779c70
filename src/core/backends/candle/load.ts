/**
 * Opens a model in this process: its headers pass the gate, a device is chosen, and a runtime loads it. The only place that chooses between GGUF
 * (gguf/), T5 (t5/) and BERT (bert/); the code of each is imported with the first model of its kind, so that a page pays for what it uses.
 */
import { SpellError } from "../../errors.ts";
import { limits } from "../../limits.ts";
import type { Platform } from "../../platform.ts";
import { isModelSpec, type ModelSpec } from "../../spec/model-spec.ts";
import type { EncoderUse, Seq2SeqVariant } from "../../spec/runtime.ts";
import { definedOnly } from "../../values.ts";
import type { FileSource, FindOptions, FoundModelEntry, OpenedModel } from "../backend.ts";
import { type AskedOptions, checkContextSize, type LocalOpened } from "./asked.ts";
import { asT5Variant, variantsOfT5 } from "./bundled.ts";
import type { CandleContext } from "./context.ts";
import type { ModelFiles } from "./layout.ts";
import { locate } from "./locate.ts";
import { contextLengthOf, type FoundModel, needsOf, readModel, runtimeFor, useOf } from "./read.ts";
import type { LoadDefaults } from "./settings.ts";

/** Finds the files of a model for the pool. @throws SpellError model-*, store-*; run-option for a variant the files do not have */
export async function findModel(context: CandleContext, source: ModelSpec | FileSource, options: FindOptions): Promise<FoundModelEntry> {
  const { signal, onProgress: _, ...given } = options;
  const located = await locate(context, source, signal);
  const files = { ...located, variant: variantOf(located, given.quantization) };
  const asked = { ...context.defaults, contextSize: undefined, ...definedOnly(given), quantization: files.variant };
  return {
    id: files.id,
    // Files that were handed in have a name and no identity; those that were replaced are others.
    key: isModelSpec(source) ? `${files.id} ${JSON.stringify([asked, files.files.map(({ version }) => version)])}` : crypto.randomUUID(),
    isCurrent: async () => (await Promise.all(files.files.map((file) => file.isCurrent?.() ?? true))).every(Boolean),
    open: (opening) => openModel(files, context, { ...asked, ...opening }),
  };
}

/** T5 takes any form at load; a GGUF file has the one it has. @throws SpellError run-option */
function variantOf({ kind, variant, id }: ModelFiles, quantization: string | undefined): Seq2SeqVariant | undefined {
  if (quantization === undefined) return variant;
  const form = asT5Variant(quantization);
  if (kind !== "gguf" && form !== undefined) return form;
  const expected = kind === "gguf" ? "a checkpoint, or a named one: a GGUF file has one already" : variantsOfT5.join(", ");
  throw new SpellError("run-option", `quantization: expected ${expected}; got ${quantization} for ${id}`, { where: "quantization" });
}

async function openModel(files: ModelFiles, { platform, defaults }: CandleContext, options: AskedOptions): Promise<OpenedModel> {
  runtimeFor(files.kind, platform).prepare?.(options.device);
  const model = await readModel(files, options.signal);
  try {
    const opened = await openFound(model, platform, defaults, options);
    const { chosen, runtime } = opened.device;
    // one model may be loaded for each of its uses
    const what = { embed: "vectors ", rerank: "scores ", text: "" }[options.use ?? "text"];
    platform.log({
      level: "info",
      message: `${model.id} computes ${what}on ${chosen}${runtime === undefined ? "" : ` through ${runtime}`}`,
    });
    return opened;
  } catch (error) {
    throw withSmallerVariant(error, model);
  }
}

async function openFound(model: FoundModel, platform: Platform, defaults: LoadDefaults, options: AskedOptions): Promise<LocalOpened> {
  if (options.pooling !== undefined && options.use !== "embed")
    throw new SpellError("run-option", `pooling: expected none where ${model.id} makes no vectors`, { where: "pooling" });
  if (options.use !== undefined) return (await import("./encoder.ts")).openEncoder(model, options.use, platform, defaults, options);
  const use = useOf(model);
  if (use !== undefined || model.kind === "encoder") throw writesNone(model, use ?? "embed");
  return model.kind === "gguf" ? openGguf(model, platform, defaults, options) : openT5(model, platform, options);
}

async function openGguf(model: Extract<FoundModel, { kind: "gguf" }>, platform: Platform, defaults: LoadDefaults, options: AskedOptions) {
  if (options.draft !== undefined) throw new SpellError("run-option", "draft: expected a T5 model, got a GGUF file", { where: "draft" });
  checkContextSize(options, model.facts.contextLength, model.id);
  const contextLength = contextLengthOf(model, options.contextSize, defaults);
  const { openGgufModel } = await import("../../gguf/model.ts");
  const { device, threads, batchSize, onProgress, signal } = options;
  const needs = needsOf(model, contextLength);
  return openGgufModel(model, runtimeFor("gguf", platform), platform, {
    ...{ device, threads, batchSize, onProgress, signal, needs, contextLength },
    bos: model.facts.bos?.text,
    heads: { count: model.facts.headCount, size: model.facts.headSize },
    keep: { model: model.id, mostBytes: options.keptBytes },
  });
}

async function openT5(model: Exclude<FoundModel, { kind: "gguf" | "encoder" }>, platform: Platform, options: AskedOptions) {
  const { id, files, facts, variant } = model;
  checkContextSize(options, limits.seq2seqMostInputTokens, id);
  const inputLength = contextLengthOf(model, options.contextSize);
  const { openT5Model } = await import("../../t5/model.ts");
  const { device, threads, draft, onProgress, signal } = options;
  const needs = needsOf(model, inputLength);
  return openT5Model({ id, files, facts }, runtimeFor(model.kind, platform), platform, {
    ...{ device, threads, draft, onProgress, signal, needs, variant, inputLength },
  });
}

function writesNone(model: FoundModel, use: EncoderUse): SpellError {
  const { id } = model;
  const architecture = model.kind === "gguf" ? model.facts.architecture : model.facts.config.modelType;
  const makes = use === "embed" ? "makes embeddings" : "scores pairs of texts";
  const hint = use === "embed" ? "Its vectors come from embed" : "Its scores come from similar";
  return new SpellError("model-architecture", `${id} ${makes}, not text (${architecture})`, {
    where: id,
    hint: `${hint}; for text use a language model:`,
    actions: [
      { kind: use, model: id },
      { kind: "run", model: "tiny-stories" },
    ],
  });
}

/** What does not fit may fit in a smaller form: T5 makes it at load, a GGUF model has it in another file. */
function withSmallerVariant(error: unknown, model: FoundModel): unknown {
  if (!(error instanceof SpellError) || error.code !== "device-memory") return error;
  const smaller =
    model.kind !== "t5" && model.kind !== "encoder" ? undefined : ({ f32: "q8", q8: "q4", q4: undefined } as const)[model.variant];
  const run = model.bundled
    ? { kind: "run" as const, model: `${model.id}:${smaller}` }
    : { kind: "run" as const, model: model.id, quantization: smaller };
  return error.with({
    hint:
      model.kind === "gguf"
        ? "Use a file of the same model with a smaller quantisation (Q4_0 takes half of Q8_0), or a shorter context."
        : smaller === undefined
          ? "Use a smaller model, or a shorter input."
          : `Use the smaller variant ${smaller}, or a shorter input.`,
    actions: [...(smaller === undefined ? [] : [run]), { kind: "diagnose" }],
    where: model.id,
  });
}
