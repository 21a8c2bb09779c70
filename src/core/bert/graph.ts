/**
 * An encoder of the BERT family as one ONNX graph, from token ids to a vector of length 1 or to the score of a pair, read top to bottom like the paper. Every value's shape stands
 * beside it: B batch, S length, H numHeads, K width of a head, D hiddenSize, F intermediateSize.
 * Sources: Devlin et al. 2018 (arXiv 1810.04805); tensor names of transformers' modeling_bert.
 */
import { firstToken, poolInto } from "../embed/pool.ts";
import { OnnxGraphBuilder, type Value } from "../onnx/graph-builder.ts";
import { byMask } from "../onnx/masks.ts";
import type { StoredWeights } from "../onnx/weights.ts";
import type { OnnxModel } from "../spec/onnx.ts";
import type { BertConfig } from "./config.ts";
import { type BertTask, headNames } from "./task.ts";

/** Added to scores of positions that must not be seen: the lowest float, as the reference adds it. */
const blocked = -3.4028234663852886e38;

const kinds = ["query", "key", "value"] as const;

/** Names of the graph's values, in one place for the code that feeds it. */
export const names = {
  ids: "input_ids",
  mask: "attention_mask",
  positions: "position_ids",
  types: "token_type_ids",
  embedding: "embedding",
  score: "score",
} as const;

/**
 * In: `input_ids`, `attention_mask`, `position_ids` int64 [B, S] (mask: 1 = a token, 0 = padding on the right); of a cross-encoder `token_type_ids` too.
 * Out: `embedding` f32 [B, D], of a dense layer's width where there is one, each of length 1; of a cross-encoder `score` f32 [B, 1].
 * @param kernels which of the engine's nodes are fast, or there at all
 */
export function bertGraph(config: BertConfig, weights: StoredWeights, task: BertTask, kernels: "processor" | "card"): OnnxModel {
  const { hiddenSize, numHeads, numLayers } = config;
  const headSize = hiddenSize / numHeads;
  const graph = new OnnxGraphBuilder("bert");
  const node = graph.node.bind(graph);
  const ids = graph.input(names.ids, "int64", ["batch", "length"]);
  const mask = graph.input(names.mask, "int64", ["batch", "length"]);
  const positions = graph.input(names.positions, "int64", ["batch", "length"]);

  const bias = (name: string): Value => weights.value(graph, `${name}.bias`);
  const product = (x: Value, name: string): Value => weights.linear(graph, x, `${name}.weight`);
  /** x […, inputs] → […, outputs] */
  const dense = (x: Value, name: string): Value => node("Add", [product(x, name), bias(name)]);
  /**
   * The sum of all. On a processor one Sum: of an Add before a LayerNormalization the engine makes a SkipLayerNormalization, which is slower than both
   * (MiniLM's shape, 256 tokens: 3.2 against 1.6 of 26 ms).
   */
  const sum = (first: Value, ...more: readonly Value[]): Value =>
    kernels === "processor" ? node("Sum", [first, ...more]) : more.reduce((left, right) => node("Add", [left, right]), first);
  const norm = (x: Value, name: string): Value =>
    node("LayerNormalization", [x, weights.value(graph, `${name}.weight`), bias(name)], {
      attributes: { axis: -1, epsilon: { float: config.layerNormEpsilon } },
    });
  const activate = (x: Value): Value => {
    if (config.activation === "relu") return node("Relu", [x]);
    return node(config.activation === "gelu" ? "Gelu" : "FastGelu", [x], { domain: "com.microsoft" });
  };

  const types = task.use === "embed" ? graph.int64([0]) : graph.input(names.types, "int64", ["batch", "length"]);
  const type = weights.rows(graph, "embeddings.token_type_embeddings.weight", types); // [1, D]: one text has one type; of a pair [B, S, D]
  const words = weights.rows(graph, "embeddings.word_embeddings.weight", ids); // [B, S, D]
  const places = weights.rows(graph, "embeddings.position_embeddings.weight", positions); // [B, S, D]
  let x = norm(sum(words, type, places), "embeddings.LayerNorm"); // [B, S, D]
  const attend = kernels === "processor" ? attentionInOneNode() : attentionInSteps();
  for (let index = 0; index < numLayers; index += 1) {
    const layer = `encoder.layer.${index}`;
    const read = product(attend(x, `${layer}.attention.self`), `${layer}.attention.output.dense`); // [B, S, D]
    x = norm(sum(read, bias(`${layer}.attention.output.dense`), x), `${layer}.attention.output.LayerNorm`);
    const inner = activate(dense(x, `${layer}.intermediate.dense`)); // [B, S, F]
    x = norm(sum(product(inner, `${layer}.output.dense`), bias(`${layer}.output.dense`), x), `${layer}.output.LayerNorm`);
  }
  if (task.use === "rerank") {
    const { dense: inner, score } = headNames[task.head.kind];
    const logit = dense(node("Tanh", [dense(firstToken(graph, x), inner)]), score); // [B, 1]
    const activate = task.head.activation === "sigmoid" ? "Sigmoid" : "Identity";
    graph.output(node(activate, [logit], { output: names.score }), "float32", ["batch", 1]);
  } else {
    poolInto(graph, weights, x, mask, task, { name: names.embedding, hiddenSize });
  }
  return graph.toModel();

  /** @returns x [B, S, D] → what each token reads of all, [B, S, D]; a head's scores stay in the cache */
  function attentionInOneNode(): (x: Value, name: string) => Value {
    const seen = byMask(graph, mask, graph.int32(1), graph.int32(0)); // [B, S]
    const attributes = { num_heads: numHeads, mask_filter_value: { float: blocked } };
    return (x, name) => {
      const biases = node(
        "Concat",
        kinds.map((kind) => bias(`${name}.${kind}`)),
        { attributes: { axis: 0 } },
      ); // [3 D]
      const read = kinds.map((kind) => product(x, `${name}.${kind}`)); // 3 × [B, S, D]
      return node("MultiHeadAttention", [...read, biases, seen], { attributes, domain: "com.microsoft" });
    };
  }

  /** The same from nodes of ONNX: on WebGPU the engine's one node reads no mask. */
  function attentionInSteps(): (x: Value, name: string) => Value {
    const hidden = byMask(graph, mask, graph.float(0), graph.float(blocked)); // [B, S]
    const outside = node("Unsqueeze", [hidden, graph.int64([1, 2])]); // [B, 1, 1, S]
    /** [B, S, D] → [B, H, S, K] */
    const split = (x: Value): Value =>
      node("Transpose", [node("Reshape", [x, graph.int64([0, 0, numHeads, headSize])])], { attributes: { perm: [0, 2, 1, 3] } });
    return (x, name) => {
      const [query, key, value] = kinds.map((kind) => split(dense(x, `${name}.${kind}`))) as [Value, Value, Value];
      const scores = node("MatMul", [query, node("Transpose", [key], { attributes: { perm: [0, 1, 3, 2] } })]); // [B, H, S, S]
      const scaled = node("Add", [node("Mul", [scores, graph.float(headSize ** -0.5)]), outside]);
      const read = node("MatMul", [node("Softmax", [scaled], { attributes: { axis: -1 } }), value]); // [B, H, S, K]
      return node("Reshape", [node("Transpose", [read], { attributes: { perm: [0, 2, 1, 3] } }), graph.int64([0, 0, hiddenSize])]);
    };
  }
}
