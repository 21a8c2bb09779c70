/** What is known of a found model, in one form for every layout: for lists, pages and the command line. */

import { totalSize } from "../../formats/byte-source.ts";
import type { EncoderUse } from "../../spec/runtime.ts";
import type { ModelInfo, ModelRecord } from "../models.ts";
import { type FoundModel, useOf } from "./read.ts";

type OfFiles = "parameterCount" | "sizeBytes" | "license";

/** Of its info what the files themselves say. */
export interface ModelSummary
  extends Omit<ModelInfo, Exclude<keyof ModelRecord, OfFiles> | "contextLength" | "licenseUrl" | "files" | "fits" | "device"> {
  readonly format: Exclude<ModelRecord["format"], "ollama" | null>;
  readonly architecture: string;
  readonly quantization: string;
  readonly contextLength: number;
}

const capabilityOf: Readonly<Record<EncoderUse, string>> = { embed: "embedding", rerank: "reranking" };

export function summarizeModel(model: FoundModel): ModelSummary {
  if (model.kind === "gguf") {
    const {
      architecture,
      quantization,
      contextLength,
      embeddingLength,
      blockCount,
      vocabSize,
      chatTemplate = null,
      ...facts
    } = model.facts;
    const use = useOf(model);
    return {
      ...{ architecture, quantization, contextLength, embeddingLength, blockCount, vocabSize, chatTemplate },
      format: "gguf",
      parameterCount: facts.parameterCount ?? null,
      sizeBytes: facts.fileBytes,
      license: facts.license ?? null,
      capabilities: use !== undefined ? [capabilityOf[use]] : chatTemplate === null ? ["completion"] : ["completion", "chat"],
      notes: facts.notes,
    };
  }
  if (model.kind === "encoder") {
    const { config, task, dtype, parameterCount } = model.facts;
    return {
      format: "safetensors",
      architecture: config.modelType,
      parameterCount,
      quantization: model.variant === "f32" ? dtype : model.variant,
      sizeBytes: totalSize(model.files),
      license: null,
      contextLength: task.contextLength,
      embeddingLength: model.facts.dimensions,
      blockCount: config.numLayers,
      vocabSize: config.vocabSize,
      chatTemplate: null,
      capabilities: [capabilityOf[task.use]],
      notes: task.notes,
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
      : { format: "onnx" as const, parameterCount: null, quantization: model.facts.form.dtype, sizeBytes: model.facts.sizeBytes };
  return {
    ...ofFiles,
    architecture: config.modelType,
    license: null,
    contextLength: config.nPositions,
    embeddingLength: config.dModel,
    blockCount: config.numLayers + config.numDecoderLayers,
    vocabSize: config.vocabSize,
    chatTemplate: null,
    capabilities: ["text-to-text"],
    notes: facts.notes,
  };
}
