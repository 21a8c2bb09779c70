/**
 * The tensors of a T5 checkpoint: which must be there, and under which names. How each becomes an initialiser is in onnx/weights.ts.
 */
import type { SafetensorsTensor, SafetensorsTensors } from "../formats/safetensors.ts";
import type { OnnxGraphBuilder, Value } from "../onnx/graph-builder.ts";
import { checkFloats, type FloatTensor, missingTensors, type StoredWeights, storedWeights, type WeightForms } from "../onnx/weights.ts";
import { isGpu } from "../spec/devices.ts";
import type { OnnxRuntime } from "../spec/onnx.ts";
import type { T5Config } from "./config.ts";

/** Names the embedding goes by in checkpoints of different writers; all are the same values. */
const embeddingNames = ["shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];
const headName = "lm_head.weight";

/** The checked tensors of one model, ready to be put into graphs. */
export interface T5Weights extends Pick<StoredWeights, "value" | "linear"> {
  /** Name of the tensor that makes logits: the model's own head, else the embedding. */
  readonly head: string;
  /** The embedding, where its rows are looked up outside of the graphs and handed in. */
  readonly table?: FloatTensor | undefined;
  /** Whether graphs widen some, which an engine does once. */
  readonly has16Bit: boolean;
  /** Whether the engine multiplies by what is turned in one node. */
  readonly fusedProducts: boolean;
  /** Rows of the embedding, looked up in the graph. ids: int64 [batch, length] → f32 [batch, length, dModel] */
  embed(graph: OnnxGraphBuilder, ids: Value): Value;
}

/**
 * Every tensor the graphs need, by its checkpoint name.
 * @throws SpellError safetensors-missing (all missing names at once), safetensors-shape, safetensors-dtype
 */
export function findT5Tensors(tensors: SafetensorsTensors, config: T5Config): ReadonlyMap<string, FloatTensor> {
  const found = new Map<string, FloatTensor>();
  const missing: string[] = [];
  for (const [name, shape] of expectedShapes(config, tensors)) {
    const tensor = findTensor(tensors, name, config);
    if (tensor === undefined) {
      missing.push(name);
      continue;
    }
    found.set(name, checkFloats(name, tensor, shape));
  }
  if (missing.length > 0) throw missingTensors(missing, "T5");
  return found;
}

export interface T5WeightForms extends WeightForms {
  readonly runtime: WeightForms["runtime"] & Pick<OnnxRuntime, "device">;
}

/** Name of the tensor that makes logits: the model's own head, else the embedding. */
export function headOf(found: ReadonlyMap<string, FloatTensor>): string {
  return found.has(headName) ? headName : "shared.weight";
}

/** @throws SpellError as findT5Tensors() */
export function collectT5Weights(tensors: SafetensorsTensors, config: T5Config, forms: T5WeightForms): T5Weights {
  const found = findT5Tensors(tensors, config);
  return { ...t5Weights(found, forms), table: isGpu(forms.runtime.device) ? undefined : found.get("shared.weight") };
}

/** @param found of findT5Tensors() */
export function t5Weights(found: ReadonlyMap<string, FloatTensor>, forms: WeightForms): T5Weights {
  const { value, linear, rows } = storedWeights(found, forms);
  const has16Bit = !forms.runtime.widens && [...found.values()].some(({ dtype }) => dtype !== "F32");
  const { fusedProducts } = forms.runtime;
  return { head: headOf(found), has16Bit, fusedProducts, value, linear, embed: (graph, ids) => rows(graph, "shared.weight", ids) };
}

function findTensor(tensors: SafetensorsTensors, name: string, { head }: T5Config): SafetensorsTensor | undefined {
  if (name !== "shared.weight") return tensors.get(name);
  // A head that is the embedding may be the one name that is stored.
  const alias = [...embeddingNames, ...(head === "embedding" ? [headName] : [])].find((candidate) => tensors.has(candidate));
  return alias === undefined ? undefined : tensors.get(alias);
}

/** Every tensor the graphs read, by its checkpoint name, with its shape. */
function expectedShapes(config: T5Config, tensors: SafetensorsTensors): ReadonlyMap<string, readonly number[]> {
  const { dModel, dKv, dFf, numHeads, vocabSize, relativeAttentionNumBuckets } = config;
  const inner = numHeads * dKv;
  const shapes = new Map<string, readonly number[]>([["shared.weight", [vocabSize, dModel]]]);
  if (config.head === "stored" || (config.head === "any" && tensors.has(headName))) shapes.set(headName, [vocabSize, dModel]);
  const attention = (prefix: string): void => {
    for (const kind of ["q", "k", "v"]) shapes.set(`${prefix}.${kind}.weight`, [inner, dModel]);
    shapes.set(`${prefix}.o.weight`, [dModel, inner]);
  };
  const stack = (side: "encoder" | "decoder", layers: number): void => {
    shapes.set(`${side}.final_layer_norm.weight`, [dModel]);
    const feedForward = side === "encoder" ? 1 : 2;
    for (let block = 0; block < layers; block += 1) {
      const prefix = `${side}.block.${block}.layer`;
      for (let layer = 0; layer <= feedForward; layer += 1) shapes.set(`${prefix}.${layer}.layer_norm.weight`, [dModel]);
      attention(`${prefix}.0.SelfAttention`);
      if (block === 0 || config.hasBiasPerLayer) {
        shapes.set(`${prefix}.0.SelfAttention.relative_attention_bias.weight`, [relativeAttentionNumBuckets, numHeads]);
      }
      if (side === "decoder") attention(`${prefix}.1.EncDecAttention`);
      const dense = `${prefix}.${feedForward}.DenseReluDense`;
      for (const kind of config.isGated ? ["wi_0", "wi_1"] : ["wi"]) shapes.set(`${dense}.${kind}.weight`, [dFf, dModel]);
      shapes.set(`${dense}.wo.weight`, [dModel, dFf]);
    }
  };
  stack("encoder", config.numLayers);
  if (config.numDecoderLayers > 0) stack("decoder", config.numDecoderLayers);
  return shapes;
}
