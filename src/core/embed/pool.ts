/**
 * From the states of tokens to one vector of length 1, as sentence-transformers has it: pooling, a dense layer where there is one, normalisation.
 * Every value's shape stands beside it: B batch, S length, D hidden size, E numbers of a vector. Source: Reimers & Gurevych 2019 (arXiv 1908.10084).
 */
import { readSafetensorsSet } from "../formats/safetensors.ts";
import type { OnnxGraphBuilder, Value } from "../onnx/graph-builder.ts";
import { byMask } from "../onnx/masks.ts";
import { checkFloats, type FloatTensor, missingTensors, type StoredWeights } from "../onnx/weights.ts";
import type { Dense, SentenceFacts } from "./sentence.ts";

/** Added to states of positions that must not be seen: the lowest float. */
const blocked = -3.4028234663852886e38;
const denseWeight = "2_Dense.linear.weight";
const denseBias = "2_Dense.linear.bias";

/** Tensors of the dense layer, by their names in the graph. @throws SpellError safetensors-* */
export async function denseTensors(dense: Dense | undefined, signal: AbortSignal | undefined): Promise<ReadonlyMap<string, FloatTensor>> {
  const found = new Map<string, FloatTensor>();
  if (dense === undefined) return found;
  const tensors = await readSafetensorsSet([dense.weights], undefined, signal);
  const wanted: (readonly [name: string, stored: string, shape: readonly number[]])[] = [
    [denseWeight, "linear.weight", [dense.outputs, dense.inputs]],
  ];
  if (dense.bias) wanted.push([denseBias, "linear.bias", [dense.outputs]]);
  for (const [name, stored, shape] of wanted) {
    const tensor = tensors.get(stored);
    if (tensor === undefined) throw missingTensors([stored], "dense layer");
    found.set(name, checkFloats(stored, tensor, shape));
  }
  return found;
}

/**
 * Adds the output `name`, f32 [B, E], each row of length 1.
 * @param x f32 [B, S, D] @param mask int64 [B, S], 1 = a token, at least one in each row
 */
export function poolInto(
  graph: OnnxGraphBuilder,
  weights: Pick<StoredWeights, "value" | "linear">,
  x: Value,
  mask: Value,
  { pooling, dense }: Pick<SentenceFacts, "pooling" | "dense">,
  { name, hiddenSize }: { readonly name: string; readonly hiddenSize: number },
): void {
  const node = graph.node.bind(graph);
  const one = graph.int64([1]);
  const tokens = node("Unsqueeze", [byMask(graph, mask, graph.float(1), graph.float(0)), graph.int64([2])]); // [B, S, 1]
  const pooled = {
    cls: () => firstToken(graph, x),
    mean: () =>
      node("Div", [
        node("ReduceSum", [node("Mul", [x, tokens]), one], { attributes: { keepdims: 0 } }),
        node("ReduceSum", [tokens, one], { attributes: { keepdims: 0 } }),
      ]),
    max: () => {
      const outside = node("Mul", [node("Sub", [graph.float(1), tokens]), graph.float(blocked)]); // [B, S, 1]
      return node("ReduceMax", [node("Add", [x, outside])], { attributes: { axes: [1], keepdims: 0 } });
    },
  }[pooling](); // [B, D]
  const vector = dense === undefined ? pooled : denseOf(graph, weights, pooled, dense); // [B, E]
  // the sum of squares by hand: LpNormalization has no kernel on graphics cards
  const squares = node("ReduceSum", [node("Mul", [vector, vector]), one], { attributes: { keepdims: 1 } }); // [B, 1]
  graph.output(node("Div", [vector, node("Sqrt", [squares])], { output: name }), "float32", ["batch", dense?.outputs ?? hiddenSize]);
}

/** x [B, S, D] → the first token's [B, D] */
export function firstToken(graph: OnnxGraphBuilder, x: Value): Value {
  return graph.node("Squeeze", [graph.node("Gather", [x, graph.int64([0])], { attributes: { axis: 1 } }), graph.int64([1])]);
}

const activations = { identity: undefined, tanh: "Tanh", relu: "Relu", sigmoid: "Sigmoid" } as const;

function denseOf(
  graph: OnnxGraphBuilder,
  weights: Pick<StoredWeights, "value" | "linear">,
  pooled: Value,
  { bias, activation }: Dense,
): Value {
  const product = weights.linear(graph, pooled, denseWeight);
  const sum = bias ? graph.node("Add", [product, weights.value(graph, denseBias)]) : product;
  const act = activations[activation];
  return act === undefined ? sum : graph.node(act, [sum]);
}
