/** config.json of an encoder of the BERT family as a checked record. */
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { limits } from "../limits.ts";
import { type Fields, readFields } from "../text/fields.ts";

export interface BertConfig {
  /** `model_type` */
  readonly modelType: string;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly intermediateSize: number;
  readonly vocabSize: number;
  /** rows of the table of positions */
  readonly positions: number;
  readonly tokenTypes: number;
  readonly layerNormEpsilon: number;
  readonly activation: Activation;
  /** Position of the first token: 0, or of RoBERTa the one behind that of padding. */
  readonly firstPosition: number;
  /** Of RoBERTa: this token has no position of its own wherever it stands. */
  readonly padTokenId: number | undefined;
}

export type Activation = "gelu" | "gelu_new" | "relu";

/** Values of `model_type`: whether positions begin behind that of padding. */
const families: ReadonlyMap<string, boolean> = new Map([
  ["bert", false],
  ["roberta", true],
  ["xlm-roberta", true],
  ["camembert", true],
]);

export function isBertFamily(modelType: unknown): boolean {
  return typeof modelType === "string" && families.has(modelType);
}

const activations: Readonly<Record<string, Activation>> = {
  gelu: "gelu",
  gelu_new: "gelu_new",
  gelu_pytorch_tanh: "gelu_new",
  gelu_fast: "gelu_new",
  relu: "relu",
};

/** @throws SpellError model-config-json, model-config-field, model-architecture, run-aborted */
export async function readBertConfig(source: ByteSource, signal?: AbortSignal): Promise<BertConfig> {
  const fields = await readFields(source, signal);
  const modelType = fields.raw("model_type");
  const skipsPadding = typeof modelType === "string" ? families.get(modelType) : undefined;
  if (skipsPadding === undefined || typeof modelType !== "string") {
    throw new SpellError(
      "model-architecture",
      `${source.name}: expected model_type ${[...families.keys()].join(", ")}, got ${String(modelType)}`,
      {
        where: source.name,
        hint: "Other encoders run as GGUF.",
      },
    );
  }
  const positionKind = fields.raw("position_embedding_type") ?? "absolute";
  if (positionKind !== "absolute") throw fields.wrong("position_embedding_type", '"absolute"', positionKind);
  if (fields.boolean("is_decoder") === true) throw fields.wrong("is_decoder", "false", true);
  const hiddenSize = fields.needed("hidden_size", 1, limits.t5Width);
  const numHeads = fields.needed("num_attention_heads", 1, limits.t5Heads);
  if (hiddenSize % numHeads !== 0) throw fields.wrong("num_attention_heads", `a divisor of hidden_size (${hiddenSize})`, numHeads);
  const vocabSize = fields.needed("vocab_size", 1, limits.t5Vocabulary);
  const padTokenId = skipsPadding ? (fields.integer("pad_token_id", 0, vocabSize - 1) ?? 1) : undefined;
  const firstPosition = padTokenId === undefined ? 0 : padTokenId + 1;
  return {
    modelType,
    hiddenSize,
    numHeads,
    vocabSize,
    padTokenId,
    firstPosition,
    numLayers: fields.needed("num_hidden_layers", 1, limits.t5Layers),
    intermediateSize: fields.needed("intermediate_size", 1, limits.t5FeedForward),
    positions: fields.needed("max_position_embeddings", firstPosition + 2, limits.ggufContextLength),
    tokenTypes: fields.integer("type_vocab_size", 1, limits.t5Width) ?? 2,
    layerNormEpsilon: fields.number("layer_norm_eps", 0, 1) ?? 1e-12,
    activation: activationOf(fields),
  };
}

function activationOf(fields: Fields): Activation {
  const name = fields.raw("hidden_act") ?? "gelu";
  const known = typeof name === "string" && Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (known === undefined) throw fields.wrong("hidden_act", Object.keys(activations).join(", "), name);
  return known;
}
