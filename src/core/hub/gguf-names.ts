/** What the name of a GGUF file says: whether it is a model, and its quantisation. Only a header knows for certain. */

import { parseShardName } from "../gguf/shards.ts";
import { fileTypes } from "../gguf/types.ts";

/**
 * Words of quantisations as hubs publish them: Q4_K_M, IQ4_XS, Q4_0_4_4, UD-Q4_K_XL, MXFP4_MOE, BF16, FP16, TQ1_0, Q4.
 * Source: `ggml_type` and `llama_ftype` of llama.cpp, and the names that publishers of quantised models add to them.
 */
const word =
  "(?:UD-)?(?:I?Q\\d(?:_(?:\\d|K[A-Z]{0,2}|X{0,2}[SL]|M|NL|BN|R\\d))*|T[QL]\\d(?:_\\d)?|I2_S|(?:MX|NV)FP\\d(?:_MOE)?|BF16|FP?(?:8|16|32|64))";

/** The last word of a part of a path, and whether the part ends in it. */
function lastWord(part: string): { readonly word: string; readonly isEnd: boolean } | undefined {
  const found = [...part.matchAll(new RegExp(`(?:^|[^a-z0-9])(${word})(?![a-z0-9])`, "gi"))].at(-1);
  if (found?.[1] === undefined) return undefined;
  return { word: found[1].toUpperCase(), isEnd: found.index + found[0].length === part.length };
}

/**
 * The quantisation that a path names: the word that ends the file's name, or that of its folder, else the last word in them. Parts of split models are
 * read without their number.
 * @returns in upper case
 */
export function quantOf(path: string): string | undefined {
  const stem = path.replace(/\.gguf$/i, "").replace(/-\d{5}-of-\d{5}$/, "");
  const words = stem.split("/").reverse().map(lastWord);
  return (words.find((each) => each?.isEnd === true) ?? words.find((each) => each !== undefined))?.word;
}

/** Whether a person who asks for one word means the other: in any case, without UD-, F16 for FP16. */
export function isSameQuant(asked: string, published: string): boolean {
  const plain = (text: string): string => text.toUpperCase().replace(/^UD-/, "").replace(/^FP/, "F");
  return plain(asked) === plain(published) && (!/^UD-/i.test(asked) || /^UD-/i.test(published));
}

/** Whole files and first parts of models. Projectors for pictures and importance matrices are none. */
export function isModelGguf(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const isFirst = (parseShardName(name)?.index ?? 1) === 1;
  return isFirst && /\.gguf$/i.test(name) && !/mmproj|^imatrix|imatrix\.gguf$/i.test(name);
}

/**
 * Whether a header contradicts the name of its file. Publishers' mixtures (UD-Q4_K_XL, Q4_K_L, Q4_0_4_4) have no number of their own in a header:
 * there it must have the same bits.
 * @param header as nameQuantization() gives it
 */
export function contradicts(name: string, header: string): boolean {
  const plain = name.replace(/^FP/, "F");
  if (plain === header) return false;
  return [...fileTypes.values()].includes(plain) || /\d+/.exec(plain)?.[0] !== /\d+/.exec(header)?.[0];
}
