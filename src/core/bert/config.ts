/** config.json of an encoder of the BERT family, and what sentence-transformers keeps beside it, as checked records. */
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { isObject, readJson } from "../json.ts";
import { limits } from "../limits.ts";
import type { EmbedPrefixes } from "../spec/embedding-model.ts";
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
export type Pooling = "mean" | "cls" | "max";

/** How a text becomes one vector. */
export interface SentenceFacts {
  readonly pooling: Pooling;
  readonly prefixes: EmbedPrefixes;
  /** tokens of a text, special ones included */
  readonly contextLength: number;
  readonly notes: readonly string[];
}

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

/** Files of sentence-transformers; each may be absent. */
export interface SentenceFiles {
  /** modules.json */
  readonly modules?: ByteSource | undefined;
  /** config.json of the pooling module */
  readonly pooling?: ByteSource | undefined;
  /** sentence_bert_config.json */
  readonly lengths?: ByteSource | undefined;
  /** config_sentence_transformers.json */
  readonly prompts?: ByteSource | undefined;
}

/** @throws SpellError model-config-json, model-config-field, model-architecture, run-aborted */
export async function readSentenceFacts(
  { modules, pooling, lengths, prompts }: SentenceFiles,
  config: BertConfig,
  signal?: AbortSignal,
): Promise<SentenceFacts> {
  const needsPooling = modules !== undefined && (await checkModules(modules, signal));
  if (needsPooling && pooling === undefined) {
    throw new SpellError(
      "model-layout",
      "modules.json names a pooling module; expected its config.json in the folder 1_Pooling, got none",
      {
        where: "1_Pooling/config.json",
      },
    );
  }
  const room = config.positions - config.firstPosition;
  const said = lengths && (await readFields(lengths, signal)).integer("max_seq_length", 2, limits.ggufContextLength);
  return {
    pooling: pooling === undefined ? "mean" : await readPooling(pooling, signal),
    prefixes: prompts === undefined ? { query: "", document: "" } : await readPrefixes(prompts, signal),
    contextLength: Math.min(room, said ?? room),
    notes:
      pooling === undefined ? ["the model's files name no pooling; the mean of its tokens is taken, as sentence-transformers does"] : [],
  };
}

const knownModules: ReadonlySet<string> = new Set(["Transformer", "Pooling", "Normalize"]);

/** @returns whether the list has a pooling module */
async function checkModules(source: ByteSource, signal: AbortSignal | undefined): Promise<boolean> {
  const fail = (what: string): SpellError => new SpellError("model-config-json", `${source.name}: ${what}`, { where: source.name });
  if (source.size > limits.configBytes) throw fail(`expected at most ${limits.configBytes} bytes, got ${source.size}`);
  const list = readJson(await source.read(0, source.size, signal), { bytes: limits.configBytes, depth: limits.jsonDepth }, ({ message }) =>
    fail(message),
  );
  if (!Array.isArray(list)) throw fail("expected a list of modules");
  const names = (list as readonly unknown[]).map((entry) => {
    const type = isObject(entry) ? entry["type"] : undefined;
    if (typeof type !== "string") throw fail("expected a type for each module");
    return type.slice(type.lastIndexOf(".") + 1);
  });
  const other = names.find((name) => !knownModules.has(name));
  if (other !== undefined) {
    throw new SpellError(
      "model-architecture",
      `${source.name}: expected modules ${[...knownModules].join(", ")}; got ${other.slice(0, 60)}`,
      {
        where: source.name,
      },
    );
  }
  return names.includes("Pooling");
}

const poolings = {
  pooling_mode_mean_tokens: "mean",
  pooling_mode_cls_token: "cls",
  pooling_mode_max_tokens: "max",
} as const;

async function readPooling(source: ByteSource, signal: AbortSignal | undefined): Promise<Pooling> {
  const fields = await readFields(source, signal);
  const modes = [
    ...Object.keys(poolings),
    "pooling_mode_mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens",
    "pooling_mode_lasttoken",
  ].filter((name) => fields.boolean(name) === true);
  const newer = fields.raw("pooling_mode");
  const mode = modes.length === 0 && typeof newer === "string" ? `pooling_mode_${newer}_token${newer === "cls" ? "" : "s"}` : modes[0];
  const known = mode !== undefined && Object.hasOwn(poolings, mode) ? poolings[mode as keyof typeof poolings] : undefined;
  if (known === undefined || modes.length > 1) throw fields.wrong("pooling_mode", "one of mean, cls, max", newer ?? modes);
  if (fields.boolean("include_prompt") === false) throw fields.wrong("include_prompt", "true", false);
  return known;
}

/** Names a prefix for documents goes by; sentence-transformers asks for them in this order. */
const documentNames = ["document", "passage", "corpus"] as const;

async function readPrefixes(source: ByteSource, signal: AbortSignal | undefined): Promise<EmbedPrefixes> {
  const fields = await readFields(source, signal);
  const prompts = fields.raw("prompts") ?? {};
  if (!isObject(prompts)) throw fields.wrong("prompts", "an object of texts", prompts);
  const usual = fields.raw("default_prompt_name");
  const first = (...names: readonly unknown[]): string => {
    for (const name of names) {
      const text = typeof name === "string" && Object.hasOwn(prompts, name) ? prompts[name] : undefined;
      if (typeof text === "string" && text.length <= limits.promptCharacters) return text;
    }
    return "";
  };
  return { query: first("query", usual), document: first(...documentNames, usual) };
}
