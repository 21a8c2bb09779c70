/** Text to token ids and back: @huggingface/tokenizers behind our interface, with its input checked first. */

import { Tokenizer as Library } from "@huggingface/tokenizers";
import { fromBase64 } from "../base64.ts";
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { refuseSaved } from "../formats/guess-kind.ts";
import { isObject, readJson } from "../json.ts";
import { limits } from "../limits.ts";
import { readAddedTokens, textOfToken } from "./added-tokens.ts";
import { createByteCodec } from "./byte-tokenizer.ts";
import { createCharsmap, type Normalize } from "./charsmap.ts";
import { readConfigJson } from "./config-json.ts";
import { type BesideSentencePiece, convertSentencePiece, unread } from "./sentencepiece.ts";
import { createStreamDecoder, type StreamDecoder } from "./stream-decoder.ts";
import { checkTokenizerJson } from "./tokenizer-checks.ts";

export interface Tokenizer {
  /** @returns ids, end token included where the tokenizer adds one. Special tokens in the text are read as such. */
  encode(text: string): readonly number[];
  /** Two texts in one, with the type that each token has: usually 0 in the first, 1 in the second. Absent where ids are bytes. */
  encodePair?(first: string, second: string): { readonly ids: readonly number[]; readonly types: readonly number[] };
  /** Special tokens are left out. */
  decode(ids: readonly number[]): string;
  /** Feeds ids one by one; what comes out never splits a character, and all of it together equals decode() of all ids. */
  createStreamDecoder(): StreamDecoder;
  /** What each id writes by itself, a space before a word with it; "" of special tokens and of parts of letters. */
  texts(): Promise<readonly string[]>;
}

export interface TokenizerFiles {
  /** tokenizer.json, or spiece.model where there is none; absent: ids are bytes (ByT5) */
  readonly model?: ByteSource | undefined;
  /** tokenizer_config.json */
  readonly config?: ByteSource | undefined;
  /** added_tokens.json */
  readonly added?: ByteSource | undefined;
}

export interface TokenizerOptions {
  /** Ids must lie below the rows of the embedding. */
  readonly embeddingRows: number;
  readonly signal?: AbortSignal | undefined;
}

/** What is used of the library beyond its types: a place in the chain of normalisers. */
interface Chain {
  readonly model: { encode(tokens: readonly string[]): string[]; readonly vocab: string[]; readonly tokens_to_ids: Map<string, number> };
  normalizer: Normalize | { normalizers?: Normalizer[] | undefined } | null;
}
interface Normalizer {
  normalize: Normalize;
}

/**
 * Checks and builds a tokenizer.
 * @throws SpellError tokenizer-json, tokenizer-limit, model-config-json (tokenizer_config.json), run-aborted
 */
export async function openTokenizer({ model, config, added }: TokenizerFiles, options: TokenizerOptions): Promise<Tokenizer> {
  const { embeddingRows, signal } = options;
  const settings = config === undefined ? {} : await readConfigJson(config, signal);
  const older = added === undefined || model?.name.endsWith(".json") === true ? {} : await readConfigJson(added, signal);
  // The reference's default since transformers 4.45; the library's is the older one.
  const tidiesSpaces = settings["clean_up_tokenization_spaces"] === true;
  if (model === undefined) {
    const codec = createByteCodec(settings, older, embeddingRows);
    return { ...codec, createStreamDecoder: () => createStreamDecoder(codec.decode, false), texts: async () => codec.texts };
  }
  if (model.size > limits.tokenizerBytes) {
    throw new SpellError("tokenizer-limit", `${model.name}: expected at most ${limits.tokenizerBytes} bytes, got ${model.size}`, {
      where: model.name,
    });
  }
  await refuseSaved(model, "tokenizer-json", signal);
  const bytes = await model.read(0, model.size, signal);
  const isJson = model.name.endsWith(".json");
  const beside = (): BesideSentencePiece => ({
    extraIds: extraIds(settings, bytes, embeddingRows, model.name),
    added: readAddedTokens(settings, older, config?.name ?? model.name),
    legacy: settings["legacy"] !== false,
  });
  const converted = isJson ? undefined : convertSentencePiece(bytes, beside(), model.name);
  const json = checkTokenizerJson(converted?.tokenizer ?? parse(bytes, model.name), embeddingRows, model.name);
  const fail = (what: string): SpellError => new SpellError("tokenizer-json", `${model.name}: ${what}`, { where: model.name });

  let library: Library;
  try {
    // Of the settings only what it reads, in the form it reads: the others describe.
    const { additional_special_tokens: listed, remove_space, do_lowercase_and_remove_accent, eos_token } = settings;
    library = new Library(json, {
      additional_special_tokens: Array.isArray(listed) ? (listed as readonly unknown[]).flatMap((token) => textOfToken(token) ?? []) : [],
      remove_space: remove_space === true,
      do_lowercase_and_remove_accent: do_lowercase_and_remove_accent === true,
      eos_token: textOfToken(eos_token),
      clean_up_tokenization_spaces: tidiesSpaces,
    });
  } catch (error) {
    throw fail(`the tokenizer cannot be built: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { model: parts } = json;
  if (isObject(parts) && parts["type"] === "Unigram" && parts["byte_fallback"] === true) useByteFallback(library as unknown as Chain);
  useExactCharsmaps(library as unknown as Chain, json["normalizer"], converted?.charsmap, fail);

  // The rest of the parsed file is let go.
  const { decoder, added_tokens: addedTokens } = json;
  const { unk_id: unknownId, unk_token: unknownToken } = parts as { readonly unk_id?: number; readonly unk_token?: string };
  const decode = (ids: readonly number[]): string => {
    if (ids.length === 0) return "";
    // The library's options leave out special tokens by their text; what it does not know becomes the unknown token, which is special too.
    return library.decode([...ids], { skip_special_tokens: true });
  };
  return {
    encode: (text) => withoutOverflow(text.length, () => library.encode(text).ids),
    encodePair(first, second) {
      const encode = () => library.encode(first, { text_pair: second, return_token_type_ids: true });
      const { ids, token_type_ids: types } = withoutOverflow(first.length + second.length, encode);
      return { ids, types };
    },
    decode,
    createStreamDecoder: () => createStreamDecoder(decode, tidiesSpaces),
    texts: async () => {
      const { tokenTexts } = await import("./token-texts.ts");
      const { vocab: pieces } = (library as unknown as Chain).model;
      return tokenTexts({ pieces, unknown: unknownId === undefined ? unknownToken : pieces[unknownId], decoder, added: addedTokens });
    },
  };
}

/** The library hands all tokens of a text to one call, which has room for some 100,000. @throws SpellError run-context */
function withoutOverflow<T>(characters: number, encode: () => T): T {
  try {
    return encode();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new SpellError("run-context", `the input has ${characters} characters, more than a tokenizer takes at once`, { cause });
  }
}

function parse(bytes: Uint8Array, name: string): unknown {
  return readJson(
    bytes,
    { bytes: limits.tokenizerBytes, depth: limits.jsonDepth, containers: 2 * limits.tokenizerEntries },
    ({ what, message }) =>
      new SpellError(what === "containers" ? "tokenizer-limit" : "tokenizer-json", `${name}: ${message}`, { where: name }),
  );
}

/**
 * Sentinels that a T5 checkpoint has behind the pieces of its spiece.model: as tokenizer_config.json says, else the hundred of the reference
 * where the embedding has room for them.
 */
function extraIds(settings: Readonly<Record<string, unknown>>, bytes: Uint8Array, embeddingRows: number, name: string): number {
  const { extra_ids: said, additional_special_tokens: listed } = settings;
  if (Number.isInteger(said) && (said as number) >= 0 && (said as number) <= 10_000) return said as number;
  if (Array.isArray(listed) && listed.length > 0) return listed.filter((token) => /^<extra_id_\d+>$/.test(String(token))).length;
  const pieces = (
    convertSentencePiece(bytes, { extraIds: 0, added: [], legacy: true }, name).tokenizer["model"] as { readonly vocab: readonly unknown[] }
  ).vocab.length;
  return embeddingRows >= pieces + 100 ? 100 : 0;
}

/** The library's Unigram has no byte fallback: what has no piece becomes its bytes, as in SentencePiece. */
function useByteFallback({ model }: Chain): void {
  const encode = model.encode.bind(model);
  const encoder = new TextEncoder();
  model.vocab.forEach((text, id) => {
    if (!text.startsWith(unread)) return;
    model.vocab[id] = text.slice(1);
    model.tokens_to_ids.set(text.slice(1), id);
  });
  model.encode = (tokens) =>
    encode(tokens).flatMap((token) => {
      if (model.tokens_to_ids.has(token)) return [token];
      const bytes = Array.from(encoder.encode(token), (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
      return bytes.every((byte) => model.tokens_to_ids.has(byte)) ? bytes : [token];
    });
}

/** The library normalises by NFKC where a file brings a character map of its own; here the map itself is used. */
function useExactCharsmaps(library: Chain, config: unknown, given: Uint8Array | undefined, fail: (what: string) => SpellError): void {
  const exact = (entry: unknown): Normalize | undefined => {
    if (!isObject(entry) || entry["type"] !== "Precompiled") return undefined;
    const map = given ?? bytesOf(entry["precompiled_charsmap"], fail);
    return map === undefined ? undefined : createCharsmap(map, fail);
  };
  const whole = exact(config);
  if (whole !== undefined) library.normalizer = whole;
  const parts = (library.normalizer as { normalizers?: Normalizer[] | undefined } | null)?.normalizers;
  if (parts === undefined || !isObject(config) || !Array.isArray(config["normalizers"])) return;
  (config["normalizers"] as readonly unknown[]).forEach((entry, index) => {
    const normalize = exact(entry);
    if (normalize !== undefined) parts[index] = { normalize };
  });
}

function bytesOf(text: unknown, fail: (what: string) => SpellError): Uint8Array | undefined {
  if (text === null || text === undefined) return undefined;
  try {
    return fromBase64(String(text));
  } catch {
    throw fail("precompiled_charsmap: expected base64");
  }
}
