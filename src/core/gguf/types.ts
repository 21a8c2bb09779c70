/**
 * The numbered types of the GGUF format: metadata values, tensor data, file types. Tables only.
 * Source: the GGUF specification (ggml, docs/gguf.md); block sizes as ggml_blck_size and ggml_type_size of llama.cpp v0.5.0 give them.
 */

export type GgufNumberType = `${"u" | ""}int${8 | 16 | 32 | 64}` | `float${32 | 64}` | "bool";

/** A metadata value of fixed size. */
interface NumberType {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number | bigint;
  readonly array: (buffer: ArrayBufferLike) => NumberValues;
}

export type NumberValues =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | BigUint64Array
  | BigInt64Array
  | Float64Array;

/** In the order of the format. */
export const numberTypes: Readonly<Record<GgufNumberType, NumberType>> = {
  uint8: { bytes: 1, read: (view, at) => view.getUint8(at), array: (buffer) => new Uint8Array(buffer) },
  int8: { bytes: 1, read: (view, at) => view.getInt8(at), array: (buffer) => new Int8Array(buffer) },
  uint16: { bytes: 2, read: (view, at) => view.getUint16(at, true), array: (buffer) => new Uint16Array(buffer) },
  int16: { bytes: 2, read: (view, at) => view.getInt16(at, true), array: (buffer) => new Int16Array(buffer) },
  uint32: { bytes: 4, read: (view, at) => view.getUint32(at, true), array: (buffer) => new Uint32Array(buffer) },
  int32: { bytes: 4, read: (view, at) => view.getInt32(at, true), array: (buffer) => new Int32Array(buffer) },
  float32: { bytes: 4, read: (view, at) => view.getFloat32(at, true), array: (buffer) => new Float32Array(buffer) },
  bool: { bytes: 1, read: (view, at) => view.getUint8(at), array: (buffer) => new Uint8Array(buffer) },
  uint64: { bytes: 8, read: (view, at) => view.getBigUint64(at, true), array: (buffer) => new BigUint64Array(buffer) },
  int64: { bytes: 8, read: (view, at) => view.getBigInt64(at, true), array: (buffer) => new BigInt64Array(buffer) },
  float64: { bytes: 8, read: (view, at) => view.getFloat64(at, true), array: (buffer) => new Float64Array(buffer) },
};

const numberNames = Object.keys(numberTypes) as GgufNumberType[];

/** Name of a metadata value type by its number: `string` is 8, `array` 9; `undefined` beyond 12. */
export const valueTypes: readonly (GgufNumberType | "string" | "array")[] = [
  ...numberNames.slice(0, 8),
  "string",
  "array",
  ...numberNames.slice(8),
];

/** How a tensor's numbers are stored: `bytes` hold `elements` numbers of one row. */
export interface GgmlType {
  readonly name: string;
  readonly elements: number;
  readonly bytes: number;
}

/** Tensor types by number. 4, 5, 31–33 and 36–38 were removed from the format; a file with them needs converting again. */
export const ggmlTypes: ReadonlyMap<number, GgmlType> = new Map(
  // number:name:elements:bytes
  `0:F32:1:4 1:F16:1:2 2:Q4_0:32:18 3:Q4_1:32:20 6:Q5_0:32:22 7:Q5_1:32:24 8:Q8_0:32:34 9:Q8_1:32:36
   10:Q2_K:256:84 11:Q3_K:256:110 12:Q4_K:256:144 13:Q5_K:256:176 14:Q6_K:256:210 15:Q8_K:256:292 16:IQ2_XXS:256:66 17:IQ2_XS:256:74
   18:IQ3_XXS:256:98 19:IQ1_S:256:50 20:IQ4_NL:32:18 21:IQ3_S:256:110 22:IQ2_S:256:82 23:IQ4_XS:256:136
   24:I8:1:1 25:I16:1:2 26:I32:1:4 27:I64:1:8 28:F64:1:8 29:IQ1_M:256:56 30:BF16:1:2 34:TQ1_0:256:54 35:TQ2_0:256:66
   39:MXFP4:32:17 40:NVFP4:64:36 41:Q1_0:128:18 42:Q2_0:64:18`
    .split(/\s+/)
    .map((entry) => {
      const [number, name = "", elements, bytes] = entry.split(":");
      return [Number(number), { name, elements: Number(elements), bytes: Number(bytes) }];
    }),
);

/** `general.file_type` to the name people know a file by. Other numbers: named after the type most of the weights have. */
export const fileTypes: ReadonlyMap<number, string> = new Map(
  // number:name
  `0:F32 1:F16 2:Q4_0 3:Q4_1 7:Q8_0 8:Q5_0 9:Q5_1 10:Q2_K 11:Q3_K_S 12:Q3_K_M 13:Q3_K_L 14:Q4_K_S 15:Q4_K_M 16:Q5_K_S 17:Q5_K_M 18:Q6_K
   19:IQ2_XXS 20:IQ2_XS 21:Q2_K_S 22:IQ3_XS 23:IQ3_XXS 24:IQ1_S 25:IQ4_NL 26:IQ3_S 27:IQ3_M 28:IQ2_S 29:IQ2_M 30:IQ4_XS 31:IQ1_M
   32:BF16 36:TQ1_0 37:TQ2_0 38:MXFP4_MOE`
    .split(/\s+/)
    .map((entry) => {
      const [number, name = ""] = entry.split(":");
      return [Number(number), name];
    }),
);
