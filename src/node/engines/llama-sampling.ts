/** How tokens are drawn, by the names of node-llama-cpp and of its binding. */
import type { LlamaContextSequence, Token } from "node-llama-cpp";
import type { TokenSampling } from "../../core/spec/sampling.ts";
import type { SamplerConfig } from "./llama-steps.ts";

/**
 * Options by their names there. The engine's own chain is penalties, top_k, top_p, min_p, temperature, draw.
 * The penalties look at the last tokens of prompt and answer together, as llama.cpp's server does.
 */
export function toEvaluateOptions(
  sampling: TokenSampling,
  history: readonly Token[],
  contextLength: number,
): Parameters<LlamaContextSequence["evaluate"]>[1] {
  const { penalties, seed } = sampling;
  const { temperature, topK = 0, topP = 1, minP = 0 } = sampling.kind === "random" ? sampling : { temperature: 0 };
  const window = penalties?.lastTokens === "all" ? contextLength : (penalties?.lastTokens ?? 0);
  return {
    temperature,
    topK,
    topP,
    minP,
    // llama.cpp takes the largest 32-bit number for "draw a seed yourself"
    seed: Math.min(seed, 0xffff_fffe),
    ...(penalties && {
      repeatPenalty: {
        penalty: penalties.repeatPenalty,
        presencePenalty: penalties.presencePenalty,
        frequencyPenalty: penalties.frequencyPenalty,
        maxPunishTokens: window,
        punishTokens: () => history.slice(-window),
      },
    }),
  };
}

/** The same by the names of the binding below. */
export function toSamplerConfig(sampling: TokenSampling, history: readonly Token[], contextLength: number): SamplerConfig {
  const {
    temperature = 0,
    topK = 0,
    topP = 1,
    minP = 0,
    seed = 0,
    repeatPenalty,
  } = toEvaluateOptions(sampling, history, contextLength) ?? {};
  const config = { temperature, topK, topP, minP, seed };
  if (!repeatPenalty) return config;
  const { penalty = 1, presencePenalty = 0, frequencyPenalty = 0, maxPunishTokens = 0 } = repeatPenalty;
  return {
    ...config,
    repeatPenalty: penalty,
    repeatPenaltyMaxTokens: maxPunishTokens,
    repeatPenaltyTokens: Uint32Array.from(maxPunishTokens > 0 ? history.slice(-maxPunishTokens) : []),
    repeatPenaltyPresencePenalty: presencePenalty,
    repeatPenaltyFrequencyPenalty: frequencyPenalty,
  };
}
