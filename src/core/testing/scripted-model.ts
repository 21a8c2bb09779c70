/** A LanguageModel over the scripted runtime, without any file. */

import { createPool } from "../api/pool.ts";
import type { FoundModelEntry } from "../backends/backend.ts";
import { bytesSource } from "../formats/byte-source.ts";
import { openGgufModel } from "../gguf/model.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { GgufRuntime } from "../spec/runtime.ts";
import { memoryPlatform } from "./memory-platform.ts";
import { type ScriptedRuntimeOptions, scriptedRuntime } from "./scripted-runtime.ts";

export interface ScriptedModelOptions extends ScriptedRuntimeOptions {
  readonly id?: string | undefined;
  /** tokens (words), default 512 */
  readonly contextLength?: number | undefined;
  readonly chatTemplate?: string | undefined;
  readonly controlTokens?: readonly string[] | undefined;
  /** default: scriptedRuntime() of the same options */
  readonly runtime?: GgufRuntime | undefined;
}

/** @returns a model that answers from a script and keeps the whole contract: queue, abort, stop strings, counts, dispose */
export function scriptedModel(options: ScriptedModelOptions = {}): Promise<LanguageModel> {
  const { runtime = scriptedRuntime(options) } = options;
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
    headSize: 64,
    kvHeadCount: 1,
    vocabSize: 0,
    fileBytes: file.size,
    largestTensorBytes: 1,
    kvBytesPerToken: 0,
    bos: { id: 1, text: "<s>" },
    eos: { id: 2, text: "</s>" },
    controlTokens: options.controlTokens ?? ["<s>", "</s>"],
    isEncoder: false,
    samplingDefaults: {},
    notes: [],
    chatTemplate: options.chatTemplate,
  };
  const id = options.id ?? "scripted";
  return pooledModel({
    id,
    key: id,
    open: () =>
      openGgufModel({ id, files: [file], facts }, runtime, memoryPlatform({ gguf: runtime }), {
        device: "auto",
        contextLength,
        batchSize: 512,
        threads: 0,
      }),
  });
}

/** One model in a pool of its own, under the default settings of calls. */
export function pooledModel(entry: FoundModelEntry): Promise<LanguageModel> {
  const calls = { generate: {}, timeoutMs: 900_000, maxConcurrent: 1, maxPerModel: 1, keepAliveMs: undefined };
  return createPool().load({ name: "candle", type: "candle", calls, find: async () => entry }, { kind: "name", name: entry.id }, {});
}
