/**
 * T5, and mT5 and UMT5, as two ONNX graphs, read top to bottom like the paper. Every value's shape stands beside it:
 * B batch, C batch of the cross-attention (1 or B), S encoder length, T new decoder tokens, P past length, H numHeads, K dKv, D dModel, V vocabSize.
 * The encoder also computes the keys and values that the decoder's cross-attention reads: once, instead of at every token.
 * The decoder has one form: its first step passes a past of length 0.
 * Sources: Raffel et al. 2020 (arXiv 1910.10683); Shazeer 2020 (arXiv 2002.05202) for the gated feed-forward; tensor names of transformers' modeling_t5 and modeling_umt5.
 */

import { poolInto } from "../embed/pool.ts";
import type { SentenceFacts } from "../embed/sentence.ts";
import { OnnxGraphBuilder, type Value } from "../onnx/graph-builder.ts";
import { byMask } from "../onnx/masks.ts";
import { byRows } from "../onnx/products.ts";
import type { OnnxModel } from "../spec/onnx.ts";
import type { T5Config } from "./config.ts";
import { bucketTable } from "./position-bias.ts";
import type { T5Weights } from "./weights.ts";

/** Added to scores of positions that must not be seen: the lowest float, as the reference adds it. */
const blocked = -3.4028234663852886e38;

/** A position that no token has. Min of onnxruntime-node 1.30.0 compares the lower 32 bits of an int64 only. */
const beyond = 2 ** 30;

/** Names of the graphs' values, in one place for the code that feeds them. */
export const names = {
  encoderIds: "input_ids",
  rows: "token_rows",
  encoderMask: "attention_mask",
  hidden: "last_hidden_state",
  embedding: "embedding",
  crossMask: "encoder_attention_mask",
  decoderIds: "input_ids",
  logits: "logits",
  best: "best",
  sum: "sum",
  total: "total",
  pastLength: "past_length",
  cross: (layer: number, kind: "key" | "value"): string => `cross.${layer}.${kind}`,
  past: (layer: number, kind: "key" | "value"): string => `past.${layer}.${kind}`,
  present: (layer: number, kind: "key" | "value"): string => `present.${layer}.${kind}`,
  fresh: (layer: number, kind: "key" | "value"): string => `fresh.${layer}.${kind}`,
} as const;

const kinds = ["key", "value"] as const;

/** For each layer of the decoder its key, then its value. */
export function namesOf(
  { numDecoderLayers }: Pick<T5Config, "numDecoderLayers">,
  name: (layer: number, kind: "key" | "value") => string,
): readonly string[] {
  return Array.from({ length: numDecoderLayers }, (_, layer) => kinds.map((kind) => name(layer, kind))).flat();
}

/**
 * In: `input_ids`, `attention_mask` int64 [B, S] (1 = a token, 0 = padding on the right). Where the table of tokens stays outside, `token_rows` f32
 * [B, S, D] instead of the ids.
 * Out: `last_hidden_state` f32 [B, S, D]; for each decoder layer `cross.i.key`, `cross.i.value` f32 [B, H, S, K].
 */
export function encoderGraph(config: T5Config, weights: T5Weights): OnnxModel {
  const graph = new OnnxGraphBuilder("encoder");
  const t5 = layers(graph, config, weights);
  const { hidden } = encode(graph, t5, config, weights, names.hidden);
  graph.output(hidden, "float32", ["batch", "length", config.dModel]);
  for (let block = 0; block < config.numDecoderLayers; block += 1) {
    const cross = t5.keyValue(hidden, `decoder.block.${block}.layer.1.EncDecAttention`, (kind) => names.cross(block, kind));
    for (const value of cross) graph.output(value, "float32", ["batch", config.numHeads, "length", config.dKv]);
  }
  return graph.toModel();
}

/** In: as of encoderGraph(). Out: `embedding` f32 [B, D], of a dense layer's width where there is one, each of length 1. */
export function sentenceGraph(config: T5Config, weights: T5Weights, facts: Pick<SentenceFacts, "pooling" | "dense">): OnnxModel {
  const graph = new OnnxGraphBuilder("sentence");
  const { hidden, mask } = encode(graph, layers(graph, config, weights), config, weights);
  poolInto(graph, weights, hidden, mask, facts, { name: names.embedding, hiddenSize: config.dModel });
  return graph.toModel();
}

/** From ids to the last hidden state [B, S, D]. @param output its name, where it is one of the graph's */
function encode(
  graph: OnnxGraphBuilder,
  t5: ReturnType<typeof layers>,
  config: T5Config,
  weights: T5Weights,
  output?: string,
): { readonly hidden: Value; readonly mask: Value } {
  let x = tokens(graph, config, weights, names.encoderIds); // [B, S, D]; T5 does not scale it
  const mask = graph.input(names.encoderMask, "int64", ["batch", "length"]);
  const positions = t5.range(graph.int64([0], []), t5.length(x, 1)); // [S]
  const biasOf = t5.biases("encoder", t5.distances(positions, positions), t5.paddingBias(mask)); // [B, H, S, S]
  for (let block = 0; block < config.numLayers; block += 1) {
    const layer = `encoder.block.${block}.layer`;
    const h = t5.norm(x, `${layer}.0.layer_norm.weight`);
    const [key, value] = t5.keyValue(h, `${layer}.0.SelfAttention`);
    x = graph.node("Add", [x, t5.attention(h, key, value, biasOf(block), `${layer}.0.SelfAttention`)]);
    x = graph.node("Add", [x, t5.feedForward(t5.norm(x, `${layer}.1.layer_norm.weight`), `${layer}.1.DenseReluDense`)]);
  }
  return { hidden: t5.norm(x, "encoder.final_layer_norm.weight", output), mask };
}

/** The embedded tokens [B, T, D]: looked up in the graph by their ids, or handed in, where the table stays outside (`T5Weights.table`). */
function tokens(graph: OnnxGraphBuilder, { dModel }: T5Config, weights: T5Weights, ids: string): Value {
  if (weights.table !== undefined) return graph.input(names.rows, "float32", ["batch", "length", dModel]);
  return weights.embed(graph, graph.input(ids, "int64", ["batch", "length"]));
}

/**
 * Who joins the keys and values of new tokens with those before. "inside": the graph does, and hands out all of them. "outside": it hands out the new
 * ones only, and reads the others from buffers that have room for more, so that nothing old is copied at a step.
 */
export type Joining = "inside" | "outside";

/**
 * In: `input_ids` int64 [B, T], the new tokens, or `token_rows` f32 [B, T, D]; `encoder_attention_mask` int64 [C, S]; for each layer `cross.i.*` f32 [C, H, S, K] and
 * `past.i.*` f32 [B, H, P, K]. C is B, or 1: then all sequences read the same input, as the beams of a search do.
 * Joined outside, `past_length` int64 says how many of the P positions are there; the others may hold any numbers.
 * Out: `logits` f32 [B, T, V]; `best` int64 [B, T], the id of the largest, of equals the first; `sum` f32 [B, T], which is a number where all scores are;
 * for each layer `present.i.*` f32 [B, H, P + T, K], or joined outside `fresh.i.*` f32 [B, H, T, K].
 */
export function decoderGraph(config: T5Config, weights: T5Weights, joining: Joining): OnnxModel {
  const { numHeads, dKv, dModel, vocabSize } = config;
  const graph = new OnnxGraphBuilder("decoder");
  const t5 = layers(graph, config, weights);
  let x = tokens(graph, config, weights, names.decoderIds); // [B, T, D]
  const added = t5.length(x, 1); // T
  const mask = graph.input(names.crossMask, "int64", ["inputs", "input_length"]);
  const zero = graph.int64([0], []);

  for (let block = 0; block < config.numDecoderLayers; block += 1) {
    for (const kind of kinds) {
      graph.input(names.past(block, kind), "float32", ["batch", numHeads, "past_length", dKv]);
      graph.input(names.cross(block, kind), "float32", ["inputs", numHeads, "input_length", dKv]);
    }
  }
  const room = t5.length(names.past(0, "key"), 2); // P
  const past = joining === "inside" ? room : graph.input(names.pastLength, "int64", []);
  const total = graph.node("Add", [past, added]);
  const queries = t5.range(past, total); // [T]
  const keys = joining === "inside" ? t5.range(zero, total) : t5.filled(room, past, queries); // [P + T]
  const distance = t5.distances(queries, keys); // [T, P + T]
  const future = graph.node("Where", [graph.node("Greater", [distance, zero]), graph.float(blocked), graph.float(0)]); // [T, P + T]
  const biasOf = t5.biases("decoder", distance, future); // [1, H, T, P + T]
  const crossBias = t5.paddingBias(mask); // [C, 1, 1, S]; cross-attention knows no positions
  const ends = joining === "inside" ? undefined : t5.ends(room);
  for (let block = 0; block < config.numDecoderLayers; block += 1) {
    const layer = `decoder.block.${block}.layer`;
    const self = `${layer}.0.SelfAttention`;
    let h = t5.norm(x, `${layer}.0.layer_norm.weight`);
    const before = pair((kind) => names.past(block, kind));
    if (ends === undefined) {
      const fresh = t5.keyValue(h, self); // [B, H, T, K] each
      const [key, value] = pair((kind, index) => {
        const joined = graph.node("Concat", [before[index], fresh[index]], { attributes: { axis: 2 }, output: names.present(block, kind) }); // [B, H, P + T, K]
        graph.output(joined, "float32", ["batch", numHeads, "total_length", dKv]);
        return joined;
      });
      x = graph.node("Add", [x, t5.attention(h, key, value, biasOf(block), self)]);
    } else {
      const fresh = t5.keyValue(h, self, (kind) => names.fresh(block, kind)); // [B, H, T, K] each
      for (const value of fresh) graph.output(value, "float32", ["batch", numHeads, "length", dKv]);
      x = graph.node("Add", [x, t5.attentionInParts(h, before, fresh, biasOf(block), ends, self)]);
    }
    h = t5.norm(x, `${layer}.1.layer_norm.weight`);
    const cross = pair((kind) => names.cross(block, kind));
    x = graph.node("Add", [x, t5.attention(h, ...cross, crossBias, `${layer}.1.EncDecAttention`, t5.scoresOfFew)]);
    x = graph.node("Add", [x, t5.feedForward(t5.norm(x, `${layer}.2.layer_norm.weight`), `${layer}.2.DenseReluDense`)]);
  }
  let y = t5.norm(x, "decoder.final_layer_norm.weight"); // [B, T, D]
  if (config.scaleDecoderOutputs) y = graph.node("Mul", [y, graph.float(dModel ** -0.5)]);
  const logits = weights.linear(graph, y, weights.head, names.logits);
  graph.first(logits);
  graph.output(logits, "float32", ["batch", "length", vocabSize]);
  graph.output(graph.node("ArgMax", [logits], { attributes: { axis: 2, keepdims: 0 }, output: names.best }), "int64", ["batch", "length"]);
  const sum = graph.node("ReduceSum", [logits, graph.int64([2])], { attributes: { keepdims: 0 }, output: names.sum });
  graph.output(sum, "float32", ["batch", "length"]);
  return graph.toModel();
}

/**
 * What a choice among rows of scores needs of each: over a whole vocabulary JavaScript takes longer than the engine by a multiple.
 * In: `logits` f32 [B, V]. Out: `total` f32 [B], log Σ exp: a logit less that is a log-probability.
 */
export function rowsGraph({ vocabSize }: Pick<T5Config, "vocabSize">): OnnxModel {
  const graph = new OnnxGraphBuilder("rows");
  const logits = graph.input(names.logits, "float32", ["batch", vocabSize]);
  const most = graph.node("ReduceMax", [logits], { attributes: { axes: [1], keepdims: 1 } }); // [B, 1]
  const parts = graph.node("Exp", [graph.node("Sub", [logits, most])]); // [B, V]
  const sum = graph.node("ReduceSum", [parts, graph.int64([1])], { attributes: { keepdims: 1 } }); // [B, 1]
  const total = graph.node("Add", [graph.node("Log", [sum]), most]); // [B, 1]
  graph.output(graph.node("Reshape", [total, graph.int64([-1])], { output: names.total }), "float32", ["batch"]);
  return graph.toModel();
}

/** Where a list is cut in two parts, as Slice takes it. */
interface Ends {
  readonly start: Value;
  readonly cut: Value;
  readonly end: Value;
}

type Pair = readonly [key: Value, value: Value];

function pair(make: (kind: "key" | "value", index: 0 | 1) => Value): Pair {
  return [make("key", 0), make("value", 1)];
}

/** The pieces both sides are made of. */
function layers(graph: OnnxGraphBuilder, config: T5Config, weights: T5Weights) {
  const { numHeads, dKv } = config;
  const node = graph.node.bind(graph);
  const axes = (...list: readonly number[]): Value => graph.int64(list);

  /** [B, T, H·K] → [B, H, T, K] */
  const split = (x: Value, output?: string): Value =>
    node("Transpose", [node("Reshape", [x, axes(0, 0, numHeads, dKv)])], {
      attributes: { perm: [0, 2, 1, 3] },
      output,
    });

  /** [B, H, T, K] → [B, T, H·K] */
  const join = (x: Value): Value =>
    node("Reshape", [node("Transpose", [x], { attributes: { perm: [0, 2, 1, 3] } }), axes(0, 0, numHeads * dKv)]);

  /** [B, H, T, K] → [B, H, K, T] */
  const turn = (x: Value): Value => node("Transpose", [x], { attributes: { perm: [0, 1, 3, 2] } });

  const fused = weights.fusedProducts ? (query: Value, key: Value): Value => byRows(graph, query, key) : undefined;

  /** query [B, H, T, K], key [C, H, S, K] → [B, H, T, S] */
  const scoresOf = fused ?? ((query: Value, key: Value): Value => node("MatMul", [query, turn(key)]));

  /** The same for few queries and many keys: the keys stay as they lie, what is turned is small. */
  const scoresOfFew = fused ?? ((query: Value, key: Value): Value => turn(node("MatMul", [key, turn(query)])));

  /** x [B, T, dFf] → 0.5x(1 + tanh(√(2/π)(x + 0.044715x³))): Hendrycks & Gimpel 2016 (arXiv 1606.08415), the approximation. */
  const geluNew = (x: Value): Value => node("FastGelu", [x], { domain: "com.microsoft" });

  return {
    scoresOfFew,

    /** int64 from … to − 1 */
    range: (from: Value, to: Value): Value => node("Range", [from, to, graph.int64([1], [])]),

    /** Positions of keys: of `past` that are there, of `room` − `past` that are not and so lie beyond all others, and `fresh` → [room + T] */
    filled(room: Value, past: Value, fresh: Value): Value {
      const all = node("Range", [graph.int64([0], []), room, graph.int64([1], [])]);
      const known = node("Where", [node("Greater", [past, all]), all, graph.int64([beyond], [])]);
      return node("Concat", [known, fresh], { attributes: { axis: 0 } });
    },

    /** int64 scalar → where a list is cut in two parts: its start, the length of the first part, and its end */
    ends(first: Value): Ends {
      return { start: axes(0), cut: node("Unsqueeze", [first, axes(0)]), end: axes(beyond) };
    },

    /** int64 scalar */
    length: (x: Value, axis: number): Value => node("Gather", [node("Shape", [x]), graph.int64([axis], [])], { attributes: { axis: 0 } }),

    /** positions of queries [T] and keys [S] → key minus query [T, S] */
    distances: (queries: Value, keys: Value): Value =>
      node("Sub", [node("Unsqueeze", [keys, axes(0)]), node("Unsqueeze", [queries, axes(1)])]),

    /**
     * distance [T, S], mask that broadcasts to [B, H, T, S] → for each layer its learned bias and the mask together. In UMT5 every layer holds a table;
     * in the others the first one does, and all layers of a side share it.
     */
    biases(side: "encoder" | "decoder", distance: Value, mask: Value): (block: number) => Value {
      const { relativeAttentionNumBuckets: buckets, relativeAttentionMaxDistance: max } = config;
      const clipped = node("Max", [node("Min", [distance, graph.int64([max], [])]), graph.int64([-max], [])]);
      const index = node("Add", [clipped, graph.int64([max], [])]); // [T, S], 0 … 2·max
      const bucket = graph.int64(bucketTable(side === "encoder", buckets, max)); // [2·max + 1]
      const biasOf = (block: number): Value => {
        const table = weights.value(graph, `${side}.block.${block}.layer.0.SelfAttention.relative_attention_bias.weight`); // [buckets, H]
        const byDistance = node("Gather", [table, bucket], { attributes: { axis: 0 } }); // [2·max + 1, H]: the engine computes it once
        // All heads of a distance at once, then turned: number by number it takes five times as long.
        const near = node("Gather", [byDistance, index], { attributes: { axis: 0 } }); // [T, S, H]
        const bias = node("Unsqueeze", [node("Transpose", [near], { attributes: { perm: [2, 0, 1] } }), axes(0)]); // [1, H, T, S]
        return node("Add", [bias, mask]);
      };
      if (config.hasBiasPerLayer) return biasOf;
      const shared = biasOf(0);
      return () => shared;
    },

    /** int64 [B, S] → f32 [B, 1, 1, S]: 0 for tokens, the lowest float for padding */
    paddingBias(mask: Value): Value {
      return node("Unsqueeze", [byMask(graph, mask, graph.float(0), graph.float(blocked)), axes(1, 2)]);
    },

    /** Root mean square only: no mean is taken off, no bias added. [B, T, D] → [B, T, D] */
    norm: (x: Value, name: string, output?: string): Value =>
      node("SimplifiedLayerNormalization", [x, weights.value(graph, name)], {
        attributes: { axis: -1, epsilon: { float: config.layerNormEpsilon }, stash_type: 1 },
        output,
      }),

    /** x [B, T, D] → key and value [B, H, T, K] */
    keyValue: (x: Value, name: string, output?: (kind: "key" | "value") => string): Pair =>
      pair((kind) => split(weights.linear(graph, x, `${name}.${kind.charAt(0)}.weight`), output?.(kind))),

    /** As attention() with the keys and values of both parts in one: before [B, H, P, K], fresh [B, H, T, K], bias that broadcasts to [B, H, T, P + T]. */
    attentionInParts(x: Value, before: Pair, fresh: Pair, bias: Value, { start, cut, end }: Ends, name: string): Value {
      const query = split(weights.linear(graph, x, `${name}.q.weight`)); // [B, H, T, K]
      const [old, own] = [before, fresh].map(([key]) => scoresOfFew(query, key)) as [Value, Value];
      const scores = node("Concat", [old, own], { attributes: { axis: 3 } }); // [B, H, T, P + T]
      const share = node("Softmax", [node("Add", [scores, bias])], { attributes: { axis: -1 } });
      const read = node("Add", [
        node("MatMul", [node("Slice", [share, start, cut, axes(3)]), before[1]]),
        node("MatMul", [node("Slice", [share, cut, end, axes(3)]), fresh[1]]),
      ]); // [B, H, T, K]
      return weights.linear(graph, join(read), `${name}.o.weight`);
    },

    /** x [B, T, D], key and value [C, H, S, K], bias that broadcasts to [B, H, T, S] → [B, T, D]. T5 does not scale q · k. */
    attention(x: Value, key: Value, value: Value, bias: Value, name: string, scored = scoresOf): Value {
      const query = split(weights.linear(graph, x, `${name}.q.weight`)); // [B, H, T, K]
      const share = node("Softmax", [node("Add", [scored(query, key), bias])], { attributes: { axis: -1 } }); // [B, H, T, S]
      return weights.linear(graph, join(node("MatMul", [share, value])), `${name}.o.weight`);
    },

    /** wo · act(wi · x), or gated: wo · (act(wi_0 · x) · (wi_1 · x)). [B, T, D] → [B, T, D] */
    feedForward(x: Value, name: string): Value {
      const act = (y: Value): Value => (config.activation === "relu" ? node("Relu", [y]) : geluNew(y));
      const inner = config.isGated
        ? node("Mul", [act(weights.linear(graph, x, `${name}.wi_0.weight`)), weights.linear(graph, x, `${name}.wi_1.weight`)])
        : act(weights.linear(graph, x, `${name}.wi.weight`)); // [B, T, dFf]
      return weights.linear(graph, inner, `${name}.wo.weight`);
    },
  };
}
