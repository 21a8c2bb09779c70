/** Which file of a folder is what, for a T5 model as the Hugging Face Hub keeps it. Names only; contents are read elsewhere. */
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { savedInstead } from "../formats/guess-kind.ts";
import { readSafetensorsSet, type SafetensorsTensors } from "../formats/safetensors.ts";
import { readConfigJson } from "../text/config-json.ts";
import type { TokenizerFiles } from "../text/tokenizer.ts";
import { byteTokenizer, readT5Configs, type T5Configs } from "./config.ts";
import { findT5Tensors } from "./weights.ts";

export interface T5Files {
  readonly config: ByteSource;
  readonly generation?: ByteSource | undefined;
  readonly weights: readonly ByteSource[];
  /** model.safetensors.index.json */
  readonly index?: ByteSource | undefined;
  readonly tokenizer: TokenizerFiles;
  /** spiece.model beside the tokenizer.json that is read */
  readonly unused?: ByteSource | undefined;
}

/** What the headers of a T5 folder say. */
export interface T5Facts extends T5Configs {
  readonly tensors: SafetensorsTensors;
  readonly parameterCount: number;
  /** dtype of most of the weights, as the file names it */
  readonly dtype: string;
}

/** Whether a folder looks like a T5 one: a configuration beside safetensors. */
export function looksLikeT5(files: readonly Pick<ByteSource, "name">[]): boolean {
  return files.some(({ name }) => name === "config.json") && files.some(({ name }) => name.endsWith(".safetensors"));
}

/** @throws SpellError model-layout */
export function findT5Files(files: readonly ByteSource[]): T5Files {
  const byName = new Map(files.map((file) => [file.name, file]));
  const config = byName.get("config.json");
  const weights = files.filter(({ name }) => name.endsWith(".safetensors") && !name.includes("/"));
  const shown = files
    .map(({ name }) => name)
    .slice(0, 8)
    .join(", ");
  if (config === undefined || weights.length === 0) {
    throw new SpellError(
      "model-layout",
      `no T5 model found; expected config.json, *.safetensors and tokenizer.json (or spiece.model), got ${shown === "" ? "no files" : shown}`,
    );
  }
  return {
    config,
    generation: byName.get("generation_config.json"),
    weights,
    index: byName.get("model.safetensors.index.json"),
    tokenizer: {
      model: byName.get("tokenizer.json") ?? byName.get("spiece.model"),
      config: byName.get("tokenizer_config.json"),
      added: byName.get("added_tokens.json"),
    },
    unused: byName.has("tokenizer.json") ? byName.get("spiece.model") : undefined,
  };
}

/**
 * Reads and checks all headers of a T5 folder; no engine is touched, no weight read.
 * @throws SpellError model-*, safetensors-*, tokenizer-missing, run-aborted
 */
export async function acceptT5(files: T5Files, signal?: AbortSignal): Promise<T5Facts> {
  const configs = await readT5Configs(files.config, files.generation, signal);
  await requireTokenizer(files.tokenizer, configs, signal);
  const tensors = await readSafetensorsSet(files.weights, files.index, signal);
  findT5Tensors(tensors, configs.config);
  const elements = new Map<string, number>();
  for (const { dtype, shape } of tensors.values()) {
    elements.set(dtype, (elements.get(dtype) ?? 0) + shape.reduce((product, length) => product * length, 1));
  }
  const pointer = files.unused && (await savedInstead(files.unused, signal));
  const notes = pointer === undefined ? [] : [`${files.unused?.name} is ${pointer.what}; ${files.tokenizer.model?.name} is read instead`];
  const [most] = [...elements].sort((a, b) => b[1] - a[1]);
  return {
    ...configs,
    notes: [...configs.notes, ...notes],
    tensors,
    parameterCount: [...elements.values()].reduce((sum, count) => sum + count, 0),
    dtype: most?.[0] ?? "F32",
  };
}

/**
 * A tokenizer has a file, or is that of ByT5, which has none.
 * @throws SpellError tokenizer-missing, model-config-json, run-aborted
 */
export async function requireTokenizer(
  { model, config }: TokenizerFiles,
  { readsBytes }: Pick<T5Configs, "readsBytes">,
  signal?: AbortSignal,
): Promise<void> {
  if (model !== undefined || readsBytes) return;
  const settings = config === undefined ? {} : await readConfigJson(config, signal);
  if (settings["tokenizer_class"] === byteTokenizer) return;
  throw new SpellError(
    "tokenizer-missing",
    `no tokenizer found; expected tokenizer.json or spiece.model beside config.json, or tokenizer_class ${byteTokenizer}`,
  );
}
