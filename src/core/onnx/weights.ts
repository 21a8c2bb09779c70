/** Tensors of a checkpoint as initialisers of graphs. Quantisation is a property of one weight here; graphs do not know of it. */
import { SpellError } from "../errors.ts";
import type { PlannedTensor, SafetensorsTensor, SafetensorsTensors } from "../formats/safetensors.ts";
import type { Seq2SeqVariant } from "../spec/runtime.ts";
import { once } from "../values.ts";
import type { OnnxGraphBuilder, OnnxType, Value } from "./graph-builder.ts";
import { blockSize, quantizeBlocks, quantizeColumns, toFloat32 } from "./quantize.ts";

type FloatDtype = "F32" | "F16" | "BF16";
export type FloatTensor = SafetensorsTensor & { readonly dtype: FloatDtype };

const onnxTypeOf: Readonly<Record<FloatDtype, OnnxType>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** The checked tensors of one model, ready to be put into graphs. */
export interface StoredWeights {
  /** A stored tensor as float32 value. Sixteen-bit ones are widened by the engine, once. */
  value(graph: OnnxGraphBuilder, name: string): Value;
  /** Rows of a table [rows, width]. ids: int64 [batch, length] → f32 [batch, length, width] */
  rows(graph: OnnxGraphBuilder, name: string, ids: Value): Value;
  /** x · Wᵀ with W [outputs, inputs] exactly as stored. x: f32 […, inputs] → f32 [batch, length, outputs] */
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

/** All missing tensors at once. @param family for people: "T5" */
export function missingTensors(missing: readonly string[], family: string): SpellError {
  const shown = missing.slice(0, 8).join(", ");
  return new SpellError(
    "safetensors-missing",
    `${missing.length === 1 ? "a tensor is" : `${missing.length} tensors are`} missing: ${shown}${missing.length > 8 ? ", …" : ""}; expected a complete ${family} checkpoint`,
    { hint: `The checkpoint is incomplete, or not one of ${family}; fetch it again.`, details: { missing } },
  );
}

/** @throws SpellError safetensors-dtype, safetensors-shape */
export function checkFloats(name: string, tensor: SafetensorsTensor, wanted: readonly number[]): FloatTensor {
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

/** Whether the rows of a weight divide into blocks; others stay as they are. */
export function dividesIntoBlocks({ shape }: Pick<FloatTensor, "shape">): boolean {
  return (shape[1] ?? 0) % blockSize === 0;
}

/** @param found every tensor the graphs ask for, checked */
export function storedWeights(
  found: ReadonlyMap<string, FloatTensor>,
  { variant, reads16Bit, hasFastBlocks, blocks }: WeightForms,
): StoredWeights {
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
    value,
    rows(graph, name, ids) {
      if (!reads16Bit) return graph.node("Gather", [value(graph, name), ids], { attributes: { axis: 0 } });
      // Rows first, then wider: the whole table as f32 would double what a 16-bit file needs.
      const rows = graph.node("Gather", [stored(graph, name), ids], { attributes: { axis: 0 } });
      return get(name).dtype === "F32" ? rows : graph.node("Cast", [rows], { attributes: { to: 1 } });
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
