/**
 * The tokenizer inside a GGUF file: checked for what crashes engines, and the few facts that prompts need.
 * It does not tokenize; the runtime does. Engines read these arrays without checking type or length, so both are checked here.
 */
import type { ErrorCode } from "../errors.ts";
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import { quote } from "./defect.ts";
import type { Metadata } from "./metadata.ts";
import type { GgufStringArray } from "./string-array.ts";
import { indexTokens, type TokenIndex } from "./token-index.ts";
import type { GgufArray } from "./values.ts";

export interface SpecialToken {
  readonly id: number;
  readonly text: string;
}

export interface TokenizerFacts {
  readonly vocabSize: number;
  /** As the file says; for a SentencePiece vocabulary that does not say, the ids engines take. */
  readonly bos?: SpecialToken | undefined;
  readonly eos?: SpecialToken | undefined;
  /** Only when the file says. */
  readonly addBos?: boolean | undefined;
  /** Texts that a runtime reads as control tokens where they stand in a prompt. */
  readonly controlTokens: readonly string[];
  /** Harmless oddities, in sentences: trailing bytes, unusable recommendations. */
  readonly notes: readonly string[];
}

/** Values of `tokenizer.ggml.model` that llama.cpp knows, without those that mean no vocabulary (`none`, `no_vocab`). */
const models: ReadonlySet<string> = new Set(["llama", "gpt2", "bert", "t5", "rwkv", "plamo2", "gemma4", "hybriddna", "whitespace"]);

/** `tokenizer.ggml.token_type` of tokens that are read as control tokens: UNKNOWN and CONTROL. */
const controlTypes: ReadonlySet<number> = new Set([2, 3]);

/**
 * Texts that llama.cpp turns into control tokens whatever type the file gives them ("its type will be overridden").
 * Source: the list in its vocabulary loader, v0.5.0.
 */
const alwaysControl: ReadonlySet<string> = new Set(
  `<|eot_id|> <|im_end|> <|end|> <end_of_turn> <|endoftext|> <|end_of_text|> <EOT> _<EOT> [EOT] [EOS] <eos> <｜end▁of▁sentence｜> <end_of_utterance> <|eom_id|>
   <|return|> <|call|> <|flush|> <|calls|> <turn|> <|tool_response> [e~[ <|constrain|>
   <|fim_prefix|> <fim-prefix> <fim_prefix> <｜fim▁begin｜> <PRE> ▁<PRE> <|code_prefix|> <|prefix|> <|fim_suffix|> <fim-suffix> <fim_suffix> <｜fim▁hole｜> <SUF> ▁<SUF>
   <|code_suffix|> <|suffix|> <|fim_middle|> <fim-middle> <fim_middle> <｜fim▁end｜> <MID> ▁<MID> <|code_middle|> <|middle|> <|fim_pad|> <fim-pad> <fim_pad> <PAD> [PAD]
   <|fim_repo|> <|repo_name|> <fim-repo> <REPO> <reponame> <|file_sep|>`.split(/\s+/),
);

const code: ErrorCode = "gguf-tokenizer";
const anyId = { min: 0, max: 0xffff_ffff };
/** What converters write for "none". */
const noToken = 0xffff_ffff;

/**
 * @throws SpellError gguf-tokenizer naming key, expected and got
 */
export function readTokenizer(metadata: Metadata): TokenizerFacts {
  const model = readModel(metadata);
  const vocabulary = readTokens(metadata);
  const { tokens } = vocabulary;
  readPerToken(metadata, "tokenizer.ggml.scores", ["float32"], tokens.length);
  const types = readPerToken(metadata, "tokenizer.ggml.token_type", ["int32", "uint32"], tokens.length);
  readOthers(metadata, model);

  const notes: string[] = [];
  const special = (name: string, fallback: number | undefined): SpecialToken | undefined => {
    const key = `tokenizer.ggml.${name}_token_id`;
    const said = metadata.uint32(key, anyId, code);
    const isStray = said !== undefined && said >= tokens.length;
    const id = isStray ? fallback : (said ?? fallback);
    if (isStray) {
      const used = id === undefined ? "the engine's own default is used" : `the engine's default is used, ${formatCount(id)}`;
      notes.push(`${metadata.source.name}: ${key} is ${formatCount(said)}, outside the vocabulary; ${used}`);
    }
    const text = id === undefined ? undefined : tokens.at(id);
    return id === undefined || text === undefined ? undefined : { id, text };
  };
  // Engines take 1 and 2 for a SentencePiece vocabulary that does not say.
  const sentencePiece = model === "llama" && tokens.length > 2;
  const bos = special("bos", sentencePiece ? 1 : undefined);
  const eos = special("eos", sentencePiece ? 2 : undefined);
  return {
    vocabSize: tokens.length,
    bos,
    eos,
    addBos: metadata.truth("tokenizer.ggml.add_bos_token", code),
    controlTokens: listControlTokens(metadata, vocabulary, types?.values as Int32Array | Uint32Array | undefined),
    notes: [...notes, ...findStrayIds(metadata, tokens.length)],
  };
}

function readModel(metadata: Metadata): string {
  const key = "tokenizer.ggml.model";
  const model = metadata.text(key, code);
  if (model !== undefined && models.has(model)) return model;
  const got = model === undefined ? "the key is missing" : `got ${quote(model)}`;
  throw metadata.error(key, `expected one of ${Array.from(models).join(", ")}; ${got}`, code);
}

interface Vocabulary {
  readonly tokens: GgufStringArray;
  readonly index: TokenIndex;
}

/**
 * The tokens, proven to differ. Two equal ones abort the process: the engine compares the count of texts with the count of ids.
 * Empty ones are exempt, it renames them.
 */
function readTokens(metadata: Metadata): Vocabulary {
  const key = "tokenizer.ggml.tokens";
  const tokens = arrayOf(metadata, key, ["string"]) as GgufStringArray | undefined;
  if (tokens === undefined || tokens.length === 0) {
    throw metadata.error(key, `expected at least one token; ${tokens === undefined ? "the key is missing" : "got none"}`, code);
  }
  if (tokens.length > limits.ggufVocabulary) {
    throw metadata.error(key, `expected at most ${formatCount(limits.ggufVocabulary)} tokens, got ${formatCount(tokens.length)}`, code);
  }
  const index = indexTokens(tokens);
  if ("crowded" in index) throw metadata.error(key, "the tokens are made to be slow to compare; expected a real vocabulary", code);
  if ("equal" in index) {
    const [first, second] = index.equal;
    const both = `tokens ${formatCount(first)} and ${formatCount(second)} are both ${quote(tokens.at(first) ?? "")}`;
    throw metadata.error(key, `${both}; expected all to differ`, code);
  }
  return { tokens, index };
}

/** @returns texts that a runtime reads as control tokens: by their type, or by what they say */
function listControlTokens(metadata: Metadata, { tokens, index }: Vocabulary, types: ArrayLike<number> | undefined): readonly string[] {
  const ids: number[] = [];
  for (let id = 0; types !== undefined && id < tokens.length; id++) if (controlTypes.has(types[id] ?? 0)) ids.push(id);
  if (ids.length > limits.ggufControlTokens) {
    const expected = `expected at most ${formatCount(limits.ggufControlTokens)} control tokens`;
    throw metadata.error("tokenizer.ggml.token_type", `${expected}, got ${formatCount(ids.length)}`, code);
  }
  const control = new Set(ids.map((id) => tokens.at(id) ?? ""));
  for (const text of alwaysControl) if (index.find(text) !== undefined) control.add(text);
  control.delete("");
  return Array.from(control);
}

/** An array with one entry for each token, where the file has it. */
function readPerToken(metadata: Metadata, key: string, types: readonly [string, ...string[]], count: number): GgufArray | undefined {
  const array = arrayOf(metadata, key, types);
  if (array === undefined || array.length >= count) return array;
  const got = formatCount(array.length);
  throw metadata.error(key, `expected one entry for each of ${formatCount(count)} tokens, got ${got}`, code);
}

/** An array of one of these types, where the file has it. The first type is the one named where it has another. */
function arrayOf(metadata: Metadata, key: string, types: readonly [string, ...string[]]): GgufArray | undefined {
  const array = metadata.array(key, code);
  if (array === undefined || types.includes(array.type)) return array;
  const named = types[0] === "string" ? "strings" : types[0];
  throw metadata.error(key, `expected an array of ${named}, got one of ${array.type}`, code);
}

/** Keys whose type an engine takes for granted. */
function readOthers(metadata: Metadata, model: string): void {
  metadata.text("tokenizer.ggml.pre", code);
  metadata.text("tokenizer.chat_template", code);
  const merges = arrayOf(metadata, "tokenizer.ggml.merges", ["string"]);
  if (model === "gpt2" && merges === undefined)
    throw metadata.error("tokenizer.ggml.merges", "gpt2 needs merges; the key is missing", code);
  arrayOf(metadata, "tokenizer.ggml.precompiled_charsmap", ["uint8", "int8"]);
}

/**
 * Ids of tokens that no prompt needs: engines warn about one outside the vocabulary and go on without it, so does the gate.
 * 2^32 − 1 is how converters write "none". Another type than UINT32 makes the engine refuse the file.
 */
function findStrayIds(metadata: Metadata, count: number): readonly string[] {
  const names = "unknown padding eot eom seperator cls mask fim_pre fim_suf fim_mid fim_pad fim_rep fim_sep".split(" ");
  return names.flatMap((name) => {
    const key = `tokenizer.ggml.${name}_token_id`;
    const id = metadata.uint32(key, anyId, code);
    if (id === undefined || id === noToken || id < count) return [];
    return [`${metadata.source.name}: ${key} is ${formatCount(id)}, outside the vocabulary; it is not used`];
  });
}
