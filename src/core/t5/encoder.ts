/** The encoder of a T5 alone, as sentence-transformers keeps it (sentence-t5, gtr): vectors of texts. */
import { type EncoderHost, type EncoderOptions, openEncoder } from "../embed/engine.ts";
import { type EncoderFacts, encoderFacts } from "../embed/facts.ts";
import { denseTensors } from "../embed/pool.ts";
import { readSentenceFacts, type SentenceFacts, sentenceFilesOf } from "../embed/sentence.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { readSafetensorsSet } from "../formats/safetensors.ts";
import type { FloatTensor } from "../onnx/weights.ts";
import type { Seq2SeqHandle } from "../spec/runtime.ts";
import { readT5Configs, type T5Config } from "./config.ts";
import { findT5Files, requireTokenizer } from "./files.ts";
import { names, sentenceGraph } from "./graph.ts";
import { findT5Tensors, t5Weights } from "./weights.ts";

export interface T5EncoderFacts extends EncoderFacts {
  readonly t5: T5Config;
  readonly task: { readonly use: "embed" } & SentenceFacts;
  /** every tensor of the graph, by its name in it */
  readonly found: ReadonlyMap<string, FloatTensor>;
}

/**
 * Reads and checks all headers; no engine is touched, no weight read.
 * @throws SpellError model-*, safetensors-*, tokenizer-missing, run-aborted
 */
export async function acceptT5Encoder(files: readonly ByteSource[], signal?: AbortSignal): Promise<T5EncoderFacts> {
  const { config: source, weights, index, tokenizer } = findT5Files(files);
  const configs = await readT5Configs(source, undefined, signal, "encoder");
  await requireTokenizer(tokenizer, configs, signal);
  const t5 = configs.config;
  const sentence = sentenceFilesOf(new Map(files.map((file) => [file.name, file])));
  const task = { use: "embed", ...(await readSentenceFacts(sentence, t5.nPositions, t5.dModel, signal)) } as const;
  const found = new Map(findT5Tensors(await readSafetensorsSet(weights, index, signal), t5));
  for (const [name, tensor] of await denseTensors(task.dense, signal)) found.set(name, tensor);
  const { modelType, dModel: hiddenSize, numLayers, numHeads, vocabSize } = t5;
  const config = { modelType, hiddenSize, numLayers, numHeads, vocabSize };
  return { ...encoderFacts(config, task, found), config, task, t5, found };
}

/**
 * Checks the files and opens the model.
 * @throws SpellError model-*, safetensors-*, tokenizer-*, onnx-*, device-memory, run-nan, run-aborted
 */
export async function openT5Encoder(files: readonly ByteSource[], host: EncoderHost, options: EncoderOptions): Promise<Seq2SeqHandle> {
  const { t5, task, found, dimensions } = await acceptT5Encoder(files, options.signal);
  const { modelType, vocabSize } = t5;
  return openEncoder(
    {
      ...{ modelType, vocabSize, task, dimensions, tokenizer: findT5Files(files).tokenizer },
      graph: (forms) => sentenceGraph(t5, t5Weights(found, forms), { ...task, pooling: options.pooling ?? task.pooling }),
      feed(texts, length) {
        const [ids, mask] = [new BigInt64Array(texts.length * length), new BigInt64Array(texts.length * length)];
        for (const [row, text] of texts.entries()) {
          for (const [column, id] of text.ids.entries()) {
            ids[row * length + column] = BigInt(id);
            mask[row * length + column] = 1n;
          }
        }
        return { [names.encoderIds]: ids, [names.encoderMask]: mask };
      },
      output: names.embedding,
    },
    host,
    options,
  );
}
