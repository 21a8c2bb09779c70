/**
 * The tensors of a T5 checkpoint: which must be there, under which names, and how each becomes an initialiser.
 * Quantisation is a property of one weight here; the graph does not know of it.
 */
import { SpellError } from "../errors.ts";
import type { PlannedTensor, SafetensorsTensor, SafetensorsTensors } from "../formats/safetensors.ts";
import type { Seq2SeqVariant } from "../spec/runtime.ts";
import { once } from "../values.ts";
import type { T5Config } from "./config.ts";
import type { OnnxGraphBuilder, OnnxType, Value } from "./onnx.ts";
import { blockSize, quantizeBlocks, quantizeColumns, toFloat32 } from "./quantize.ts";

type FloatDtype = "F32" | "F16" | "BF16";
export type FloatTensor = SafetensorsTensor & { readonly dtype: FloatDtype };

const onnxTypeOf: Readonly<Record<FloatDtype, OnnxType>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** Names the embedding goes by in checkpoints of different writers; all are the same values. */
const embeddingNames = ["shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];
const headName = "lm_head.weight";

/** The checked tensors of one model, ready to be put into graphs. */
export interface T5Weights {
  /** Name of the tensor that makes logits: the model's own head, else the embedding. */
  readonly head: string;
  /** A stored tensor as float32 value. Sixteen-bit ones are widened by the engine, once. */
  value(graph: OnnxGraphBuilder, name: string): Value;
  /** Rows of the embedding. ids: int64 [batch, length] → f32 [batch, length, dModel] */
  embed(graph: OnnxGraphBuilder, ids: Value): Value;
  /** x · Wᵀ with W [outputs, inputs] exactly as stored. x: f32 [batch, length, inputs] → f32 [batch, length, outputs] */
  linear(graph: OnnxGraphBuilder, x: Value, name: string, output?: string): Value;
}

/** How stored weights become those of the graphs. */
export interface WeightForms {
  readonly variant: Seq2SeqVariant;
  /** as OnnxRuntime's */
  readonly reads16Bit: boolean;
  readonly hasFastBlocks: boolean;
  /** A block file of these very tensors and this variant (block-file.ts): nothing has to be computed then. */
  readonly blocks?: SafetensorsTensors | undefined;
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
    found.set(name, checkTensor(name, tensor, shape));
  }
  if (missing.length > 0) {
    const shown = missing.slice(0, 8).join(", ");
    throw new SpellError(
      "safetensors-missing",
      `${missing.length === 1 ? "a tensor is" : `${missing.length} tensors are`} missing: ${shown}${missing.length > 8 ? ", …" : ""}; expected a complete T5 checkpoint`,
      { hint: "The checkpoint is incomplete, or not one of T5; fetch it again.", details: { missing } },
    );
  }
  return found;
}

/** Name of the tensor that makes logits: the model's own head, else the embedding. */
export function headOf(found: ReadonlyMap<string, FloatTensor>): string {
  return found.has(headName) ? headName : "shared.weight";
}

/** Whether the rows of a weight divide into blocks; others stay as they are. */
export function dividesIntoBlocks({ shape }: Pick<FloatTensor, "shape">): boolean {
  return (shape[1] ?? 0) % blockSize === 0;
}

/** @throws SpellError as findT5Tensors() */
export function collectT5Weights(
  tensors: SafetensorsTensors,
  config: T5Config,
  { variant, reads16Bit, hasFastBlocks, blocks }: WeightForms,
): T5Weights {
  const found = findT5Tensors(tensors, config);
  const get = (name: string): FloatTensor => {
    const tensor = found.get(name);
    if (tensor === undefined) throw new SpellError("internal-error", `the graph asks for tensor ${name}, which was not checked`);
    return tensor;
  };

  const stored = (graph: OnnxGraphBuilder, name: string): Value => {
    const { dtype, shape } = get(name);
    const { source, offset, length } = blocks?.get(name) ?? get(name);
    return graph.weight({ name, type: onnxTypeOf[dtype], shape, length, file: { source, offset } });
  };
  const value = (graph: OnnxGraphBuilder, name: string): Value => {
    const raw = stored(graph, name);
    return get(name).dtype === "F32" ? raw : graph.node("Cast", [raw], { attributes: { to: 1 } });
  };
  return {
    head: headOf(found),
    value,
    embed(graph, ids) {
      if (!reads16Bit) return graph.node("Gather", [value(graph, "shared.weight"), ids], { attributes: { axis: 0 } });
      // Rows first, then wider: the whole table as f32 would double what a 16-bit file needs.
      const rows = graph.node("Gather", [stored(graph, "shared.weight"), ids], { attributes: { axis: 0 } });
      return get("shared.weight").dtype === "F32" ? rows : graph.node("Cast", [rows], { attributes: { to: 1 } });
    },
    linear(graph, x, name, output) {
      const tensor = get(name);
      if (variant !== "f32" && !hasFastBlocks) return columnLinear(graph, x, name, tensor, output);
      if (variant === "f32" || !dividesIntoBlocks(tensor)) {
        // One node that multiplies from the stored side: a Transpose of its own loads four times slower.
        const attributes = { transB: 1, alpha: { float: 1 } };
        return graph.node("FusedMatMul", [x, value(graph, name)], { attributes, domain: "com.microsoft", output });
      }
      return blockLinear(graph, x, name, tensor, variant, blocks, output);
    },
  };
}

type BlockTensor = Pick<PlannedTensor, "name" | "shape" | "length">;

/** The two tensors that stand for a weight in blocks. */
export function blockTensors(
  name: string,
  { shape: [rows = 0, columns = 0] }: Pick<FloatTensor, "shape">,
  variant: "q8" | "q4",
): { readonly bits: 4 | 8; readonly values: BlockTensor; readonly scales: BlockTensor } {
  const bits = variant === "q4" ? 4 : 8;
  const blocks = columns / blockSize;
  return {
    bits,
    values: { name: `${name}/${variant}`, shape: [rows, blocks, (blockSize * bits) / 8], length: (rows * columns * bits) / 8 },
    scales: { name: `${name}/scales`, shape: [rows * blocks], length: rows * blocks * 4 },
  };
}

/** Reads a weight and quantises it. */
export async function makeBlocks(tensor: FloatTensor, bits: 4 | 8): Promise<{ readonly values: Uint8Array; readonly scales: Uint8Array }> {
  const { values, scales } = quantizeBlocks(await readFloats(tensor), bits);
  return { values, scales: new Uint8Array(scales.buffer) };
}

/** MatMulNBits over blocks: those of a block file, else made from the stored weights. */
function blockLinear(
  graph: OnnxGraphBuilder,
  x: Value,
  name: string,
  tensor: FloatTensor,
  variant: "q8" | "q4",
  blocks: SafetensorsTensors | undefined,
  output: string | undefined,
): Value {
  const [rows = 0, columns = 0] = tensor.shape;
  const { bits, ...parts } = blockTensors(name, tensor, variant);
  const made = once(() => makeBlocks(tensor, bits));
  const from = (part: "values" | "scales") => {
    const file = blocks?.get(parts[part].name);
    if (file !== undefined) return { file: { source: file.source, offset: file.offset } };
    return { make: async () => (await made())[part] };
  };
  const values = graph.weight({ ...parts.values, type: "uint8", ...from("values") });
  const scales = graph.weight({ ...parts.scales, type: "float32", ...from("scales") });
  // Level 4 multiplies in 8-bit integers; the exact level is twenty times slower for 8 bits on processors.
  const attributes = { K: columns, N: rows, bits, block_size: blockSize, accuracy_level: 4 };
  return graph.node("MatMulNBits", [x, values, scales], { attributes, domain: "com.microsoft", output });
}

/** DynamicQuantizeMatMul: 8-bit integers with one scale for each output; what goes in is quantised while it runs. */
function columnLinear(graph: OnnxGraphBuilder, x: Value, name: string, tensor: FloatTensor, output: string | undefined): Value {
  const [rows = 0, columns = 0] = tensor.shape;
  const made = once(async () => quantizeColumns(await readFloats(tensor), rows, columns, 127));
  const make = (part: "values" | "scales") => async () => new Uint8Array((await made())[part].buffer);
  const values = graph.weight({
    name: `${name}/int8`,
    type: "int8",
    shape: [columns, rows],
    length: rows * columns,
    make: make("values"),
  });
  const scales = graph.weight({ name: `${name}/scales`, type: "float32", shape: [rows], length: rows * 4, make: make("scales") });
  return graph.node("DynamicQuantizeMatMul", [x, values, scales], { domain: "com.microsoft", output });
}

async function readFloats({ source, offset, length, dtype }: FloatTensor): Promise<Float32Array> {
  return toFloat32(await source.read(offset, length), dtype);
}

function findTensor(tensors: SafetensorsTensors, name: string, { head }: T5Config): SafetensorsTensor | undefined {
  if (name !== "shared.weight") return tensors.get(name);
  // A head that is the embedding may be the one name that is stored.
  const alias = [...embeddingNames, ...(head === "embedding" ? [headName] : [])].find((candidate) => tensors.has(candidate));
  return alias === undefined ? undefined : tensors.get(alias);
}

function checkTensor(name: string, tensor: SafetensorsTensor, wanted: readonly number[]): FloatTensor {
  const { dtype, shape, source } = tensor;
  if (dtype !== "F32" && dtype !== "F16" && dtype !== "BF16") {
    throw new SpellError("safetensors-dtype", `${source.name}: tensor ${name}: expected F32, F16 or BF16, got ${dtype}`, { where: name });
  }
  if (shape.length !== wanted.length || shape.some((length, index) => length !== wanted[index])) {
    throw new SpellError(
      "safetensors-shape",
      `${source.name}: tensor ${name}: expected shape [${wanted.join(", ")}] by config.json, got [${shape.join(", ")}]`,
      { where: name },
    );
  }
  return { ...tensor, dtype };
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
  stack("decoder", config.numDecoderLayers);
  return shapes;
}
