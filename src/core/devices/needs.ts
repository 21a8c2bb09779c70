/** What a model takes of a device, from its header: weights, and keys and values at a context. Estimates; a load measures. */
import type { EncoderFacts } from "../embed/facts.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { GgufFacts } from "../gguf/gate.ts";
import type { ModelNeeds, Seq2SeqVariant } from "../spec/runtime.ts";
import type { T5Config } from "../t5/config.ts";
import type { ExportFacts } from "../t5/export-files.ts";
import type { T5Facts } from "../t5/files.ts";

/** @param tokens kept at once, at most the model's limit */
export function ggufNeeds(
  facts: Pick<GgufFacts, "fileBytes" | "kvBytesPerToken" | "contextLength" | "largestTensorBytes">,
  tokens: number,
  files: readonly Pick<ByteSource, "size">[],
): ModelNeeds {
  return {
    memoryBytes: facts.fileBytes + facts.kvBytesPerToken * Math.min(tokens, facts.contextLength),
    bufferBytes: facts.largestTensorBytes,
    partBytes: Math.max(0, ...files.map(({ size }) => size)),
  };
}

/** Bytes of one weight in memory; blocks of 32 carry an F32 scale. */
const bytesPerWeight: Readonly<Record<Seq2SeqVariant, number>> = { f32: 4, q8: 1.125, q4: 0.625 };

/** @param tokens of the input, and of the answer */
export function t5Needs(
  { config, parameterCount, tensors }: Pick<T5Facts, "config" | "parameterCount" | "tensors">,
  variant: Seq2SeqVariant,
  tokens: number,
): ModelNeeds {
  const perWeight = bytesPerWeight[variant];
  const largest = Math.max(0, ...[...tensors.values()].map(({ shape }) => shape.reduce((product, length) => product * length, 1)));
  return {
    memoryBytes: Math.ceil(parameterCount * perWeight + cacheBytes(config, tokens)),
    bufferBytes: Math.ceil(largest * perWeight),
    partBytes: Math.ceil(parameterCount * perWeight),
  };
}

/** @param tokens of one text */
export function encoderNeeds(
  { config, parameterCount }: Pick<EncoderFacts, "config" | "parameterCount">,
  variant: Seq2SeqVariant,
  tokens: number,
): ModelNeeds {
  const weights = Math.ceil(parameterCount * bytesPerWeight[variant]);
  // the table of words stays as it is stored
  const bufferBytes = 4 * config.vocabSize * config.hiddenSize;
  return { memoryBytes: weights + 4 * config.numHeads * tokens * tokens, bufferBytes, partBytes: weights };
}

/** @param tokens of the input, and of the answer */
export function exportNeeds({ config, sizeBytes }: Pick<ExportFacts, "config" | "sizeBytes">, tokens: number): ModelNeeds {
  return { memoryBytes: sizeBytes + cacheBytes(config, tokens), bufferBytes: 4 * config.vocabSize * config.dModel };
}

/** Keys and values of the input and of the answer in each decoder layer, and one layer's attention scores. */
function cacheBytes({ numHeads, dKv, numDecoderLayers }: T5Config, tokens: number): number {
  return 16 * numDecoderLayers * numHeads * dKv * tokens + 4 * numHeads * tokens * tokens;
}
