/** A SentencePiece model (spiece.model) in the form of a tokenizer.json, so that one tokenizer reads both. Unigram models only: T5 has no others. */
import { SpellError } from "../errors.ts";
import { readProto } from "../protobuf.ts";
import { type AddedToken, addedToken } from "./added-tokens.ts";

/** Kinds of pieces, by their numbers in sentencepiece_model.proto. */
const kinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;
const unigram = 1;
/** Before a piece that is not read from text: the bytes of a character without a piece become these. A noncharacter of Unicode. */
export const unread = "\uffff";

export interface SentencePieceModel {
  /** to be given to @huggingface/tokenizers */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** the compiled character map; empty where the model has none */
  readonly charsmap: Uint8Array;
}

interface Piece {
  readonly text: string;
  readonly score: number;
  readonly kind: number;
}

export interface BesideSentencePiece {
  /** sentinels `<extra_id_0>` … that the checkpoint has behind its pieces, counted down */
  readonly extraIds: number;
  /** tokens of its own; one stands in place of a piece or sentinel of its id */
  readonly added: readonly AddedToken[];
  /** a word that follows an added token begins with ▁ too, as it always did before `legacy: false` of tokenizer_config.json */
  readonly legacy: boolean;
}

/**
 * @param bytes of spiece.model
 * @throws SpellError tokenizer-json
 */
export function convertSentencePiece(
  bytes: Uint8Array,
  { extraIds, added, legacy }: BesideSentencePiece,
  name: string,
): SentencePieceModel {
  const fail = (what: string): SpellError =>
    new SpellError("tokenizer-json", `${name}: not a readable SentencePiece model: ${what}`, { where: name });
  const pieces: Piece[] = [];
  let modelType = unigram;
  let unknownId = 0;
  let endId = 2;
  let byteFallback = false;
  let charsmap = new Uint8Array(0) as Uint8Array;
  const normalizer = { addDummyPrefix: true, removeExtraWhitespaces: true };
  const fields = (message: Uint8Array) => readProto(message, (what, offset) => fail(`${what}, at byte ${offset}`));
  for (const entry of fields(bytes)) {
    if (entry.wire !== 2) continue;
    if (entry.field === 1) pieces.push(readPiece(entry.bytes, fields));
    else if (entry.field === 2) {
      for (const setting of fields(entry.bytes)) {
        if (setting.wire !== 0) continue;
        if (setting.field === 3) modelType = Number(setting.value);
        else if (setting.field === 35) byteFallback = setting.value !== 0n;
        else if (setting.field === 40) unknownId = Number(setting.value);
        else if (setting.field === 42) endId = Number(setting.value);
      }
    } else if (entry.field === 3) {
      for (const setting of fields(entry.bytes)) {
        if (setting.wire === 2 && setting.field === 2) charsmap = setting.bytes;
        else if (setting.wire === 0 && setting.field === 3) normalizer.addDummyPrefix = setting.value !== 0n;
        else if (setting.wire === 0 && setting.field === 4) normalizer.removeExtraWhitespaces = setting.value !== 0n;
      }
    }
  }
  if (pieces.length === 0) throw fail("it has no pieces");
  if (modelType !== unigram) throw fail(`expected model type ${unigram} (Unigram), got ${modelType}`);
  const unknown = pieces[unknownId]?.kind === kinds.unknown ? unknownId : pieces.findIndex(({ kind }) => kind === kinds.unknown);
  if (unknown < 0) throw fail("it has no unknown piece");
  const sentinels = Array.from({ length: extraIds }, (_, index) => `<extra_id_${extraIds - 1 - index}>`);
  const controls: number[] = [kinds.control, kinds.unknown];
  const own = new Map(added.map((token) => [token.id, token]));
  const special = [
    ...pieces.flatMap(({ text, kind }, id) => (controls.includes(kind) ? [addedToken(id, text, {})] : [])),
    ...pieces.flatMap(({ text, kind }, id) => (kind === kinds.userDefined ? [addedToken(id, text, { special: false })] : [])),
    ...sentinels.map((text, index) => addedToken(pieces.length + index, text, {})),
  ].filter(({ id }) => !own.has(id));
  const end = pieces[endId]?.text ?? "</s>";
  const metaspace = {
    type: "Metaspace",
    replacement: "▁",
    add_prefix_space: normalizer.addDummyPrefix,
    prepend_scheme: normalizer.addDummyPrefix ? (legacy ? "always" : "first") : "never",
  };
  return {
    charsmap,
    tokenizer: {
      version: "1.0",
      added_tokens: [...special, ...added],
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "Precompiled", precompiled_charsmap: null },
          ...(normalizer.removeExtraWhitespaces
            ? [
                { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
                { type: "Strip", strip_left: true, strip_right: true },
              ]
            : []),
        ],
      },
      pre_tokenizer: metaspace,
      post_processor: {
        type: "TemplateProcessing",
        single: [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: end, type_id: 0 } }],
        pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 0 } }],
        special_tokens: { [end]: { id: end, ids: [endId], tokens: [end] } },
      },
      decoder: byteFallback ? { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Fuse" }, metaspace] } : metaspace,
      model: {
        type: "Unigram",
        unk_id: unknown,
        byte_fallback: byteFallback,
        vocab: [...pieces, ...sentinels.map((text) => ({ text, score: 0, kind: kinds.control }))].map(({ text, score, kind }, id) => [
          own.get(id)?.content ?? (kind === kinds.byte ? unread + text : text),
          score,
        ]),
      },
    },
  };
}

function readPiece(bytes: Uint8Array, fields: (message: Uint8Array) => ReturnType<typeof readProto>): Piece {
  let text = "";
  let score = 0;
  let kind: number = kinds.normal;
  for (const field of fields(bytes)) {
    if (field.field === 1 && field.wire === 2) text = new TextDecoder().decode(field.bytes);
    else if (field.field === 2 && field.wire === 5) score = new DataView(field.bytes.buffer, field.bytes.byteOffset, 4).getFloat32(0, true);
    else if (field.field === 3 && field.wire === 0) kind = Number(field.value);
  }
  return { text, score, kind };
}
