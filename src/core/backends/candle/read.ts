/** What the headers of a model say, what it needs, and which device a load would choose. Nothing is loaded. */

import { encoderNeeds, exportNeeds, ggufNeeds, t5Needs } from "../../devices/needs.ts";
import type { EncoderFacts } from "../../embed/facts.ts";
import { SpellError } from "../../errors.ts";
import type { GgufFacts } from "../../gguf/gate.ts";
import { limits } from "../../limits.ts";
import type { Platform } from "../../platform.ts";
import type {
  DevicePreview,
  DeviceSurvey,
  EncoderUse,
  GgufRuntime,
  ModelNeeds,
  Seq2SeqRuntime,
  Seq2SeqVariant,
} from "../../spec/runtime.ts";
import type { ExportFacts } from "../../t5/export-files.ts";
import type { T5Facts } from "../../t5/files.ts";
import type { LoadOptions } from "../backend.ts";
import type { ModelFiles } from "./layout.ts";
import type { LoadDefaults } from "./settings.ts";

interface FoundBase extends Omit<ModelFiles, "kind" | "variant"> {}

/** A model whose headers were read. */
export type FoundModel =
  | (FoundBase & { readonly kind: "gguf"; readonly facts: GgufFacts })
  | (FoundBase & { readonly kind: "t5"; readonly facts: T5Facts; readonly variant: Seq2SeqVariant })
  | (FoundBase & { readonly kind: "encoder"; readonly facts: EncoderFacts; readonly variant: Seq2SeqVariant })
  | (FoundBase & { readonly kind: "t5-onnx"; readonly facts: ExportFacts; readonly variant: Seq2SeqVariant });

/** What decides between devices. */
export type DeviceQuestion = Pick<LoadOptions, "device" | "contextSize" | "signal">;

/**
 * Reads the headers; no runtime is touched.
 * @throws SpellError model-*, gguf-*, safetensors-*, tokenizer-missing, onnx-*
 */
export async function readModel({ kind, variant, ...base }: ModelFiles, signal?: AbortSignal): Promise<FoundModel> {
  if (kind === "t5") {
    const { acceptT5, findT5Files } = await import("../../t5/files.ts");
    return { ...base, kind, variant: variant ?? "f32", facts: await acceptT5(findT5Files(base.files), signal) };
  }
  if (kind === "encoder") {
    const { acceptBert, findBertFiles, looksLikeBert } = await import("../../bert/files.ts");
    const facts = (await looksLikeBert(base.files, signal))
      ? acceptBert(findBertFiles(base.files), signal)
      : import("../../t5/encoder.ts").then(({ acceptT5Encoder }) => acceptT5Encoder(base.files, signal));
    return { ...base, kind, variant: variant ?? "f32", facts: await facts };
  }
  if (kind === "t5-onnx") {
    const { acceptExport, findExportFiles } = await import("../../t5/export-files.ts");
    const facts = await acceptExport(findExportFiles(base.files), variant, signal);
    return { ...base, kind, variant: facts.form.variant, facts };
  }
  const { acceptGguf } = await import("../../gguf/gate.ts");
  return { ...base, kind, facts: await acceptGguf(base.files, { signal }) };
}

export function runtimeFor(kind: "gguf", platform: Platform): GgufRuntime;
export function runtimeFor(kind: Exclude<FoundModel["kind"], "gguf">, platform: Platform): Seq2SeqRuntime;
export function runtimeFor(kind: FoundModel["kind"], platform: Platform): GgufRuntime | Seq2SeqRuntime;
export function runtimeFor(kind: FoundModel["kind"], { gguf, seq2seq, exported }: Platform): GgufRuntime | Seq2SeqRuntime {
  const offers = {
    gguf: [gguf, "GGUF"],
    t5: [seq2seq, "T5"],
    encoder: [seq2seq, "encoder"],
    "t5-onnx": [exported, "exported T5"],
  } as const;
  const [offer, what] = offers[kind];
  if (offer.available) return offer.value;
  throw new SpellError("device-unavailable", `no runtime for ${what} models here: ${offer.reason}`);
}

/**
 * The device that a load would choose, without loading: what can be seen of each, and verdicts of earlier self-tests.
 * @throws SpellError device-unavailable where the host has no runtime for the model
 */
export async function previewDevice(
  model: FoundModel,
  platform: Platform,
  defaults: LoadDefaults,
  { device = defaults.device, contextSize, signal }: DeviceQuestion = {},
): Promise<DevicePreview & { readonly needs: ModelNeeds }> {
  const runtime: Partial<DeviceSurvey> = runtimeFor(model.kind, platform);
  const needs = needsOf(model, contextLengthOf(model, contextSize, defaults));
  const preview = await runtime.preview?.(model.files, { device, needs, signal });
  return { ...(preview ?? { tried: [] }), needs };
}

/** @param tokens that are kept */
export function needsOf(model: FoundModel, tokens: number): ModelNeeds {
  if (model.kind === "gguf") return ggufNeeds(model.facts, tokens, model.files);
  if (model.kind === "encoder") return encoderNeeds(model.facts, model.variant, tokens);
  return model.kind === "t5" ? t5Needs(model.facts, model.variant, tokens) : exportNeeds(model.facts, tokens);
}

/** Tokens a load keeps: of a decoder its whole context, of T5 and encoders the input. */
export function contextLengthOf(model: FoundModel, asked: number | undefined, defaults?: LoadDefaults): number {
  if (model.kind === "encoder") return Math.min(asked ?? Number.POSITIVE_INFINITY, model.facts.task.contextLength);
  if (model.kind !== "gguf") return asked ?? limits.seq2seqInputTokens;
  const expected = asked ?? defaults?.contextSize ?? 0;
  return expected === 0 ? model.facts.contextLength : Math.min(expected, model.facts.contextLength);
}

/** What the files are for; undefined: writing. A decoder makes vectors too, if untrained. */
export function useOf(model: FoundModel): EncoderUse | undefined {
  if (model.kind === "encoder") return model.facts.task.use;
  if (model.kind !== "gguf") return undefined;
  if (model.facts.pooling === "rank") return "rerank";
  return model.facts.isEncoder ? "embed" : undefined;
}
