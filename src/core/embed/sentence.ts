/** What sentence-transformers keeps beside an encoder: how a text becomes one vector. */
import { SpellError } from "../errors.ts";
import { denseFile, denseWeightsFile, poolingFile } from "../file-names.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { isObject, readJson } from "../json.ts";
import { limits } from "../limits.ts";
import type { EmbedPrefixes } from "../spec/embedding-model.ts";
import { readFields } from "../text/fields.ts";

export type Pooling = "mean" | "cls" | "max";

/** How a text becomes one vector. */
export interface SentenceFacts {
  readonly pooling: Pooling;
  /** a linear map of the pooled vector */
  readonly dense?: Dense | undefined;
  readonly prefixes: EmbedPrefixes;
  /** tokens of a text, special ones included */
  readonly contextLength: number;
  readonly notes: readonly string[];
}

export interface Dense {
  readonly inputs: number;
  readonly outputs: number;
  readonly bias: boolean;
  readonly activation: "identity" | "tanh" | "relu" | "sigmoid";
  readonly weights: ByteSource;
}

/** Files of sentence-transformers; each may be absent. */
export interface SentenceFiles {
  /** modules.json */
  readonly modules?: ByteSource | undefined;
  /** config.json of the pooling module */
  readonly pooling?: ByteSource | undefined;
  /** config.json and weights of the dense module */
  readonly dense?: ByteSource | undefined;
  readonly denseWeights?: ByteSource | undefined;
  /** sentence_bert_config.json */
  readonly lengths?: ByteSource | undefined;
  /** config_sentence_transformers.json */
  readonly prompts?: ByteSource | undefined;
}

/** @param byName files of a model */
export function sentenceFilesOf(byName: ReadonlyMap<string, ByteSource>): SentenceFiles {
  return {
    modules: byName.get("modules.json"),
    pooling: byName.get(poolingFile),
    dense: byName.get(denseFile),
    denseWeights: byName.get(denseWeightsFile),
    lengths: byName.get("sentence_bert_config.json"),
    prompts: byName.get("config_sentence_transformers.json"),
  };
}

/**
 * @param room tokens the encoder reads
 * @param width numbers of a token's state
 * @throws SpellError model-layout, model-config-json, model-config-field, model-architecture, run-aborted
 */
export async function readSentenceFacts(
  { modules, pooling, dense, denseWeights, lengths, prompts }: SentenceFiles,
  room: number,
  width: number,
  signal?: AbortSignal,
): Promise<SentenceFacts> {
  const named = modules === undefined ? [] : await readModules(modules, signal);
  if (named.includes("Pooling") && pooling === undefined) throw partMissing("pooling", poolingFile);
  const hasDense = named.includes("Dense");
  if (hasDense && dense === undefined) throw partMissing("dense", denseFile);
  if (hasDense && denseWeights === undefined) throw partMissing("dense", denseWeightsFile);
  const said = await readMaxLength(lengths, signal);
  return {
    pooling: pooling === undefined ? "mean" : await readPooling(pooling, signal),
    dense: hasDense && dense && denseWeights ? { ...(await readDense(dense, width, signal)), weights: denseWeights } : undefined,
    prefixes: prompts === undefined ? { query: "", document: "" } : await readPrefixes(prompts, signal),
    contextLength: Math.min(room, said ?? room),
    notes:
      pooling === undefined ? ["the model's files name no pooling; the mean of its tokens is taken, as sentence-transformers does"] : [],
  };
}

/** @param source sentence_bert_config.json */
export async function readMaxLength(source: ByteSource | undefined, signal?: AbortSignal): Promise<number | undefined> {
  return source && (await readFields(source, signal)).integer("max_seq_length", 2, limits.ggufContextLength);
}

const partMissing = (what: string, file: string): SpellError =>
  new SpellError("model-layout", `modules.json names a ${what} module; expected ${file} beside it, got none`, {
    where: file,
    hint: file.endsWith(".safetensors") ? "Weights as a pickle (pytorch_model.bin) run code and are never opened." : undefined,
  });

/** Modules in the order that is computed here. */
const knownOrder = /^Transformer( Pooling( Dense)?)?( Normalize)?$/;

/** @returns names of the modules */
async function readModules(source: ByteSource, signal: AbortSignal | undefined): Promise<readonly string[]> {
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
  if (!knownOrder.test(names.join(" "))) {
    throw new SpellError(
      "model-architecture",
      `${source.name}: expected modules Transformer, Pooling, Dense, Normalize in this order, the last two or three if any; got ${names.join(", ").slice(0, 120)}`,
      { where: source.name },
    );
  }
  return names;
}

const denseActivations: Readonly<Record<string, Dense["activation"]>> = {
  Identity: "identity",
  Tanh: "tanh",
  ReLU: "relu",
  Sigmoid: "sigmoid",
};

async function readDense(source: ByteSource, width: number, signal: AbortSignal | undefined): Promise<Omit<Dense, "weights">> {
  const fields = await readFields(source, signal);
  const inputs = fields.needed("in_features", 1, limits.t5Width);
  if (inputs !== width) throw fields.wrong("in_features", String(width), inputs);
  // the name of a module of torch; sentence-transformers takes Tanh where none is written
  const name = fields.raw("activation_function") ?? "Tanh";
  const known = typeof name === "string" ? name.slice(name.lastIndexOf(".") + 1) : "";
  const activation = Object.hasOwn(denseActivations, known) ? denseActivations[known] : undefined;
  if (activation === undefined) throw fields.wrong("activation_function", Object.keys(denseActivations).join(", "), name);
  return { inputs, outputs: fields.needed("out_features", 1, limits.t5Width), bias: fields.boolean("bias") ?? true, activation };
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
