/**
 * Long arrays in the header of a GGUF file, for node-llama-cpp's own reader of it (tools/llama-package.mjs puts this in). Those are the vocabulary: the
 * package asks for the number of its tokens and for nothing else, but makes a text of each, of its merges too, which takes 0.3 s for 49,152 tokens.
 * llama.cpp reads them by itself.
 */

/** As the package has it: bytes of the file from its beginning on, as far as they were asked for. */
export interface HeaderReader {
  readonly _buffer: Buffer;
  /** @returns a promise where the file has to be read */
  ensureHasByteRange(offset: number, length: number): Promise<void> | undefined;
}

/** Arrays with an entry for each layer are shorter. */
const longest = 4096;
/** bytes of a number, by the type of GGUF: u8, i8, u16, i16, u32, i32, f32, bool; u64, i64, f64 */
const sizes: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
const textType = 8;

export function isLongArray(length: number | bigint): boolean {
  return length > longest;
}

/**
 * Passes over an array.
 * @returns one of that length, with nothing in it
 * @throws Error for a type that is none, and arrays in arrays
 */
export async function passArray(reader: HeaderReader, at: { offset: number }, type: number, length: number): Promise<readonly undefined[]> {
  const size = sizes[type];
  if (size !== undefined) at.offset += size * length;
  else if (type !== textType) throw new Error(`an array of ${length} entries of type ${type}`);
  else {
    for (let i = 0; i < length; i += 1) {
      if (at.offset + 8 > reader._buffer.length) await reader.ensureHasByteRange(at.offset, 8);
      at.offset += 8 + Number(reader._buffer.readBigUInt64LE(at.offset));
    }
  }
  return new Array<undefined>(length);
}
