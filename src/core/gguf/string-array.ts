/**
 * Strings of a metadata array, kept as they were read: decoded in stretches, cut apart only where somebody looks.
 * A vocabulary has up to 262,144 tokens, of which a prompt needs a dozen; making a string of each would take most of the time of a header.
 */

/** Strings of one stretch of the file. */
export interface StringBatch {
  readonly text: string;
  /** i → end of the i-th string within `text`, in UTF-16 units */
  readonly ends: Uint32Array;
  /** i → hash of the i-th string, see hashText */
  readonly hashes: Float64Array;
}

export interface GgufStringArray {
  readonly type: "string";
  readonly length: number;
  /** All strings, made at the first look. */
  readonly values: readonly string[];
  /** One string, without making the others. */
  at(index: number): string | undefined;
  /** A new array: i → hash of the i-th string. Equal strings have equal hashes; a file can be made to give equal hashes to different ones. */
  hashes(): Float64Array;
}

export function createStringArray(batches: readonly StringBatch[]): GgufStringArray {
  const length = batches.reduce((sum, batch) => sum + batch.ends.length, 0);
  let values: readonly string[] | undefined;
  return {
    type: "string",
    length,
    get values() {
      values ??= cut(batches);
      return values;
    },
    at(index) {
      let first = 0;
      for (const { text, ends } of batches) {
        const end = ends[index - first];
        if (end !== undefined) return text.slice(index === first ? 0 : ends[index - first - 1], end);
        first += ends.length;
      }
      return undefined;
    },
    hashes() {
      const all = new Float64Array(length);
      let at = 0;
      for (const { hashes } of batches) {
        all.set(hashes, at);
        at += hashes.length;
      }
      return all;
    },
  };
}

function cut(batches: readonly StringBatch[]): readonly string[] {
  const values: string[] = [];
  for (const { text, ends } of batches) {
    let start = 0;
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i] ?? start;
      values.push(text.slice(start, end));
      start = end;
    }
  }
  return values;
}

/**
 * Two 32-bit hashes of UTF-8 bytes, joined to one of 53 bits: 262,144 different strings share one with a chance of 1 to 250,000.
 * Source: Fowler–Noll–Vo 1a; the second with another multiplier.
 */
export const hashStart: number = 0x811c_9dc5 | 0;

export function hashFirst(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x0100_0193);
}

export function hashSecond(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x5bd1_e995);
}

export function joinHashes(first: number, second: number): number {
  return (first >>> 0) * 0x20_0000 + (second >>> 11);
}

/** The hash that a string of an array has. */
export function hashText(text: string): number {
  let first = hashStart;
  let second = hashStart;
  for (const byte of new TextEncoder().encode(text)) {
    first = hashFirst(first, byte);
    second = hashSecond(second, byte);
  }
  return joinHashes(first, second);
}
