/** LanguageModel over a Seq2SeqRuntime: an input goes in as it is, each turn alone. */

import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { Platform } from "../platform.ts";
import type { ChatPrompt, GenerateOptions } from "../spec/generate.ts";
import type { Seq2SeqOpenOptions, Seq2SeqRuntime } from "../spec/runtime.ts";
import { warning } from "../text/answer.ts";
import { refuseContinue, refuseToolMessages } from "../text/check-call.ts";
import { refuseTools } from "../text/check-tools.ts";
import { type HandleModel, openHandleModel, randomSeed, type WrittenPrompt } from "../text/handle-model.ts";
import { resolveSeq2SeqParameters } from "../text/parameters.ts";
import type { T5Configs } from "./config.ts";

export interface T5ModelSource {
  readonly id: string;
  readonly files: readonly ByteSource[];
  readonly facts: Pick<T5Configs, "config" | "generation">;
}

/**
 * Opens a model; it can generate when this resolves.
 * @throws SpellError of Seq2SeqRuntime.open
 */
export async function openT5Model(
  { id, files, facts: { config, generation } }: T5ModelSource,
  runtime: Seq2SeqRuntime,
  platform: Platform,
  options: Seq2SeqOpenOptions,
): Promise<HandleModel> {
  const told = { turns: false, draft: false };
  const resolve = (call: GenerateOptions) => resolveSeq2SeqParameters(call, generation.defaults, randomSeed);
  return openHandleModel({
    id,
    architecture: config.modelType,
    files,
    runtime,
    options,
    hasChatTemplate: false,
    isSeq2Seq: true,
    notes: [],
    now: platform.now,
    resolve,
    async write(prompt, call) {
      const input = writeInput(prompt, call, told);
      const { kind } = resolve(call).options.sampling;
      if (options.draft === undefined || kind === "greedy" || told.draft) return input;
      told.draft = true;
      const why = kind === "beam" ? "with beams" : "where answers are sampled";
      return {
        ...input,
        warnings: [...input.warnings, warning("option-ignored", `a draft is not used ${why}; it was left out`, ["draft"])],
      };
    },
  });
}

/** The newest message of the user is the input: the model knows no conversation and no system prompt, and says so. */
function writeInput(prompt: ChatPrompt, options: GenerateOptions, told: { turns: boolean }): WrittenPrompt {
  const { system } = options;
  refuseContinue(options, "a t5 model");
  refuseTools(options, "t5 models take none");
  refuseToolMessages(prompt, "t5 models");
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
  const asked = said.findLast(({ role }) => role === "user");
  if (asked === undefined)
    throw new SpellError("run-option", "prompt: expected a message of the user, which is a t5 model's input; got none", {
      where: "prompt",
    });
  return { text: asked.content, warnings };
}
