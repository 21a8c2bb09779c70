/**
 * What adapters of ONNX Runtime implement and core/t5 drives. Types only.
 * Runs graphs whose weights stay where they are; knows nothing of T5, tokens or text.
 */
import type { ByteSource } from "../formats/byte-source.ts";
import type { Device } from "./runtime.ts";

/** One initialiser whose values lie outside the graph. */
export interface WeightRange {
  /** The initialiser's name. */
  readonly name: string;
  /** bytes */
  readonly length: number;
  /** Where the values lie in a file as they are, or in 16 bits that are widened to f32 as they are read, … */
  readonly file?: { readonly source: ByteSource; readonly offset: number; readonly stored?: "F16" | "BF16" | undefined } | undefined;
  /** … or how they are made (quantised blocks, tables). Called at most once per open(). */
  readonly make?: (() => Promise<Uint8Array>) | undefined;
}

/** Where a graph says that an initialiser's bytes are: the ONNX `external_data` entries. */
export interface ExternalLocation {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

export interface OnnxModel {
  /** Every external initialiser of the graph, in no order. */
  readonly weights: readonly WeightRange[];
  /** Writes the ModelProto. The runtime decides how weights are found, because engines differ: `locate` is asked once per weight. */
  encode(locate: (weight: WeightRange) => ExternalLocation): Uint8Array;
}

export type OnnxDtype = "float32" | "int64";
export type OnnxData<D extends OnnxDtype = OnnxDtype> = D extends "float32" ? Float32Array : BigInt64Array;

/** A value going into or coming out of a graph, outermost dimension first. */
export interface OnnxTensor<D extends OnnxDtype = OnnxDtype> {
  readonly dtype: D;
  readonly shape: readonly number[];
  /**
   * The values themselves, where they lie in this memory. The owner of a tensor may change them, and take over the memory for another tensor.
   */
  readonly local?: OnnxData<D> | undefined;
  /** The values: at once where they are in this memory already, after a copy where a device holds them. Not to be changed. */
  read(): Promise<OnnxData<D>>;
  /** Frees what a device holds; needed for values named in `keepOnDevice`, harmless for others. Second call does nothing. */
  release(): void;
}

/** A run of elements that is copied. */
export interface Piece {
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/** Memory for tensors that outlive a pass and are written piece by piece. Copies and passes take effect in the order in which they were asked for. */
export interface TensorMemory {
  /** Zeros; the caller's to release. */
  zeros(shape: readonly number[]): OnnxTensor<"float32">;
  /** @param from of this memory, as `to`, and another one; it may be released at once */
  copy(copies: readonly { readonly from: OnnxTensor; readonly to: OnnxTensor; readonly pieces: readonly Piece[] }[]): void;
}

export interface OnnxRuntime {
  /** "onnxruntime-node", "onnxruntime-web": for reports. */
  readonly name: string;
  /** Where open() computes: one runtime object per device. */
  readonly device: Device;
  /** Whether its kernels read 16-bit floats. Where not, a graph may still hold them as weights that a Cast widens when it is opened. */
  readonly reads16Bit: boolean;
  /** Whether weights are handed to it anyhow, so that 16-bit ones may be widened then. Where not, a Cast in the graph does. */
  readonly widens: boolean;
  /** For how many rows at once MatMulNBits is the fastest form of smaller weights; DynamicQuantizeMatMul is for the others. */
  readonly fastBlocks: "always" | "few-rows" | "never";
  /** Largest value of a weight in DynamicQuantizeMatMul: 63 where a processor may saturate the sum of two products in 16 bits. */
  readonly columnLimit: 127 | 63;
  /** Whether it multiplies by a transposed weight in one node, FusedMatMul. Where it does not, the engine would do it on the processor. */
  readonly fusedProducts: boolean;
  /** Whether outputs named in `keepOnDevice` stay out of this memory. */
  readonly keepsOutputs: boolean;
  /** The memory they stay in, where it can be written from outside the engine. */
  readonly deviceMemory?: TensorMemory | undefined;
  /** Whether this graph can be opened on a thread of its own, beside another one that is being opened. Absent: none can. */
  opensApart?(model: OnnxModel): boolean;
  /** Wraps values for run(); no copy. @throws SpellError internal-error when shape and data do not agree */
  tensor<D extends OnnxDtype>(dtype: D, data: OnnxData<D>, shape: readonly number[]): OnnxTensor<D>;
  /**
   * Never resolves with a graph that cannot run.
   * @throws SpellError onnx-parse (the graph is not one this engine runs), onnx-external (a weight is not where it should be),
   *   device-memory, device-unavailable, run-aborted
   */
  open(model: OnnxModel, options: OnnxOpenOptions): Promise<OnnxGraph>;
}

export interface OnnxOpenOptions {
  /** at least 1; adapters clamp to what their build can do and report it in OnnxGraph.threads */
  readonly threads: number;
  /** Outputs to leave on the device, as handles to feed back and release. Ignored where device and host memory are one. */
  readonly keepOnDevice?: readonly string[] | undefined;
  /** Trades speed for memory: weights are not repacked. */
  readonly lowMemory?: boolean | undefined;
  /** While another graph is opened too: on the caller's thread, or "apart", on one of its own, for graphs of which opensApart() is true. */
  readonly beside?: "here" | "apart" | undefined;
  /** The graph is as it should be computed: nothing in it is better done once, or as one node with another. */
  readonly asWritten?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface OnnxGraph {
  readonly device: Device;
  readonly threads: number;
  /** Names, as the engine read them from the graph. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /**
   * One pass. It may hold the thread it runs in until it ends; it cannot be interrupted. One call at a time.
   * @param feeds one tensor per input; they stay the caller's
   * @param outputs which are wanted; all where it is left out
   * @returns one tensor per output that is wanted; the caller's to release
   * @throws SpellError run-crash, run-option (a feed is missing or of a wrong shape), device-lost, device-memory, run-closed
   */
  run(feeds: Readonly<Record<string, OnnxTensor>>, outputs?: readonly string[]): Promise<Readonly<Record<string, OnnxTensor>>>;
  /** Frees the session; a second call does nothing. */
  dispose(): Promise<void>;
}
