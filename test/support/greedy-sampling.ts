import type { GgufSampling } from "../../src/core/spec/runtime.ts";

/** Every choice the likeliest, no penalty. */
export const greedySampling: GgufSampling = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repeatPenalty: 1,
  repeatLastN: -1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  seed: 1,
};
