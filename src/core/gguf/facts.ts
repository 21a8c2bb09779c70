/** What a model file says about its own size and shape, checked as far as engines divide, allocate and index by it. */
import { checkedAdd, checkedMul } from "../checked.ts";
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import type { ParameterDefaults } from "../text/parameters.ts";
import { noteChanged, type Recommendation, readRecommendations } from "../text/recommendations.ts";
import { recurrentArchitectures } from "./architectures.ts";
import { ggufError } from "./defect.ts";
import type { GgufTensor } from "./header.ts";
import type { Metadata, NumberRange } from "./metadata.ts";
import { fileTypes, ggmlTypes } from "./types.ts";

export interface ModelShape {
  readonly contextLength: number;
  readonly embeddingLength: number;
  readonly blockCount: number;
  /** of the layer that has most; 0 for models without attention */
  readonly headCount: number;
  /** numbers of a key of one head; 0 for models without attention */
  readonly headSize: number;
  readonly kvHeadCount: number;
  /** bytes that keys and values of one token take as f16, over all layers; an upper bound where layers share or forget them */
  readonly kvBytesPerToken: number;
}

/**
 * @throws SpellError gguf-metadata naming key, expected and got
 */
export function readShape(metadata: Metadata, architecture: string): ModelShape {
  const need = (name: string, range: NumberRange): number => {
    const key = `${architecture}.${name}`;
    const value = metadata.uint32(key, range);
    if (value === undefined)
      throw metadata.error(key, `expected ${formatCount(range.min)} … ${formatCount(range.max)}; the key is missing`);
    return value;
  };
  const contextLength = need("context_length", { min: 1, max: limits.ggufContextLength });
  const embeddingLength = need("embedding_length", { min: 1, max: limits.ggufEmbeddingLength });
  const blockCount = need("block_count", { min: 1, max: limits.ggufBlocks });
  metadata.uint32s(`${architecture}.feed_forward_length`, { min: 0, max: limits.ggufFeedForwardLength });
  checkExperts(metadata, architecture);
  // engines compute with them as they are, and end or write nothing
  for (const kind of ["rms_epsilon", "epsilon"])
    metadata.fraction(`${architecture}.attention.layer_norm_${kind}`, (value) => value >= 0 && value <= 1, "0 … 1");
  metadata.fraction(`${architecture}.rope.freq_base`, (value) => value > 0, "a number above 0");
  const base = { contextLength, embeddingLength, blockCount };
  if (recurrentArchitectures.has(architecture)) return { ...base, headCount: 0, headSize: 0, kvHeadCount: 0, kvBytesPerToken: 0 };

  const [headsKey, kvHeadsKey] = [`${architecture}.attention.head_count`, `${architecture}.attention.head_count_kv`];
  const heads = readHeads(metadata, headsKey, blockCount);
  if (heads === undefined) throw metadata.error(headsKey, `expected 1 … ${formatCount(limits.ggufHeads)}; the key is missing`);
  const kvHeads = readHeads(metadata, kvHeadsKey, blockCount) ?? heads;
  for (let layer = 0; layer < blockCount; layer++) {
    const [count, kvCount] = [heads[layer] ?? 0, kvHeads[layer] ?? 0];
    if (kvCount > 0 && count % kvCount !== 0) {
      const expected = `expected a divisor of the ${formatCount(count)} heads of layer ${layer}`;
      throw metadata.error(kvHeadsKey, `${expected}, got ${formatCount(kvCount)}`);
    }
  }
  const headCount = Math.max(...heads);
  const sizes = { min: 1, max: limits.ggufEmbeddingLength };
  const keyLength = metadata.uint32(`${architecture}.attention.key_length`, sizes);
  const valueLength = metadata.uint32(`${architecture}.attention.value_length`, sizes);
  if (keyLength === undefined && embeddingLength % headCount !== 0) {
    const expected = `expected a multiple of the ${formatCount(headCount)} heads, or ${architecture}.attention.key_length`;
    throw metadata.error(`${architecture}.embedding_length`, `${expected}; got ${formatCount(embeddingLength)}`);
  }
  const headSize = Math.floor(embeddingLength / headCount);
  const allKvHeads = kvHeads.reduce((sum, count) => sum + count, 0);
  return {
    ...base,
    headCount,
    headSize: keyLength ?? headSize,
    kvHeadCount: Math.max(...kvHeads),
    kvBytesPerToken: allKvHeads * ((keyLength ?? headSize) + (valueLength ?? headSize)) * 2,
  };
}

/** @returns one count per layer. A layer may have none (it is recurrent, or reuses another's), a model may not. */
function readHeads(metadata: Metadata, key: string, blockCount: number): readonly number[] | undefined {
  const value = metadata.uint32s(key, { min: 0, max: limits.ggufHeads });
  if (value === undefined) return undefined;
  const counts = typeof value === "number" ? new Array<number>(blockCount).fill(value) : value;
  if (counts.length < blockCount) throw metadata.error(key, `expected one entry for each of ${blockCount} layers, got ${counts.length}`);
  if (counts.every((count) => count === 0)) throw metadata.error(key, `expected 1 … ${formatCount(limits.ggufHeads)}, got 0`);
  return counts.slice(0, blockCount);
}

/** Engines assert that some experts are used, and not more than there are. */
function checkExperts(metadata: Metadata, architecture: string): void {
  const anyCount = { min: 0, max: limits.ggufHeads };
  const count = metadata.uint32(`${architecture}.expert_count`, anyCount) ?? 0;
  if (count === 0) return;
  const key = `${architecture}.expert_used_count`;
  const used = metadata.uint32(key, anyCount) ?? 0;
  if (used < 1 || used > count) throw metadata.error(key, `expected 1 … ${formatCount(count)} (expert_count), got ${formatCount(used)}`);
}

/**
 * The table of token embeddings: no text model works without it, and its rows bound the token ids.
 * @throws SpellError gguf-tensor, gguf-tokenizer
 */
export function checkTokenEmbedding(metadata: Metadata, tensors: readonly GgufTensor[], vocabSize: number): void {
  const name = "token_embd.weight";
  const table = tensors.find((tensor) => tensor.name === name);
  if (table === undefined) {
    throw ggufError("gguf-tensor", metadata.source, `tensor ${name} is missing among ${formatCount(tensors.length)} tensors`);
  }
  const rows = table.shape[1] ?? 1;
  if (rows >= vocabSize) return;
  const message = `expected at most ${formatCount(rows)} tokens (rows of ${name}), got ${formatCount(vocabSize)}`;
  throw metadata.error("tokenizer.ggml.tokens", message, "gguf-tokenizer");
}

/** The name people know the file by: `general.file_type`, else the type that holds most of the weights' bytes. */
export function nameQuantization(metadata: Metadata, tensors: readonly GgufTensor[]): string {
  const fileType = metadata.uint32("general.file_type", { min: 0, max: 0xffff_ffff });
  // 1024 is a flag: "guessed by the converter"
  const named = fileType === undefined ? undefined : fileTypes.get(fileType & ~1024);
  if (named !== undefined) return named;
  const bytes = new Map<number, number>();
  for (const tensor of tensors) bytes.set(tensor.type, (bytes.get(tensor.type) ?? 0) + tensor.bytes);
  const [most] = Array.from(bytes).sort((a, b) => b[1] - a[1]);
  return (most === undefined ? undefined : ggmlTypes.get(most[0])?.name) ?? "unknown";
}

/** Numbers in all tensors together. */
export function countParameters(tensors: readonly GgufTensor[]): number {
  let count = 0;
  for (const tensor of tensors) {
    const elements = tensor.shape.reduce((product, dimension) => checkedMul(product, dimension) ?? 0, 1);
    count = checkedAdd(count, elements) ?? Number.MAX_SAFE_INTEGER;
  }
  return count;
}

const samplingKeys = [
  ["temp", "temperature"],
  ["top_k", "topK"],
  ["top_p", "topP"],
  ["min_p", "minP"],
  ["penalty_last_n", "repeatLastN"],
  ["penalty_repeat", "repeatPenalty"],
] as const;

/** What the file itself recommends. A value that does not fit is fitted or left out, and noted; it must not make the model unusable. */
export function readSamplingDefaults({ header, source }: Metadata): {
  readonly values: ParameterDefaults;
  readonly notes: readonly string[];
} {
  const { values, changed } = readRecommendations(
    samplingKeys.map(([suffix, name]): Recommendation => {
      const key = `general.sampling.${suffix}`;
      const value = header.metadata.get(key);
      // f32: 0.8 is stored as 0.800000011920929
      const number = typeof value === "number" ? Number(value.toPrecision(7)) : typeof value === "bigint" ? Number(value) : value;
      return [key, name, typeof number === "object" ? "an array" : number];
    }),
  );
  return { values, notes: noteChanged(source.name, changed) };
}
