/** Which file of a folder is what, for an encoder of the BERT family as the Hugging Face Hub keeps it; and what their headers say. */

import type { SentenceFiles } from "../embed/sentence.ts";
import { SpellError } from "../errors.ts";
import { poolingFile } from "../file-names.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { readSafetensorsSet, type SafetensorsTensors } from "../formats/safetensors.ts";
import { readConfigJson } from "../text/config-json.ts";
import type { TokenizerFiles } from "../text/tokenizer.ts";
import { type BertConfig, isBertFamily, readBertConfig } from "./config.ts";
import { type BertTask, readTask } from "./task.ts";
import { findBertTensors } from "./weights.ts";

export interface BertFiles {
  readonly config: ByteSource;
  readonly weights: readonly ByteSource[];
  readonly index: ByteSource | undefined;
  readonly tokenizer: TokenizerFiles;
  readonly sentence: SentenceFiles;
}

export interface BertFacts {
  readonly config: BertConfig;
  readonly task: BertTask;
  readonly tensors: SafetensorsTensors;
  readonly parameterCount: number;
  /** dtype of most of the weights, as the file names it */
  readonly dtype: string;
}

/** Whether a folder with config.json and safetensors holds an encoder of the family. @throws SpellError model-config-json, run-aborted */
export async function looksLikeBert(files: readonly ByteSource[], signal?: AbortSignal): Promise<boolean> {
  const config = files.find(({ name }) => name === "config.json");
  return config !== undefined && isBertFamily((await readConfigJson(config, signal))["model_type"]);
}

/** @throws SpellError model-layout, tokenizer-missing */
export function findBertFiles(files: readonly ByteSource[]): BertFiles {
  const byName = new Map(files.map((file) => [file.name, file]));
  const config = byName.get("config.json");
  const weights = files.filter(({ name }) => name.endsWith(".safetensors"));
  if (config === undefined || weights.length === 0) {
    const shown = files.slice(0, 8).map(({ name }) => name);
    throw new SpellError(
      "model-layout",
      `no BERT model found; expected config.json, *.safetensors and tokenizer.json, got ${shown.join(", ") || "no files"}`,
    );
  }
  const model = byName.get("tokenizer.json");
  if (model === undefined) {
    throw new SpellError("tokenizer-missing", "no tokenizer found; expected tokenizer.json beside config.json", {
      hint: "Save the tokenizer with transformers' AutoTokenizer: that writes tokenizer.json.",
    });
  }
  return {
    config,
    weights,
    index: byName.get("model.safetensors.index.json"),
    tokenizer: { model, config: byName.get("tokenizer_config.json") },
    sentence: {
      modules: byName.get("modules.json"),
      pooling: byName.get(poolingFile),
      lengths: byName.get("sentence_bert_config.json"),
      prompts: byName.get("config_sentence_transformers.json"),
    },
  };
}

/**
 * Reads and checks all headers; no engine is touched, no weight read.
 * @throws SpellError model-*, safetensors-*, run-aborted
 */
export async function acceptBert({ config: source, weights, index, sentence }: BertFiles, signal?: AbortSignal): Promise<BertFacts> {
  const config = await readBertConfig(source, signal);
  const task = await readTask(source, config, sentence, signal);
  const tensors = await readSafetensorsSet(weights, index, signal);
  const elements = new Map<string, number>();
  for (const { dtype, shape } of findBertTensors(tensors, config, task).values()) {
    elements.set(dtype, (elements.get(dtype) ?? 0) + shape.reduce((product, length) => product * length, 1));
  }
  const [most] = [...elements].sort((a, b) => b[1] - a[1]);
  const parameterCount = [...elements.values()].reduce((sum, count) => sum + count, 0);
  return { config, task, tensors, parameterCount, dtype: most?.[0] ?? "F32" };
}
