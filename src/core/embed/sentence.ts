/** What sentence-transformers keeps beside an encoder: how a text becomes one vector. */
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { isObject, readJson } from "../json.ts";
import { limits } from "../limits.ts";
import type { EmbedPrefixes } from "../spec/embedding-model.ts";
import { readFields } from "../text/fields.ts";

export type Pooling = "mean" | "cls" | "max";

/** How a text becomes one vector. */
export interface SentenceFacts {
  readonly pooling: Pooling;
  readonly prefixes: EmbedPrefixes;
  /** tokens of a text, special ones included */
  readonly contextLength: number;
  readonly notes: readonly string[];
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

/**
 * @param room tokens the encoder reads
 * @throws SpellError model-config-json, model-config-field, model-architecture, run-aborted
 */
export async function readSentenceFacts(
  { modules, pooling, lengths, prompts }: SentenceFiles,
  room: number,
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
  const said = await readMaxLength(lengths, signal);
  return {
    pooling: pooling === undefined ? "mean" : await readPooling(pooling, signal),
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
