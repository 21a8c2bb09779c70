/** LanguageModel over a Seq2SeqRuntime: an input goes in as it is, each turn alone. */

import { type ByteSource, totalSize } from "../formats/byte-source.ts";
import type { Platform } from "../platform.ts";
import type { GenerateOptions, TextPrompt } from "../spec/generate.ts";
import type { Seq2SeqOpenOptions, Seq2SeqRuntime } from "../spec/runtime.ts";
import { type HandleModel, openHandleModel, randomSeed, type WrittenPrompt, warning } from "../text/handle-model.ts";
import { type ParameterDefaults, resolveSeq2SeqParameters } from "../text/parameters.ts";
import { definedOnly } from "../values.ts";
import type { T5GenerationConfig } from "./config.ts";

export interface T5ModelSource {
  readonly id: string;
  readonly files: readonly ByteSource[];
  readonly generation: T5GenerationConfig;
}

/**
 * Opens a model; it can generate when this resolves.
 * @throws SpellError of Seq2SeqRuntime.open
 */
export async function openT5Model(
  { id, files, generation }: T5ModelSource,
  runtime: Seq2SeqRuntime,
  platform: Platform,
  options: Seq2SeqOpenOptions,
): Promise<HandleModel> {
  const { onProgress: _, signal: __, ...again } = options;
  const defaults = samplingDefaults(generation);
  const told = { turns: false };
  return openHandleModel({
    id,
    architecture: "t5",
    sizeBytes: totalSize(files),
    hasChatTemplate: false,
    isSeq2Seq: true,
    notes: [],
    now: platform.now,
    device: options.device,
    open: ({ isFirst, ...choice }) => runtime.open(files, isFirst ? options : { ...again, ...choice }),
    resolve: (call) => resolveSeq2SeqParameters(call, defaults, randomSeed),
    write: async (prompt, call) => writeInput(prompt, call, told),
  });
}

/** The newest message of the user is the input: the model knows no conversation and no system prompt, and says so. */
function writeInput(prompt: TextPrompt, { system }: Pick<GenerateOptions, "system">, told: { turns: boolean }): WrittenPrompt {
  const messages = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  const warnings = [];
  if (system !== undefined || messages.some(({ role }) => role === "system")) {
    warnings.push(warning("option-ignored", "t5 models take no system prompt; it was left out"));
  }
  const said = messages.filter(({ role }) => role !== "system");
  if (said.length > 1 && !told.turns) {
    told.turns = true;
    warnings.push(warning("turn-alone", "with this model every turn stands alone: it does not see what was said before"));
  }
  return { text: said.findLast(({ role }) => role === "user")?.content ?? "", warnings };
}

/** generation_config.json by the names of our parameters. Sampling counts only where the model asks for it. */
function samplingDefaults(generation: T5GenerationConfig): ParameterDefaults {
  const { maxNewTokens, maxLength, doSample, repetitionPenalty } = generation;
  const maxTokens = maxNewTokens ?? (maxLength === undefined ? undefined : Math.max(1, maxLength - 1));
  return definedOnly({
    maxTokens,
    numBeams: generation.numBeams,
    lengthPenalty: generation.lengthPenalty,
    noRepeatNgramSize: generation.noRepeatNgramSize,
    numReturnSequences: generation.numReturnSequences,
    repeatPenalty: repetitionPenalty,
    // the reference looks at all of the answer
    repeatLastN: repetitionPenalty === undefined ? undefined : -1,
    temperature: doSample === true ? (generation.temperature ?? 1) : undefined,
    topK: doSample === true ? (generation.topK ?? 50) : undefined,
    topP: doSample === true ? (generation.topP ?? 1) : undefined,
    minP: generation.minP,
  });
}
