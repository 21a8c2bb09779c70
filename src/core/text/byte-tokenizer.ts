/**
 * The tokenizer of ByT5: an id is a byte of UTF-8 plus 3, behind padding, end and unknown. It has no file.
 * Source: Xue et al. 2021 (arXiv 2105.13626); ids, special tokens and decoding as ByT5Tokenizer of transformers 4.57.6.
 */
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { type AddedToken, addedToken, readAddedTokens, textOfToken } from "./added-tokens.ts";

/** Ids before the bytes. */
const offset = 3;
const bytes = 256;
const endId = 1;
/** Sentinels where tokenizer_config.json does not say. */
const usualSentinels = 125;
const mostSentinels = 10_000;

export interface ByteCodec {
  encode(text: string): readonly number[];
  decode(ids: readonly number[]): string;
  /** by id; only bytes of ASCII are characters by themselves */
  readonly texts: readonly string[];
}

/**
 * @param settings tokenizer_config.json
 * @param older added_tokens.json
 * @param embeddingRows ids must lie below
 * @throws SpellError tokenizer-json, tokenizer-limit
 */
export function createByteCodec(
  settings: Readonly<Record<string, unknown>>,
  older: Readonly<Record<string, unknown>>,
  embeddingRows: number,
): ByteCodec {
  if (embeddingRows < offset + bytes) {
    throw new SpellError(
      "tokenizer-limit",
      `a tokenizer of bytes has ${offset + bytes} ids; expected as many rows of the embedding, got ${embeddingRows}`,
    );
  }
  const tokens = specialTokens(settings, older, embeddingRows);
  const byText = new Map(tokens.map((token) => [token.content, token]));
  const byId = new Map(tokens.map((token) => [token.id, token]));
  const texts = [...byText.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(`(${texts.map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")})`);
  const encoder = new TextEncoder();
  return {
    texts: Array.from({ length: embeddingRows }, (_, id) => {
      const token = byId.get(id);
      if (token !== undefined) return token.special ? "" : token.content;
      return id >= offset && id < offset + 0x80 ? String.fromCharCode(id - offset) : "";
    }),
    encode(text) {
      const parts = text.split(pattern);
      const ids = parts.flatMap((part, index) => {
        const token = byText.get(part);
        if (token !== undefined) return [token.id];
        const before = byText.get(parts[index - 1] ?? "");
        const after = byText.get(parts[index + 1] ?? "");
        const left = before?.rstrip === true ? part.trimStart() : part;
        return Array.from(encoder.encode(after?.lstrip === true ? left.trimEnd() : left), (byte) => byte + offset);
      });
      return ids.at(-1) === endId ? ids : [...ids, endId];
    },
    decode: (ids) =>
      decodeBytes(
        ids.flatMap((id) => {
          const token = byId.get(id);
          if (token !== undefined) return token.special ? [] : Array.from(encoder.encode(token.content));
          return id >= offset && id < offset + bytes ? [id - offset] : [];
        }),
      ),
  };
}

function specialTokens(
  settings: Readonly<Record<string, unknown>>,
  older: Readonly<Record<string, unknown>>,
  embeddingRows: number,
): readonly AddedToken[] {
  const named = (id: number, key: string, usual: string): AddedToken => {
    const given = settings[key];
    const flags = isObject(given) ? given : { lstrip: true, rstrip: true };
    return addedToken(id, textOfToken(given) ?? usual, { lstrip: flags["lstrip"] === true, rstrip: flags["rstrip"] === true });
  };
  const first = [named(0, "pad_token", "<pad>"), named(1, "eos_token", "</s>"), named(2, "unk_token", "<unk>")];
  const byId = new Map([...first, ...readAddedTokens(settings, older, "tokenizer_config.json")].map((token) => [token.id, token]));
  const { additional_special_tokens: listed, extra_ids: said } = settings;
  const count = Number.isInteger(said) && (said as number) >= 0 && (said as number) <= mostSentinels ? (said as number) : usualSentinels;
  const known = new Set([...byId.values()].map(({ content }) => content));
  const more = Array.isArray(listed)
    ? (listed as readonly unknown[]).slice(0, mostSentinels).flatMap((token) => textOfToken(token) ?? [])
    : Array.from({ length: count }, (_, index) => `<extra_id_${index}>`);
  // In the order of the list, behind what is there.
  for (const content of more) {
    if (known.has(content)) continue;
    const id = bytes + byId.size;
    byId.set(id, addedToken(id, content, {}));
  }
  return [...byId.values()].filter(({ id }) => id < embeddingRows);
}

/** What is not UTF-8 is left out, as the reference does; a character is there once its last byte is. */
function decodeBytes(list: readonly number[]): string {
  const all = Uint8Array.from(list);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  for (let at = 0; at < all.length; ) {
    const first = all[at] ?? 0;
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    try {
      text += decoder.decode(all.subarray(at, at + length));
      at += length;
    } catch {
      at += 1;
    }
  }
  return text;
}
