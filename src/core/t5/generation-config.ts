/** What generation_config.json recommends. None of it can make a model unusable. */

import type { Fields } from "../text/fields.ts";
import type { ParameterDefaults } from "../text/parameters.ts";
import { noteChanged, type Recommendation, readRecommendations } from "../text/recommendations.ts";

export interface T5GenerationConfig {
  /** By the names of our parameters. Sampling is among them where the model asks for it. */
  readonly defaults: ParameterDefaults;
  /** tokens of an answer before its end is allowed */
  readonly minNewTokens: number;
  /** ids never produced */
  readonly suppressTokens: readonly number[];
}

/** Settings that change the answer and that we do not do. */
const unknownSettings: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ["forced_bos_token_id", isSet],
  ["forced_eos_token_id", isSet],
  ["forced_decoder_ids", isSet],
  ["begin_suppress_tokens", isSet],
  ["bad_words_ids", isSet],
  ["force_words_ids", isSet],
  ["constraints", isSet],
  ["sequence_bias", isSet],
  ["encoder_no_repeat_ngram_size", (value) => typeof value === "number" && value > 0],
  ["encoder_repetition_penalty", (value) => typeof value === "number" && value !== 1],
  ["num_beam_groups", (value) => typeof value === "number" && value > 1],
  ["diversity_penalty", (value) => typeof value === "number" && value > 0],
  ["penalty_alpha", (value) => typeof value === "number" && value > 0],
  ["typical_p", (value) => typeof value === "number" && value < 1],
  ["epsilon_cutoff", (value) => typeof value === "number" && value > 0],
  ["eta_cutoff", (value) => typeof value === "number" && value > 0],
  ["guidance_scale", (value) => typeof value === "number" && value !== 1],
]);

export const noRecommendations: T5GenerationConfig = { defaults: {}, minNewTokens: 0, suppressTokens: [] };

export function readT5Generation(
  { file, has, raw }: Fields,
  vocabSize: number,
): { readonly generation: T5GenerationConfig; readonly notes: readonly string[] } {
  const notes = [...unknownSettings].flatMap(([name, counts]) =>
    has(name) && counts(raw(name)) ? [`${file}: ${name} is not known here; it is ignored`] : [],
  );
  const sampled = (name: string, usual: number): unknown => (raw("do_sample") === true ? (raw(name) ?? usual) : undefined);
  const countsStart = !has("max_new_tokens");
  const list: readonly Recommendation[] = [
    ["num_beams", "numBeams", raw("num_beams")],
    ["length_penalty", "lengthPenalty", raw("length_penalty")],
    ["no_repeat_ngram_size", "noRepeatNgramSize", raw("no_repeat_ngram_size")],
    ["num_return_sequences", "numReturnSequences", raw("num_return_sequences")],
    ["repetition_penalty", "repeatPenalty", raw("repetition_penalty")],
    ["temperature", "temperature", sampled("temperature", 1)],
    ["top_k", "topK", sampled("top_k", 50)],
    ["top_p", "topP", sampled("top_p", 1)],
    ["min_p", "minP", raw("min_p")],
    countsStart ? ["max_length", "maxTokens", raw("max_length")] : ["max_new_tokens", "maxTokens", raw("max_new_tokens")],
  ];
  const { values, changed } = readRecommendations(list);
  const { maxTokens, repeatPenalty } = values;
  const least = raw("min_new_tokens") ?? 0;
  const banned = [raw("suppress_tokens") ?? []].flat();
  const isCount = Number.isSafeInteger(least) && (least as number) >= 0;
  const isId = (id: unknown): id is number => Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize;
  return {
    generation: {
      defaults: {
        ...values,
        // of max_length, the start token is one
        ...(maxTokens !== undefined && countsStart && { maxTokens: Math.max(1, maxTokens - 1) }),
        // the reference looks at all of the answer
        ...(repeatPenalty !== undefined && { repeatLastN: -1 }),
      },
      minNewTokens: isCount ? (least as number) : 0,
      suppressTokens: banned.filter(isId),
    },
    notes: [
      ...notes,
      ...noteChanged(file, [
        ...changed,
        ...(isCount ? [] : ["min_new_tokens (nothing is used)"]),
        ...(banned.every(isId) ? [] : ["suppress_tokens (ids of the vocabulary are used)"]),
      ]),
    ],
  };
}

function isSet(value: unknown): boolean {
  return value !== undefined && !(Array.isArray(value) && value.length === 0);
}
