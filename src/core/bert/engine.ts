/** An encoder of the BERT family on an OnnxRuntime. */
import { type EncoderHost, type EncoderModel, type EncoderOptions, openEncoder } from "../embed/engine.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { storedWeights } from "../onnx/weights.ts";
import { isGpu } from "../spec/devices.ts";
import type { Seq2SeqHandle } from "../spec/runtime.ts";
import type { BertConfig } from "./config.ts";
import { acceptBert, findBertFiles } from "./files.ts";
import { bertGraph, names } from "./graph.ts";

/**
 * Checks the files and opens the model.
 * @throws SpellError model-*, safetensors-*, tokenizer-*, onnx-*, device-memory, run-nan, run-aborted
 */
export async function openBert(files: readonly ByteSource[], host: EncoderHost, options: EncoderOptions): Promise<Seq2SeqHandle> {
  const { tokenizer, ...parts } = findBertFiles(files);
  const { config, task: own, found, dimensions } = await acceptBert({ tokenizer, ...parts }, options.signal);
  const task = own.use === "embed" && options.pooling !== undefined ? { ...own, pooling: options.pooling } : own;
  const { modelType, vocabSize } = config;
  const scores = task.use === "rerank";
  return openEncoder(
    {
      ...{ modelType, vocabSize, task, dimensions, tokenizer },
      graph: (forms) => bertGraph(config, storedWeights(found, forms), task, isGpu(host.onnx.device) ? "card" : "processor"),
      feed: feedOf(config, scores),
      output: scores ? names.score : names.embedding,
    },
    host,
    options,
  );
}

function feedOf({ firstPosition, padTokenId, tokenTypes }: BertConfig, withTypes: boolean): EncoderModel["feed"] {
  return (inputs, length) => {
    const zeros = (): BigInt64Array => new BigInt64Array(inputs.length * length);
    const [ids, mask, positions, types] = [zeros(), zeros(), zeros(), zeros()];
    for (const [row, input] of inputs.entries()) {
      let next = firstPosition;
      for (const [column, id] of input.ids.entries()) {
        const at = row * length + column;
        ids[at] = BigInt(id);
        mask[at] = 1n;
        positions[at] = BigInt(id === padTokenId ? id : next++);
        // RoBERTa knows no types, whatever its tokenizer says
        types[at] = BigInt(padTokenId === undefined ? Math.min(input.types?.[column] ?? 0, tokenTypes - 1) : 0);
      }
    }
    return { [names.ids]: ids, [names.mask]: mask, [names.positions]: positions, ...(withTypes && { [names.types]: types }) };
  };
}
