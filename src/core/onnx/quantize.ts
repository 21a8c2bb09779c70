/**
 * Weights in 4 or 8 bits per element, in blocks along a row, for ONNX Runtime's MatMulNBits. Pure arithmetic over arrays.
 * A block keeps the sign of its largest element in the scale, so that the element itself is exact: w ≈ (q − zero) · scale, zero = 8 or 128.
 */

/** Elements of a row that share a scale: the smallest the kernels of every engine know, and the most exact. */
export const blockSize = 32;

export interface QuantizedBlocks {
  /** [rows, columns / blockSize, blockSize * bits / 8]; of two elements in a byte the first is the low half */
  readonly values: Uint8Array;
  /** f32 [rows * columns / blockSize] */
  readonly scales: Float32Array;
}

/** @param weights [rows, columns] row by row, columns a multiple of blockSize */
export function quantizeBlocks(weights: Float32Array, bits: 4 | 8): QuantizedBlocks {
  const blocks = weights.length / blockSize;
  const scales = new Float32Array(blocks);
  const values = new Uint8Array((weights.length * bits) / 8);
  const zero = 1 << (bits - 1);
  const top = 2 * zero - 1;
  for (let block = 0; block < blocks; block += 1) {
    const start = block * blockSize;
    let largest = 0;
    for (let i = start; i < start + blockSize; i += 1) {
      const weight = weights[i] as number;
      if (Math.abs(weight) > Math.abs(largest)) largest = weight;
    }
    const scale = largest / -zero;
    scales[block] = scale;
    const inverse = scale === 0 ? 0 : 1 / scale;
    if (bits === 8) {
      for (let i = start; i < start + blockSize; i += 1) {
        values[i] = Math.min(top, Math.floor((weights[i] as number) * inverse + (zero + 0.5)));
      }
      continue;
    }
    for (let i = start; i < start + blockSize; i += 2) {
      const low = Math.min(top, Math.floor((weights[i] as number) * inverse + 8.5));
      const high = Math.min(top, Math.floor((weights[i + 1] as number) * inverse + 8.5));
      values[i >> 1] = low | (high << 4);
    }
  }
  return { values, scales };
}

/** What a kernel that multiplies exactly would see: the inverse of quantizeBlocks. */
export function dequantizeBlocks({ values, scales }: QuantizedBlocks, bits: 4 | 8): Float32Array {
  const zero = 1 << (bits - 1);
  const weights = new Float32Array(scales.length * blockSize);
  for (let i = 0; i < weights.length; i += 1) {
    const value = bits === 8 ? (values[i] as number) : ((values[i >> 1] as number) >> ((i & 1) * 4)) & 15;
    weights[i] = (value - zero) * (scales[Math.floor(i / blockSize)] as number);
  }
  return weights;
}

/** Rows that are turned into columns together: what is written of them fills a line of a processor's cache. */
const stripRows = 64;
/** Between two rows of a strip: where rows lie a power of two apart, few lines of a cache hold them all. */
const stripGap = 64;

export interface QuantizedColumns {
  /** [columns, rows]: transposed, as DynamicQuantizeMatMul multiplies from the right */
  readonly values: Int8Array;
  /** f32 [rows]: one scale for each output */
  readonly scales: Float32Array;
}

/**
 * One scale per output, for DynamicQuantizeMatMul. Weights are read along their rows, which takes under half of the time that it takes down the columns:
 * pages and first loads wait for it.
 * @param limit 127, or 63 where a processor without VNNI would saturate sums of two products in 16 bits
 */
export function quantizeColumns(weights: Float32Array, rows: number, columns: number, limit: 127 | 63): QuantizedColumns {
  const values = new Int8Array(rows * columns);
  const scales = new Float32Array(rows);
  // Without its sign a float orders as its bits do, and what is no number comes last.
  const patterns = new Int32Array(weights.buffer, weights.byteOffset, weights.length);
  const largest = new Float32Array(1);
  const largestPattern = new Int32Array(largest.buffer);
  const pitch = columns + stripGap;
  const strip = new Int8Array(Math.min(rows, stripRows) * pitch);
  for (let first = 0; first < rows; first += stripRows) {
    const count = Math.min(stripRows, rows - first);
    for (let row = 0; row < count; row += 1) {
      const start = (first + row) * columns;
      let top = 0;
      for (let i = start; i < start + columns; i += 1) {
        const pattern = (patterns[i] as number) & 0x7fffffff;
        if (pattern > top) top = pattern;
      }
      largestPattern[0] = top;
      const most = largest[0] as number;
      scales[first + row] = most / limit;
      const inverse = most === 0 ? 0 : limit / most;
      const to = row * pitch - start;
      for (let i = start; i < start + columns; i += 1) strip[to + i] = Math.floor((weights[i] as number) * inverse + 0.5);
    }
    for (let column = 0; column < columns; column += 1) {
      const to = column * rows + first;
      for (let row = 0; row < count; row += 1) values[to + row] = strip[row * pitch + column] as number;
    }
  }
  return { values, scales };
}

/** Stored elements as f32. A copy, except for F32 on a 4-byte boundary. @param bytes little-endian, as safetensors stores them */
export function toFloat32(bytes: Uint8Array, dtype: "F32" | "F16" | "BF16"): Float32Array {
  const align = dtype === "F32" ? 4 : 2;
  const aligned = bytes.byteOffset % align === 0 ? bytes : new Uint8Array(bytes);
  if (dtype === "F32") return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
  const halves = new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
  const floats = new Float32Array(halves.length);
  const bits = new Uint32Array(floats.buffer);
  if (dtype === "BF16") {
    for (let i = 0; i < halves.length; i += 1) bits[i] = (halves[i] as number) << 16;
    return floats;
  }
  // The same exponent and fraction, read as binary32, stand for a value 2^(127−15) times smaller; of subnormal numbers too (IEEE 754, binary16).
  for (let i = 0; i < halves.length; i += 1) {
    const half = halves[i] as number;
    bits[i] = ((half & 0x8000) << 16) | ((half & 0x7fff) << 13);
    if ((half & 0x7c00) !== 0x7c00) floats[i] = (floats[i] as number) * 2 ** 112;
    else bits[i] = (bits[i] as number) | 0x7f800000; // infinity, or no number
  }
  return floats;
}
