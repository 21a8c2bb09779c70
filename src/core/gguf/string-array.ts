/**
 * Strings of a metadata array, kept as they lie in the file: each behind its length. Each is decoded when it is read.
 * A vocabulary has up to 262,144 tokens, of which a prompt needs a dozen; making a string of each would take most of the time of a header.
 */
import { decodeUtf8, repairUtf8 } from "./utf8.ts";

/** Whole strings, one behind the other. */
export interface StringStretch {
  readonly count: number;
  /** Each string as the file has it: 64 bits of length, then as many bytes of UTF-8; of a tokenizer, proven to be that. */
  readonly bytes: Uint8Array;
  /** Where strings 0, 16, 32 … begin in `bytes`; those between are found by their lengths. */
  readonly marks: readonly number[];
}

/** Strings from one mark to the next. */
export const markDistance = 16;

export interface GgufStringArray {
  readonly type: "string";
  readonly length: number;
  /** All strings, made at the first look. */
  readonly values: readonly string[];
  /** One string, without making the others. */
  at(index: number): string | undefined;
  /** A new array: i → hash of the i-th string, see hashText. */
  hashes(): Int32Array;
}

export function createStringArray(stretches: readonly StringStretch[]): GgufStringArray {
  const length = stretches.reduce((sum, { count }) => sum + count, 0);
  let values: readonly string[] | undefined;
  return {
    type: "string",
    length,
    get values() {
      if (values === undefined) {
        const made: string[] = [];
        for (const stretch of stretches) eachString(stretch, (start, end) => made.push(textOf(stretch, start, end)));
        values = made;
      }
      return values;
    },
    at(index) {
      let first = 0;
      for (const stretch of stretches) {
        if (index < first + stretch.count) return textAt(stretch, index - first);
        first += stretch.count;
      }
      return undefined;
    },
    hashes() {
      const hashes = new Int32Array(length);
      let done = 0;
      for (const stretch of stretches) {
        eachString(stretch, (start, end) => {
          hashes[done++] = hashBytes(stretch.bytes, start, end);
        });
      }
      return hashes;
    },
  };
}

function textAt(stretch: StringStretch, index: number): string | undefined {
  let start = stretch.marks[Math.floor(index / markDistance)];
  if (start === undefined || !Number.isInteger(index)) return undefined;
  const view = viewOf(stretch.bytes);
  for (let i = index % markDistance; i > 0; i--) start += 8 + view.getUint32(start, true);
  return textOf(stretch, start + 8, start + 8 + view.getUint32(start, true));
}

function textOf({ bytes }: StringStretch, start: number, end: number): string {
  const text = bytes.subarray(start, end);
  return decodeUtf8(text) ?? repairUtf8(text);
}

function eachString({ bytes, count }: StringStretch, visit: (start: number, end: number) => void): void {
  const view = viewOf(bytes);
  let start = 8;
  for (let i = 0; i < count; i++) {
    const end = start + view.getUint32(start - 8, true);
    visit(start, end);
    start = end + 8;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The hash of the empty string, and of no other. */
export const emptyHash = 0;

/** Equal strings have equal hashes; a file can be made to give equal hashes to different ones. Source: Fowler–Noll–Vo 1a, 32 bits. */
function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return emptyHash;
  let hash = 0x811c_9dc5 | 0;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x0100_0193);
  return hash === emptyHash ? 1 : hash;
}

/** The hash that a string of an array has. */
export function hashText(text: string): number {
  const bytes = new TextEncoder().encode(text);
  return hashBytes(bytes, 0, bytes.length);
}
