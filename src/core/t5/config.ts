/** config.json and generation_config.json of a model of the T5 family, as checked records. Field names are the reference's own, in camelCase. */

import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { refuseSaved } from "../formats/guess-kind.ts";
import { limits } from "../limits.ts";
import { type Fields, readFields } from "../text/fields.ts";
import { type Family, familyOf } from "./family.ts";
import { noRecommendations, readT5Generation, type T5GenerationConfig } from "./generation-config.ts";

export interface T5Config {
  /** `model_type`: t5 (T5 1.0 and 1.1, FLAN-T5, ByT5), mt5, umt5 */
  readonly modelType: Family["modelType"];
  /** Each layer has a position bias of its own (UMT5); else all layers of a side share the first one's. */
  readonly hasBiasPerLayer: boolean;
  /** What makes logits: the embedding, a head that must be stored, or a head where one is stored. */
  readonly head: "embedding" | "stored" | "any";
  readonly dModel: number;
  readonly dKv: number;
  readonly dFf: number;
  readonly numHeads: number;
  readonly numLayers: number;
  /** 0: of the model the encoder alone is computed */
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

export interface T5Configs {
  /** generation_config.json already applied to the token ids */
  readonly config: T5Config;
  readonly generation: T5GenerationConfig;
  /** Whether ids are bytes: ByT5 has no tokenizer file. */
  readonly readsBytes: boolean;
  /** Facts to show once: fields that ask for code and were ignored, settings that have no effect here, recommendations that were fitted. */
  readonly notes: readonly string[];
}

/** `tokenizer_class` of ByT5 */
export const byteTokenizer = "ByT5Tokenizer";

/** Fields that would run code of the repository elsewhere. Nothing from a repository is ever run here. */
const codeFields = ["auto_map", "trust_remote_code", "_attn_implementation_internal"];
/** @param part what is computed of it @throws SpellError model-config-json, model-config-field, model-architecture, run-aborted */
export async function readT5Configs(
  config: ByteSource,
  generation: ByteSource | undefined,
  signal?: AbortSignal,
  part: "whole" | "encoder" = "whole",
): Promise<T5Configs> {
  const fields = await readFields(config, signal);
  const family = familyOf(fields, part);
  const notes = codeFields
    .filter((name) => fields.has(name))
    .map((name) => `${config.name}: ${name} asks for code of the repository; it is ignored`);
  const more =
    generation &&
    (await readFields(generation, signal).catch(async (error: unknown) => {
      if (!(error instanceof SpellError) || error.code !== "model-config-json") throw error;
      await refuseSaved(generation, error.code, signal);
      notes.push(`${error.message}; nothing of it is used`);
      return undefined;
    }));
  const numLayers = fields.integer("num_layers", 1, limits.t5Layers) ?? family.numLayers;
  const vocabSize = fields.needed("vocab_size", 1, limits.t5Vocabulary);
  /** The first that is in the vocabulary, of both files; the others are noted. */
  const ids = (name: string): readonly number[] | undefined => {
    for (const from of more === undefined ? [fields] : [more, fields]) {
      const { inside = [], outside = [] } = from.ids(name, vocabSize) ?? {};
      if (outside.length > 0) notes.push(`${from.file}: ${name} ${outside.join(", ")} is outside the vocabulary; it is not used`);
      if (inside.length > 0) return inside;
    }
    return undefined;
  };
  const padTokenId = ids("pad_token_id")?.[0] ?? 0;
  const dModel = fields.needed("d_model", 1, limits.t5Width);
  const buckets = fields.integer("relative_attention_num_buckets", 4, limits.t5Buckets) ?? 32;
  if (buckets % 2 !== 0) throw fields.wrong("relative_attention_num_buckets", "an even integer", buckets);
  const maxDistance = fields.integer("relative_attention_max_distance", 1, limits.t5MaxDistance) ?? 128;
  // Below this the logarithmic steps have no room, and the reference divides by nothing.
  if (maxDistance <= buckets / 2)
    throw fields.wrong("relative_attention_max_distance", `more than half the buckets (${buckets / 2})`, maxDistance);
  const tied = fields.boolean("tie_word_embeddings") ?? family.tiesEmbeddings;
  // Written by transformers 5 alone, which always says that the embeddings are tied and keeps a head beside them where they are not.
  const scaled = fields.boolean("scale_decoder_outputs");
  const nPositions = fields.raw("n_positions");
  const recommended = more === undefined ? undefined : readT5Generation(more, vocabSize);
  return {
    config: {
      modelType: family.modelType,
      hasBiasPerLayer: family.hasBiasPerLayer,
      head: part === "encoder" ? "embedding" : scaled !== undefined ? "any" : tied ? "embedding" : "stored",
      dModel,
      dKv: fields.integer("d_kv", 1, limits.t5Width) ?? 64,
      dFf: fields.needed("d_ff", 1, limits.t5FeedForward),
      numHeads: fields.needed("num_heads", 1, limits.t5Heads),
      numLayers,
      numDecoderLayers: part === "encoder" ? 0 : (fields.integer("num_decoder_layers", 1, limits.t5Layers) ?? numLayers),
      vocabSize,
      relativeAttentionNumBuckets: buckets,
      relativeAttentionMaxDistance: maxDistance,
      layerNormEpsilon: fields.number("layer_norm_epsilon", 0, 1) ?? 1e-6,
      ...projection(fields, family.projection),
      scaleDecoderOutputs: scaled ?? tied,
      padTokenId,
      eosTokenIds: ids("eos_token_id") ?? [1],
      decoderStartTokenId: ids("decoder_start_token_id")?.[0] ?? padTokenId,
      // describes the training; nothing is computed by it
      nPositions: Number.isSafeInteger(nPositions) && (nPositions as number) >= 1 ? (nPositions as number) : 512,
    },
    generation: recommended?.generation ?? noRecommendations,
    readsBytes: fields.raw("tokenizer_class") === byteTokenizer,
    notes: [...notes, ...(recommended?.notes ?? [])],
  };
}

const projections: Readonly<Record<string, Pick<T5Config, "activation" | "isGated">>> = {
  relu: { activation: "relu", isGated: false },
  gelu_new: { activation: "gelu_new", isGated: false },
  "gated-relu": { activation: "relu", isGated: true },
  "gated-gelu": { activation: "gelu_new", isGated: true },
  "gated-gelu_new": { activation: "gelu_new", isGated: true },
};

function projection(fields: Fields, usual: string): Pick<T5Config, "activation" | "isGated"> {
  const value = fields.raw("feed_forward_proj") ?? usual;
  const known = typeof value === "string" && Object.hasOwn(projections, value) ? projections[value] : undefined;
  if (known === undefined) throw fields.wrong("feed_forward_proj", Object.keys(projections).join(", "), value);
  return known;
}
