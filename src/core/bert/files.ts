/** Which file of a folder is what, for an encoder of the BERT family as the Hugging Face Hub keeps it; and what their headers say. */

import { type EncoderFacts, encoderFacts } from "../embed/facts.ts";
import { denseTensors } from "../embed/pool.ts";
import { type SentenceFiles, sentenceFilesOf } from "../embed/sentence.ts";
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { readSafetensorsSet } from "../formats/safetensors.ts";
import type { FloatTensor } from "../onnx/weights.ts";
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

export interface BertFacts extends EncoderFacts {
  readonly config: BertConfig;
  readonly task: BertTask;
  /** every tensor of the graph, by its name in it */
  readonly found: ReadonlyMap<string, FloatTensor>;
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
  const weights = files.filter(({ name }) => name.endsWith(".safetensors") && !name.includes("/"));
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
    sentence: sentenceFilesOf(byName),
  };
}

/**
 * Reads and checks all headers; no engine is touched, no weight read.
 * @throws SpellError model-*, safetensors-*, run-aborted
 */
export async function acceptBert({ config: source, weights, index, sentence }: BertFiles, signal?: AbortSignal): Promise<BertFacts> {
  const config = await readBertConfig(source, signal);
  const task = await readTask(source, config, sentence, signal);
  const found = new Map(findBertTensors(await readSafetensorsSet(weights, index, signal), config, task));
  if (task.use === "embed") for (const [name, tensor] of await denseTensors(task.dense, signal)) found.set(name, tensor);
  return { ...encoderFacts(config, task, found), config, task, found };
}
