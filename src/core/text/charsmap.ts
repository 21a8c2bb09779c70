/**
 * The character map compiled into SentencePiece models: replaces the longest known beginning at each place, as SentencePiece itself does.
 * Layout: bytes of the trie (u32), the trie as units of a double array (u32 each), replacement texts that end with NUL.
 * Source: SentencePiece's normalizer and the Darts-clone double-array format, by their published descriptions.
 */

export type Normalize = (text: string) => string;

/** Units are read as the format packs them: label in the low byte, offset in the middle, two flags. */
const isLeaf = (unit: number): boolean => ((unit >>> 8) & 1) === 1;
const resultOf = (unit: number): number => unit & 0x7fffffff;
const labelOf = (unit: number): number => unit & 0x800000ff;
const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);

/**
 * @param map as in a SentencePiece model or, decoded from base64, in a tokenizer.json; empty = nothing is replaced
 * @param fail makes the error for a map that is cut or points outside itself
 */
export function createCharsmap(map: Uint8Array, fail: (what: string) => Error): Normalize {
  if (map.byteLength === 0) return (text) => text;
  if (map.byteLength < 4) throw fail("the character map is cut");
  const view = new DataView(map.buffer, map.byteOffset, map.byteLength);
  const trieBytes = view.getUint32(0, true);
  if (trieBytes % 4 !== 0 || trieBytes === 0 || trieBytes > map.byteLength - 4) {
    throw fail(`the character map says its trie has ${trieBytes} bytes; it has ${map.byteLength - 4} in all`);
  }
  const units = Uint32Array.from({ length: trieBytes / 4 }, (_, index) => view.getUint32(4 + 4 * index, true));
  const texts = map.subarray(4 + trieBytes);
  const decoder = new TextDecoder();
  const known = new Map<number, string>();
  const replacement = (at: number): string => {
    const kept = known.get(at);
    if (kept !== undefined) return kept;
    if (at >= texts.byteLength) throw fail("the character map points outside itself");
    const end = texts.indexOf(0, at);
    const text = decoder.decode(texts.subarray(at, end < 0 ? texts.byteLength : end));
    known.set(at, text);
    return text;
  };

  return (text) => {
    const bytes = new TextEncoder().encode(text);
    let result = "";
    let plainFrom = 0;
    const plain = (to: number): string => (to > plainFrom ? decoder.decode(bytes.subarray(plainFrom, to)) : "");
    for (let at = 0; at < bytes.length; ) {
      let node = offsetOf(units[0] ?? 0);
      let matched = 0;
      let value = 0;
      for (let next = at; next < bytes.length; next += 1) {
        const label = bytes[next] as number;
        node ^= label;
        const unit = units[node];
        if (unit === undefined || labelOf(unit) !== label) break;
        node ^= offsetOf(unit);
        if (!isLeaf(unit)) continue;
        matched = next + 1 - at;
        value = resultOf(units[node] ?? 0);
      }
      if (matched > 0) {
        result += plain(at) + replacement(value);
        at += matched;
        plainFrom = at;
      } else at += characterBytes(bytes[at] as number);
    }
    return result + plain(bytes.length);
  };
}

/** Bytes of a UTF-8 character, by its first. */
function characterBytes(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}
