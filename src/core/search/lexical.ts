/** Vectors without a model: hashed words and groups of four letters. They find shared words, not shared meaning. */
import { words } from "./terms.ts";

/** @returns a vector of length 1, or of zeros for a text without words; the same on every host */
export function lexicalVector(text: string, dimensions: number): Float32Array {
  const sums = new Float64Array(dimensions);
  const counts = new Map<string, number>();
  for (const each of words(text)) counts.set(each, (counts.get(each) ?? 0) + 1);
  const add = (key: string, weight: number): void => {
    const hash = hashOf(key);
    const at = hash % dimensions;
    sums[at] = (sums[at] ?? 0) + (hash & 0x8000_0000 ? -weight : weight);
  };
  for (const [each, count] of counts) {
    const weight = 1 + Math.log(count);
    add(`w${each}`, weight);
    if (each.length <= 3) continue;
    const marked = `<${each}>`;
    const groups = marked.length - 3;
    for (let at = 0; at < groups; at += 1) add(`g${marked.slice(at, at + 4)}`, (weight * 0.6) / Math.sqrt(groups));
  }
  const length = Math.sqrt(sums.reduce((sum, each) => sum + each * each, 0)) || 1;
  return Float32Array.from(sums, (each) => each / length);
}

/** FNV-1a over UTF-16 units, mixed at the end so that the low bits are even. */
function hashOf(text: string): number {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
  return (hash ^ (hash >>> 12)) >>> 0;
}
