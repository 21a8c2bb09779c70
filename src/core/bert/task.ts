/** What a model of the family is for: vectors of texts, or as a cross-encoder, which reads two texts at once, their score. */

import { readMaxLength, readSentenceFacts, type SentenceFacts, type SentenceFiles } from "../embed/sentence.ts";
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { isObject } from "../json.ts";
import { type Fields, readFields } from "../text/fields.ts";
import type { BertConfig } from "./config.ts";

/** What the model is for. */
export type BertTask =
  | ({ readonly use: "embed" } & SentenceFacts)
  | { readonly use: "rerank"; readonly head: RerankHead; readonly contextLength: number; readonly notes: readonly string[] };

export interface RerankHead {
  /** BERT has a pooler and a classifier behind it, RoBERTa a classifier of two layers. */
  readonly kind: "pooler" | "layers";
  readonly activation: "none" | "sigmoid";
}

/** Its two linear maps, as transformers names them. */
export const headNames: Readonly<Record<RerankHead["kind"], { readonly dense: string; readonly score: string }>> = {
  pooler: { dense: "pooler.dense", score: "classifier" },
  layers: { dense: "classifier.dense", score: "classifier.out_proj" },
};

/** @throws SpellError as readRerankHead and readSentenceFacts */
export async function readTask(
  source: ByteSource,
  config: BertConfig,
  sentence: SentenceFiles,
  signal: AbortSignal | undefined,
): Promise<BertTask> {
  const room = config.positions - config.firstPosition;
  // A pooling beside it is the word of those who trained it for vectors.
  const head = sentence.pooling === undefined ? await readRerankHead(source, config, signal) : undefined;
  if (head === undefined) return { use: "embed", ...(await readSentenceFacts(sentence, room, config.hiddenSize, signal)) };
  return { use: "rerank", head, contextLength: Math.min(room, (await readMaxLength(sentence.lengths, signal)) ?? room), notes: [] };
}

/**
 * @returns undefined for an encoder without such a head
 * @throws SpellError model-architecture (several classes), model-config-field, model-config-json, run-aborted
 */
async function readRerankHead(source: ByteSource, config: BertConfig, signal?: AbortSignal): Promise<RerankHead | undefined> {
  const fields = await readFields(source, signal);
  const architectures = fields.raw("architectures");
  if (!Array.isArray(architectures) || !String(architectures[0]).endsWith("ForSequenceClassification")) return undefined;
  const classes = countClasses(fields);
  if (classes !== 1) {
    throw new SpellError(
      "model-architecture",
      `${source.name}: expected one score for a pair of texts; this model sorts into ${classes} classes`,
      {
        where: source.name,
        hint: "Re-ranking models have one class, such as bge-reranker-base:",
        actions: [{ kind: "pull", model: "bge-reranker-base" }],
      },
    );
  }
  return { kind: config.padTokenId === undefined ? "pooler" : "layers", activation: activationOf(fields) };
}

/** As transformers counts them: names of classes, else their number, else two. */
function countClasses(fields: Fields): number {
  const names = fields.raw("id2label");
  if (isObject(names)) return Object.keys(names).length;
  return fields.integer("num_labels", 1, 2 ** 20) ?? 2;
}

/** Names of a module of torch, where sentence-transformers keeps them now and kept them before. */
function activationOf(fields: Fields): RerankHead["activation"] {
  const newer = fields.raw("sentence_transformers");
  const name = (isObject(newer) ? newer["activation_fn"] : undefined) ?? fields.raw("sbert_ce_default_activation_function") ?? "Identity";
  const known = typeof name === "string" ? name.slice(name.lastIndexOf(".") + 1) : "";
  if (known === "Identity") return "none";
  if (known === "Sigmoid") return "sigmoid";
  throw fields.wrong("activation_fn", "Identity or Sigmoid", name);
}
