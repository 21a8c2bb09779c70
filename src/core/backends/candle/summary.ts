/** What is known of a found model, in one form for every layout: for lists, pages and the command line. */

import { exportNeeds, ggufNeeds, t5Needs } from "../../devices/needs.ts";
import { totalSize } from "../../formats/byte-source.ts";
import type { FoundModel } from "./read.ts";

export interface ModelSummary {
  readonly format: "gguf" | "safetensors" | "onnx";
  /** family named by the files: `llama`, `t5` … */
  readonly architecture: string;
  /** absent where the files do not say it */
  readonly parameterCount?: number | undefined;
  /** as the format names it: Q8_0, F16 */
  readonly quantization: string;
  /** bytes of all files */
  readonly sizeBytes: number;
  readonly license?: string | undefined;
  /** tokens; of prompt and answer together for a decoder, of the input for T5 */
  readonly contextLength: number;
  readonly embeddingLength: number;
  /** layers; of T5, both sides together */
  readonly blockCount: number;
  readonly vocabSize: number;
  readonly chatTemplate?: string | undefined;
  readonly capabilities: readonly ("completion" | "chat" | "text-to-text")[];
  readonly notes: readonly string[];
  /** Estimate of the memory a load takes on a processor. @param tokens kept at once */
  memoryBytes(tokens: number): number;
}

export function summarizeModel(model: FoundModel): ModelSummary {
  if (model.kind === "gguf") {
    const { facts } = model;
    return {
      format: "gguf",
      architecture: facts.architecture,
      parameterCount: facts.parameterCount,
      quantization: facts.quantization,
      sizeBytes: facts.fileBytes,
      license: facts.license,
      contextLength: facts.contextLength,
      embeddingLength: facts.embeddingLength,
      blockCount: facts.blockCount,
      vocabSize: facts.vocabSize,
      chatTemplate: facts.chatTemplate,
      capabilities: facts.chatTemplate === undefined ? ["completion"] : ["completion", "chat"],
      notes: facts.notes,
      memoryBytes: (tokens) => ggufNeeds(facts, tokens, model.files).memoryBytes,
    };
  }
  const { facts, files, variant } = model;
  const { config } = facts;
  const ofFiles =
    model.kind === "t5"
      ? {
          format: "safetensors" as const,
          parameterCount: model.facts.parameterCount,
          quantization: variant === "f32" ? model.facts.dtype : variant,
          sizeBytes: totalSize(files),
        }
      : { format: "onnx" as const, quantization: model.facts.form.dtype, sizeBytes: model.facts.sizeBytes };
  return {
    ...ofFiles,
    architecture: config.modelType,
    contextLength: config.nPositions,
    embeddingLength: config.dModel,
    blockCount: config.numLayers + config.numDecoderLayers,
    vocabSize: config.vocabSize,
    capabilities: ["text-to-text"],
    notes: facts.notes,
    memoryBytes: (tokens) => (model.kind === "t5" ? t5Needs(model.facts, variant, tokens) : exportNeeds(model.facts, tokens)).memoryBytes,
  };
}
