/** LanguageModel over a GgufRuntime: how a decoder's prompt is written and which options count. The gate has accepted the files before. */
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { Platform } from "../platform.ts";
import type { GgufOpenOptions, GgufRuntime } from "../spec/runtime.ts";
import { type HandleModel, openHandleModel, randomSeed } from "../text/handle-model.ts";
import { resolveDecoderParameters } from "../text/parameters.ts";
import { createPromptWriter } from "./chat.ts";
import type { GgufFacts } from "./gate.ts";

export interface GgufModelSource {
  readonly id: string;
  /** in order, accepted by the gate */
  readonly files: readonly ByteSource[];
  readonly facts: GgufFacts;
}

/**
 * Opens a model; it can generate when this resolves.
 * @throws SpellError of GgufRuntime.open
 */
export async function openGgufModel(
  { id, files, facts }: GgufModelSource,
  runtime: GgufRuntime,
  platform: Platform,
  options: GgufOpenOptions,
): Promise<HandleModel> {
  const writePrompt = createPromptWriter(facts, platform.isolate);
  return openHandleModel({
    id,
    architecture: facts.architecture,
    files,
    runtime,
    options,
    hasChatTemplate: facts.chatTemplate !== undefined,
    isSeq2Seq: false,
    longestContext: facts.contextLength,
    notes: facts.notes,
    now: platform.now,
    resolve: (call) => resolveDecoderParameters(call, facts.samplingDefaults, randomSeed),
    async write(prompt, call) {
      const written = await writePrompt(prompt, call);
      if (written.text === "" && facts.bos === undefined) {
        throw new SpellError("run-option", "the prompt is empty, and this model has no begin-of-sequence token", { where: "prompt" });
      }
      return written;
    },
  });
}
