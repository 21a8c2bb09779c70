/** Tensors of a checkpoint as initialisers of graphs. Quantisation is a property of one weight here; graphs do not know of it. */
import { SpellError } from "../errors.ts";
import type { PlannedTensor, SafetensorsTensor, SafetensorsTensors } from "../formats/safetensors.ts";
import { isGpu } from "../spec/devices.ts";
import type { OnnxRuntime } from "../spec/onnx.ts";
import type { Device, Seq2SeqVariant, WeightForm } from "../spec/runtime.ts";
import { once } from "../values.ts";
import { checkFinite } from "./finite.ts";
import type { OnnxGraphBuilder, OnnxType, Value } from "./graph-builder.ts";
import { byRows } from "./products.ts";
import { blockSize, quantizeBlocks, quantizeColumns, toFloat32 } from "./quantize.ts";

type FloatDtype = "F32" | "F16" | "BF16";
export type FloatTensor = SafetensorsTensor & { readonly dtype: FloatDtype };

const onnxTypeOf: Readonly<Record<FloatDtype, OnnxType>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** The checked tensors of one model, ready to be put into graphs. */
export interface StoredWeights {
  /** A stored tensor as float32 value. Sixteen-bit ones are widened once: as they are handed to the engine, or by it. */
  value(graph: OnnxGraphBuilder, name: string): Value;
  /** Rows of a table [rows, width]. ids: int64 [batch, length] → f32 [batch, length, width] */
  rows(graph: OnnxGraphBuilder, name: string, ids: Value): Value;
  /** x · Wᵀ with W [outputs, inputs] exactly as stored. x: f32 […, inputs] → f32 [batch, length, outputs] */
  linear(graph: OnnxGraphBuilder, x: Value, name: string, output?: string): Value;
}

/** How stored weights become those of the graphs. */
export interface WeightForms {
  readonly variant: Seq2SeqVariant;
  /** How many rows they are multiplied with at once: whole inputs and batches, or the newest token of one to three answers. */
  readonly rows: "many" | "few";
  readonly runtime: Pick<OnnxRuntime, "reads16Bit" | "widens" | "fastBlocks" | "columnLimit" | "fusedProducts">;
  /** Kept forms of these very tensors (block-file.ts): nothing has to be computed then. */
  readonly kept?: SafetensorsTensors | undefined;
}

/**
 * Blocks along a row for MatMulNBits, or columns with one scale for each output for DynamicQuantizeMatMul. Columns cost no more in answers than 4-bit
 * blocks do, and more than 8-bit ones, which are asked for to stay near f32: so those stay blocks for many rows too, though that is slower.
 */
export function formOf({
  variant,
  rows,
  runtime: { fastBlocks },
}: Pick<WeightForms, "variant" | "rows"> & { readonly runtime: Pick<OnnxRuntime, "fastBlocks"> }): "f32" | "blocks" | "columns" {
  if (variant === "f32") return "f32";
  if (fastBlocks === "few-rows") return variant === "q4" && rows === "many" ? "columns" : "blocks";
  return fastBlocks === "always" ? "blocks" : "columns";
}

/** As people read it. */
export function formName(asked: Parameters<typeof formOf>[0]): WeightForm {
  const form = formOf(asked);
  if (form === "f32") return form;
  if (form === "columns") return "8-bit columns";
  return asked.variant === "q4" ? "4-bit blocks" : "8-bit blocks";
}

/** What is fast on a device: blocks have no quick kernel in WebAssembly, columns none on a card; on a processor rows decide (docs/benchmarks-history.md). */
export function fastBlocksOn(device: Device): OnnxRuntime["fastBlocks"] {
  if (isGpu(device)) return "always";
  return device === "wasm" ? "never" : "few-rows";
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
export function storedWeights(found: ReadonlyMap<string, FloatTensor>, { variant, rows, runtime, kept }: WeightForms): StoredWeights {
  const get = (name: string): FloatTensor => {
    const tensor = found.get(name);
    if (tensor === undefined) throw new SpellError("internal-error", `the graph asks for tensor ${name}, which was not checked`);
    return tensor;
  };

  const stored = (graph: OnnxGraphBuilder, name: string): Value => {
    const { dtype, shape } = get(name);
    const { source, offset, length } = kept?.get(name) ?? get(name);
    return graph.weight({ name, type: onnxTypeOf[dtype], shape, length, file: { source, offset } });
  };
  const value = (graph: OnnxGraphBuilder, name: string): Value => {
    const { dtype, shape } = get(name);
    if (dtype === "F32") return stored(graph, name);
    if (!runtime.widens) return graph.node("Cast", [stored(graph, name)], { attributes: { to: 1 } });
    const { source, offset, length } = kept?.get(name) ?? get(name);
    return graph.weight({ name: `${name}/f32`, type: "float32", shape, length: 2 * length, file: { source, offset, stored: dtype } });
  };
  const form = formOf({ variant, rows, runtime });
  return {
    value,
    rows(graph, name, ids) {
      if (!runtime.reads16Bit) return graph.node("Gather", [value(graph, name), ids], { attributes: { axis: 0 } });
      // Rows first, then wider: the whole table as f32 would double what a 16-bit file needs.
      const rows = graph.node("Gather", [stored(graph, name), ids], { attributes: { axis: 0 } });
      return get(name).dtype === "F32" ? rows : graph.node("Cast", [rows], { attributes: { to: 1 } });
    },
    linear(graph, x, name, output) {
      const tensor = get(name);
      if (form === "columns") return columnLinear(graph, x, name, tensor, runtime.columnLimit, kept, output);
      if (variant === "f32" || form === "f32" || !dividesIntoBlocks(tensor)) {
        return storedLinear(graph, x, value(graph, name), tensor, runtime.fusedProducts, output);
      }
      return blockLinear(graph, x, name, tensor, variant, kept, output);
    },
  };
}

/** From the stored side: a Transpose of its own loads four times slower. Gemm takes rows only, so rows are made of x and unmade. */
function storedLinear(
  graph: OnnxGraphBuilder,
  x: Value,
  weight: Value,
  { shape: [outputs = 0, inputs = 0] }: Pick<FloatTensor, "shape">,
  isFused: boolean,
  output: string | undefined,
): Value {
  if (isFused) return byRows(graph, x, weight, output);
  const rows = graph.node("Reshape", [x, graph.int64([-1, inputs])]);
  const product = graph.node("Gemm", [rows, weight], { attributes: { transB: 1 } });
  const before = graph.node("Slice", [graph.node("Shape", [x]), graph.int64([0]), graph.int64([-1]), graph.int64([0])]);
  const shape = graph.node("Concat", [before, graph.int64([outputs])], { attributes: { axis: 0 } });
  return graph.node("Reshape", [product, shape], { output });
}

type KeptTensor = Pick<PlannedTensor, "name" | "shape" | "length">;

/** The two tensors that stand for a weight in blocks. */
export function blockTensors(
  name: string,
  { shape: [rows = 0, columns = 0] }: Pick<FloatTensor, "shape">,
  variant: "q8" | "q4",
): { readonly bits: 4 | 8; readonly values: KeptTensor; readonly scales: KeptTensor } {
  const bits = variant === "q4" ? 4 : 8;
  const blocks = columns / blockSize;
  return {
    bits,
    values: { name: `${name}/${variant}`, shape: [rows, blocks, (blockSize * bits) / 8], length: (rows * columns * bits) / 8 },
    scales: { name: `${name}/scales`, shape: [rows * blocks], length: rows * blocks * 4 },
  };
}

/** The two tensors that stand for a weight in columns. */
export function columnTensors(
  name: string,
  { shape: [rows = 0, columns = 0] }: Pick<FloatTensor, "shape">,
): { readonly values: KeptTensor; readonly scales: KeptTensor } {
  return {
    values: { name: `${name}/int8`, shape: [columns, rows], length: rows * columns },
    scales: { name: `${name}/int8-scales`, shape: [rows], length: rows * 4 },
  };
}

export interface MadeTensors {
  readonly values: Uint8Array;
  readonly scales: Uint8Array;
}

/** Reads a weight and quantises it. @throws SpellError run-nan, and what its source throws */
export async function makeBlocks(name: string, tensor: FloatTensor, bits: 4 | 8): Promise<MadeTensors> {
  const floats = await readFloats(tensor);
  checkFinite(name, floats);
  const { values, scales } = quantizeBlocks(floats, bits);
  return { values, scales: new Uint8Array(scales.buffer) };
}

/** MatMulNBits over blocks: those of a block file, else made from the stored weights. */
function blockLinear(
  graph: OnnxGraphBuilder,
  x: Value,
  name: string,
  tensor: FloatTensor,
  variant: "q8" | "q4",
  kept: SafetensorsTensors | undefined,
  output: string | undefined,
): Value {
  const [rows = 0, columns = 0] = tensor.shape;
  const { bits, ...parts } = blockTensors(name, tensor, variant);
  const { values, scales } = keptOrMade(graph, "uint8", parts, kept, () => makeBlocks(name, tensor, bits));
  // Level 4 multiplies in 8-bit integers; the exact level is twenty times slower for 8 bits on processors.
  const attributes = { K: columns, N: rows, bits, block_size: blockSize, accuracy_level: 4 };
  return graph.node("MatMulNBits", [x, values, scales], { attributes, domain: "com.microsoft", output });
}

/** DynamicQuantizeMatMul: 8-bit integers with one scale for each output; what goes in is quantised while it runs. */
function columnLinear(
  graph: OnnxGraphBuilder,
  x: Value,
  name: string,
  tensor: FloatTensor,
  limit: 127 | 63,
  kept: SafetensorsTensors | undefined,
  output: string | undefined,
): Value {
  const { values, scales } = keptOrMade(graph, "int8", columnTensors(name, tensor), kept, () => makeColumns(name, tensor, limit));
  return graph.node("DynamicQuantizeMatMul", [x, values, scales], { domain: "com.microsoft", output });
}

/** The two halves of a weight: those of a kept file, else made when the engine asks for them. */
function keptOrMade(
  graph: OnnxGraphBuilder,
  type: "uint8" | "int8",
  parts: Readonly<Record<keyof MadeTensors, KeptTensor>>,
  kept: SafetensorsTensors | undefined,
  make: () => Promise<MadeTensors>,
): Readonly<Record<keyof MadeTensors, Value>> {
  const made = once(make);
  const from = (part: keyof MadeTensors) => {
    const file = kept?.get(parts[part].name);
    if (file !== undefined) return { file: { source: file.source, offset: file.offset } };
    return { make: async () => (await made())[part] };
  };
  return {
    values: graph.weight({ ...parts.values, type, ...from("values") }),
    scales: graph.weight({ ...parts.scales, type: "float32", ...from("scales") }),
  };
}

/** Reads a weight and quantises it. @throws SpellError run-nan, and what its source throws */
export async function makeColumns(name: string, tensor: FloatTensor, limit: 127 | 63): Promise<MadeTensors> {
  const [rows = 0, columns = 0] = tensor.shape;
  const { values, scales } = quantizeColumns(await readFloats(tensor), rows, columns, limit);
  // The largest of a row is its scale, and what is no number counts as larger than any.
  checkFinite(name, scales);
  return { values: new Uint8Array(values.buffer), scales: new Uint8Array(scales.buffer) };
}

async function readFloats({ source, offset, length, dtype }: FloatTensor): Promise<Float32Array> {
  return toFloat32(await source.read(offset, length), dtype);
}
