/** A LanguageModel over the scripted runtime, without any file. */

import { bytesSource } from "../formats/byte-source.ts";
import { openGgufModel } from "../gguf/model.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import { memoryPlatform } from "./memory-platform.ts";
import { type ScriptedRuntimeOptions, scriptedRuntime } from "./scripted-runtime.ts";

export interface ScriptedModelOptions extends ScriptedRuntimeOptions {
  readonly id?: string | undefined;
  /** tokens (words), default 512 */
  readonly contextLength?: number | undefined;
  readonly chatTemplate?: string | undefined;
  readonly controlTokens?: readonly string[] | undefined;
}

/** @returns a model that answers from a script and keeps the whole contract: queue, abort, stop strings, counts, dispose */
export function scriptedModel(options: ScriptedModelOptions = {}): Promise<LanguageModel> {
  const runtime = scriptedRuntime(options);
  const contextLength = options.contextLength ?? 512;
  const file = bytesSource("scripted.gguf", new Uint8Array(1));
  const facts = {
    architecture: "llama",
    quantization: "F32",
    parameterCount: 0,
    contextLength,
    embeddingLength: 1,
    blockCount: 1,
    headCount: 1,
    kvHeadCount: 1,
    vocabSize: 0,
    fileBytes: file.size,
    largestTensorBytes: 1,
    kvBytesPerToken: 0,
    bos: { id: 1, text: "<s>" },
    eos: { id: 2, text: "</s>" },
    controlTokens: options.controlTokens ?? ["<s>", "</s>"],
    samplingDefaults: {},
    notes: [],
    chatTemplate: options.chatTemplate,
  };
  return openGgufModel({ id: options.id ?? "scripted", files: [file], facts }, runtime, memoryPlatform({ gguf: runtime }), {
    device: "auto",
    contextLength,
    batchSize: 512,
    threads: 0,
  });
}
