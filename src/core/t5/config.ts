/** config.json and generation_config.json of a T5 model, as checked records. Field names are the reference's own, in camelCase. */

import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { limits } from "../limits.ts";
import { readConfigJson } from "../text/config-json.ts";
import type { ParameterDefaults } from "../text/parameters.ts";
import { definedOnly } from "../values.ts";

export interface T5Config {
  readonly dModel: number;
  readonly dKv: number;
  readonly dFf: number;
  readonly numHeads: number;
  readonly numLayers: number;
  readonly numDecoderLayers: number;
  readonly vocabSize: number;
  readonly relativeAttentionNumBuckets: number;
  readonly relativeAttentionMaxDistance: number;
  readonly layerNormEpsilon: number;
  /** `relu` (T5 1.0), `gelu_new` (T5 1.1, FLAN) */
  readonly activation: "relu" | "gelu_new";
  /** Two input projections, multiplied. */
  readonly isGated: boolean;
  /** Whether logits are scaled by dModel^-0.5: scale_decoder_outputs, where absent tie_word_embeddings is not false. */
  readonly scaleDecoderOutputs: boolean;
  readonly padTokenId: number;
  /** at least one */
  readonly eosTokenIds: readonly number[];
  readonly decoderStartTokenId: number;
  /** tokens the model was trained on, default 512 */
  readonly nPositions: number;
}

/** What generation_config.json recommends; absent = it says nothing. Sampling counts only where the file asks for it. */
export interface T5GenerationConfig extends ParameterDefaults {
  readonly minNewTokens?: number | undefined;
  /** ids never produced */
  readonly suppressTokens?: readonly number[] | undefined;
}

export interface T5Configs {
  /** generation_config.json already applied to the token ids */
  readonly config: T5Config;
  readonly generation: T5GenerationConfig;
  /** Facts to show once: fields that ask for code and were ignored, settings that have no effect here. */
  readonly notes: readonly string[];
}

/** Classes of transformers whose weights are an encoder and a decoder with a head. */
const generatingClasses = ["T5ForConditionalGeneration", "T5WithLMHeadModel"];
/** Fields that would run code of the repository elsewhere. Nothing from a repository is ever run here. */
const codeFields = ["auto_map", "trust_remote_code", "_attn_implementation_internal"];
/** Settings of generation_config.json that change the answer and that we do not do. */
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

/** @throws SpellError model-config-json, model-config-field, model-architecture, run-aborted */
export async function readT5Configs(config: ByteSource, generation: ByteSource | undefined, signal?: AbortSignal): Promise<T5Configs> {
  const fields = await readFields(config, signal);
  const more = generation === undefined ? undefined : await readFields(generation, signal);
  fields.checkArchitecture();
  const notes = codeFields
    .filter((name) => fields.has(name))
    .map((name) => `config.json: ${name} asks for code of the repository; it is ignored`);
  for (const [name, counts] of unknownSettings) {
    if (more?.has(name) === true && counts(more.raw(name))) notes.push(`generation_config.json: ${name} is not known here; it is ignored`);
  }
  const projection = fields.projection();
  const numLayers = fields.integer("num_layers", 1, limits.t5Layers) ?? 6;
  const vocabSize = fields.needed("vocab_size", 1, limits.t5Vocabulary);
  const id = (from: Fields | undefined, name: string): number | undefined => from?.integer(name, 0, vocabSize - 1);
  const padTokenId = id(more, "pad_token_id") ?? id(fields, "pad_token_id") ?? 0;
  const dModel = fields.needed("d_model", 1, limits.t5Width);
  const buckets = fields.integer("relative_attention_num_buckets", 4, limits.t5Buckets) ?? 32;
  if (buckets % 2 !== 0) throw fields.wrong("relative_attention_num_buckets", "an even integer", buckets);
  const maxDistance = fields.integer("relative_attention_max_distance", 1, limits.t5MaxDistance) ?? 128;
  // Below this the logarithmic steps have no room, and the reference divides by nothing.
  if (maxDistance <= buckets / 2)
    throw fields.wrong("relative_attention_max_distance", `more than half the buckets (${buckets / 2})`, maxDistance);
  return {
    config: {
      dModel,
      dKv: fields.integer("d_kv", 1, limits.t5Width) ?? 64,
      dFf: fields.needed("d_ff", 1, limits.t5FeedForward),
      numHeads: fields.needed("num_heads", 1, limits.t5Heads),
      numLayers,
      numDecoderLayers: fields.integer("num_decoder_layers", 1, limits.t5Layers) ?? numLayers,
      vocabSize,
      relativeAttentionNumBuckets: buckets,
      relativeAttentionMaxDistance: maxDistance,
      layerNormEpsilon: fields.number("layer_norm_epsilon", 0, 1) ?? 1e-6,
      ...projection,
      scaleDecoderOutputs: fields.boolean("scale_decoder_outputs") ?? fields.boolean("tie_word_embeddings") ?? true,
      padTokenId,
      eosTokenIds: more?.ids("eos_token_id", vocabSize) ?? fields.ids("eos_token_id", vocabSize) ?? [1],
      decoderStartTokenId: id(more, "decoder_start_token_id") ?? id(fields, "decoder_start_token_id") ?? padTokenId,
      nPositions: fields.integer("n_positions", 1, 2 ** 31 - 1) ?? 512,
    },
    generation: more === undefined ? {} : readGeneration(more, vocabSize),
    notes,
  };
}

function readGeneration(fields: Fields, vocabSize: number): T5GenerationConfig {
  const repeatPenalty = fields.number("repetition_penalty", Number.MIN_VALUE, 2);
  const temperature = fields.number("temperature", 0, 100) ?? 1;
  const topK = fields.integer("top_k", 0, 100_000) ?? 50;
  const topP = fields.number("top_p", Number.MIN_VALUE, 1) ?? 1;
  const maxNewTokens = fields.integer("max_new_tokens", 1, 131_072);
  // decoder tokens, the start token included
  const maxLength = fields.integer("max_length", 1, 131_073);
  return definedOnly({
    numBeams: fields.integer("num_beams", 1, 16),
    lengthPenalty: fields.number("length_penalty", -5, 5),
    noRepeatNgramSize: fields.integer("no_repeat_ngram_size", 0, 16),
    numReturnSequences: fields.integer("num_return_sequences", 1, 16),
    repeatPenalty,
    // the reference looks at all of the answer
    repeatLastN: repeatPenalty === undefined ? undefined : -1,
    ...(fields.boolean("do_sample") === true ? { temperature, topK, topP } : {}),
    minP: fields.number("min_p", 0, 1),
    maxTokens: maxNewTokens ?? (maxLength === undefined ? undefined : Math.max(1, maxLength - 1)),
    minNewTokens: fields.integer("min_new_tokens", 0, 131_072),
    suppressTokens: fields.ids("suppress_tokens", vocabSize),
  });
}

type Fields = Awaited<ReturnType<typeof readFields>>;

/** Fields of one file, each read with its type and range. null counts as absent, as the reference writes it. */
async function readFields(source: ByteSource, signal: AbortSignal | undefined) {
  const json = await readConfigJson(source, signal);
  const wrong = (name: string, wanted: string, got: unknown): SpellError =>
    new SpellError("model-config-field", `${source.name}: ${name}: expected ${wanted}, got ${String(JSON.stringify(got)).slice(0, 80)}`, {
      where: name,
    });
  const raw = (name: string): unknown => (Object.hasOwn(json, name) ? (json[name] ?? undefined) : undefined);
  const number = (name: string, min: number, max: number, wanted = "a number"): number | undefined => {
    const value = raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !(value >= min && value <= max) || (wanted !== "a number" && !Number.isInteger(value))) {
      throw wrong(name, `${wanted}, ${min === Number.MIN_VALUE ? "above 0" : min} … ${max}`, value);
    }
    return value;
  };
  const integer = (name: string, min: number, max: number): number | undefined => number(name, min, max, "an integer");
  return {
    has: (name: string): boolean => raw(name) !== undefined,
    raw,
    integer,
    needed(name: string, min: number, max: number): number {
      const value = integer(name, min, max);
      if (value === undefined) throw wrong(name, `an integer, ${min} … ${max}`, null);
      return value;
    },
    number,
    boolean(name: string): boolean | undefined {
      const value = raw(name);
      if (value !== undefined && typeof value !== "boolean") throw wrong(name, "true or false", value);
      return value;
    },
    /** one id, or a list of them; an empty list counts as absent */
    ids(name: string, vocabSize: number): readonly number[] | undefined {
      const value = raw(name);
      if (value === undefined) return undefined;
      const list: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (list.length > 4096 || !list.every((id) => Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize)) {
        throw wrong(name, `token ids from 0 to ${vocabSize - 1}`, value);
      }
      return list.length === 0 ? undefined : (list as readonly number[]);
    },
    projection(): Pick<T5Config, "activation" | "isGated"> {
      const value = raw("feed_forward_proj") ?? "relu";
      const known: Readonly<Record<string, Pick<T5Config, "activation" | "isGated">>> = {
        relu: { activation: "relu", isGated: false },
        gelu_new: { activation: "gelu_new", isGated: false },
        "gated-relu": { activation: "relu", isGated: true },
        "gated-gelu": { activation: "gelu_new", isGated: true },
        "gated-gelu_new": { activation: "gelu_new", isGated: true },
      };
      if (typeof value !== "string" || !Object.hasOwn(known, value)) throw wrong("feed_forward_proj", Object.keys(known).join(", "), value);
      return known[value] as Pick<T5Config, "activation" | "isGated">;
    },
    checkArchitecture(): void {
      const type = raw("model_type");
      const classes = raw("architectures");
      const refuse = (got: string): SpellError =>
        new SpellError(
          "model-architecture",
          `${source.name}: expected model_type t5 with ${generatingClasses[0]}, got ${got.slice(0, 120)}. Supported here: t5 (T5 1.0, T5 1.1, FLAN-T5); every decoder family as GGUF`,
          { where: source.name },
        );
      if (type !== "t5") throw refuse(type === undefined ? "no model_type" : `model_type ${JSON.stringify(type)}`);
      if (classes === undefined) return;
      if (!Array.isArray(classes) || !classes.some((name) => generatingClasses.includes(name))) {
        throw refuse(
          `architectures ${JSON.stringify(classes)}${JSON.stringify(classes).includes("Encoder") ? ": the decoder is missing" : ""}`,
        );
      }
    },
    wrong,
  };
}

function isSet(value: unknown): boolean {
  return value !== undefined && !(Array.isArray(value) && value.length === 0);
}
