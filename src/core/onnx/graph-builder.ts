/**
 * Builds an ONNX graph node by node and writes it as a ModelProto. Knows the format and no model.
 * Weights are named and described here; where their bytes lie is decided when the model is written (spec/onnx.ts).
 * Source: onnx.proto3 of ONNX 1.14 (IR version 9) for field numbers.
 */
import { SpellError } from "../errors.ts";
import { ProtoWriter } from "../protobuf.ts";
import type { OnnxModel, WeightRange } from "../spec/onnx.ts";

/** TensorProto.DataType values in use. */
export const onnxTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float16: 10, bfloat16: 16 } as const;
export type OnnxType = keyof typeof onnxTypes;

/** Name of a value inside the graph. */
export type Value = string;
/** A number is a length; a text names one that is known only when the graph runs. */
export type Dimension = number | string;
/** A number is an integer attribute; floats are wrapped, because the format tells them apart. */
export type Attribute = number | string | readonly number[] | { readonly float: number };

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>> | undefined;
  /** operator set other than ONNX's own, such as "com.microsoft" */
  readonly domain?: string | undefined;
  /** name of the output, where it must have one: an output of the graph */
  readonly output?: string | undefined;
}

/** An initialiser with its values outside. */
export interface ExternalWeight extends WeightRange {
  readonly type: OnnxType;
  /** outermost first */
  readonly shape: readonly number[];
}

const irVersion = 9;
const opset = 17;

export class OnnxGraphBuilder {
  readonly #name: string;
  /** by their outputs */
  readonly #nodes = new Map<Value, ProtoWriter>();
  #first: Value | undefined;
  readonly #constants = new Map<Value, ProtoWriter>();
  readonly #weights = new Map<Value, ExternalWeight>();
  readonly #inputs: ProtoWriter[] = [];
  readonly #outputs: ProtoWriter[] = [];
  #count = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** Adds a node with one output. @returns the output's name */
  node(operator: string, inputs: readonly Value[], { attributes = {}, domain, output }: NodeOptions = {}): Value {
    this.#count += 1;
    const result = output ?? `${operator}_${this.#count}`;
    const node = new ProtoWriter();
    for (const input of inputs) node.string(1, input);
    node.string(2, result).string(3, `n${this.#count}`).string(4, operator);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attributeProto(name, value));
    if (domain !== undefined) node.string(7, domain);
    this.#nodes.set(result, node);
    return result;
  }

  /**
   * Writes the node of this value before all others. ONNX Runtime sorts nodes itself (1.30.0), but lays the weights of products out anew in the order in
   * which they stand, with both forms of one in memory: for the largest this is best done first.
   */
  first(value: Value): void {
    this.#first = value;
  }

  /** An input of the graph. */
  input(name: string, type: OnnxType, shape: readonly Dimension[]): Value {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  /** Declares a value as output of the graph; a node has made it under this name. */
  output(name: Value, type: OnnxType, shape: readonly Dimension[]): void {
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** An initialiser whose values lie outside; the same name twice is the same weight. */
  weight(weight: ExternalWeight): Value {
    this.#weights.set(weight.name, weight);
    return weight.name;
  }

  /** int64 constant inside the graph. @param shape [] makes a scalar of one value */
  int64(values: readonly number[], shape: readonly number[] = [values.length]): Value {
    return this.#constant("int64", values, shape, () => new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
  }

  /** int32 scalar inside the graph. */
  int32(value: number): Value {
    return this.#constant("int32", [value], [], () => new Uint8Array(Int32Array.of(value).buffer));
  }

  /** float32 scalar inside the graph. */
  float(value: number): Value {
    return this.#constant("float32", [value], [], () => new Uint8Array(Float32Array.of(value).buffer));
  }

  #constant(type: OnnxType, values: readonly number[], shape: readonly number[], bytes: () => Uint8Array): Value {
    const name = values.length > 8 ? `c${this.#constants.size}` : `${type}[${shape.join()}]${values.join()}`;
    if (!this.#constants.has(name)) this.#constants.set(name, tensorProto(name, type, shape).bytes(9, bytes()));
    return name;
  }

  /** Closes the graph: the model can be written as often as needed. */
  toModel(): OnnxModel {
    return { weights: [...this.#weights.values()], encode: (locate) => this.#encode(locate) };
  }

  #encode(locate: Parameters<OnnxModel["encode"]>[0]): Uint8Array {
    const graph = new ProtoWriter();
    const first = this.#first === undefined ? undefined : this.#nodes.get(this.#first);
    for (const node of new Set([...(first === undefined ? [] : [first]), ...this.#nodes.values()])) graph.message(1, node);
    graph.string(2, this.#name);
    for (const constant of this.#constants.values()) graph.message(5, constant);
    for (const weight of this.#weights.values()) {
      const tensor = tensorProto(weight.name, weight.type, weight.shape);
      const { location, offset, length } = locate(weight);
      for (const [key, value] of Object.entries({ location, offset, length })) {
        tensor.message(13, new ProtoWriter().string(1, key).string(2, String(value)));
      }
      graph.message(5, tensor.int(14, 1)); // data_location: EXTERNAL
    }
    for (const input of this.#inputs) graph.message(11, input);
    for (const output of this.#outputs) graph.message(12, output);
    return new ProtoWriter()
      .int(1, irVersion)
      .string(2, "llmspell")
      .message(7, graph)
      .message(8, new ProtoWriter().int(2, opset))
      .message(8, new ProtoWriter().string(1, "com.microsoft").int(2, 1))
      .finish();
  }
}

function attributeProto(name: string, value: Attribute): ProtoWriter {
  const proto = new ProtoWriter().string(1, name);
  if (typeof value === "string") return proto.bytes(4, new TextEncoder().encode(value)).int(20, 3);
  if (typeof value === "number") {
    if (!Number.isInteger(value)) throw new SpellError("internal-error", `attribute ${name}: expected an integer, got ${value}`);
    return proto.int(3, value).int(20, 2);
  }
  if ("float" in value) return proto.float(2, value.float).int(20, 1);
  for (const item of value) proto.int(8, item);
  return proto.int(20, 7);
}

function tensorProto(name: string, type: OnnxType, shape: readonly number[]): ProtoWriter {
  const proto = new ProtoWriter();
  for (const length of shape) proto.int(1, length);
  return proto.int(2, onnxTypes[type]).string(8, name);
}

function valueInfo(name: string, type: OnnxType, shape: readonly Dimension[]): ProtoWriter {
  const dimensions = new ProtoWriter();
  for (const dimension of shape) {
    const proto = new ProtoWriter();
    dimensions.message(1, typeof dimension === "number" ? proto.int(1, dimension) : proto.string(2, dimension));
  }
  const tensor = new ProtoWriter().int(1, onnxTypes[type]).message(2, dimensions);
  return new ProtoWriter().string(1, name).message(2, new ProtoWriter().message(1, tensor));
}
