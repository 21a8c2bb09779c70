/** A SentencePiece model (spiece.model) in the form of a tokenizer.json, so that one tokenizer reads both. Unigram models only: T5 has no others. */
import { SpellError } from "../errors.ts";
import { readProto } from "../protobuf.ts";

/** Kinds of pieces, by their numbers in sentencepiece_model.proto. */
const kinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;
const unigram = 1;

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

/**
 * @param bytes of spiece.model
 * @param extraIds sentinels `<extra_id_0>` … that the checkpoint has behind its pieces, counted down
 * @throws SpellError tokenizer-json
 */
export function convertSentencePiece(bytes: Uint8Array, extraIds: number, name: string): SentencePieceModel {
  const fail = (what: string): SpellError =>
    new SpellError("tokenizer-json", `${name}: not a readable SentencePiece model: ${what}`, { where: name });
  const pieces: Piece[] = [];
  let modelType = unigram;
  let unknownId = 0;
  let endId = 2;
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
  const special = [
    ...pieces.flatMap(({ text, kind }, id) =>
      kind === kinds.control || kind === kinds.unknown ? [{ id, content: text, special: true }] : [],
    ),
    ...pieces.flatMap(({ text, kind }, id) => (kind === kinds.userDefined ? [{ id, content: text, special: false }] : [])),
    ...sentinels.map((content, index) => ({ id: pieces.length + index, content, special: true })),
  ];
  const end = pieces[endId]?.text ?? "</s>";
  const metaspace = {
    type: "Metaspace",
    replacement: "▁",
    add_prefix_space: normalizer.addDummyPrefix,
    prepend_scheme: normalizer.addDummyPrefix ? "always" : "never",
  };
  return {
    charsmap,
    tokenizer: {
      version: "1.0",
      added_tokens: special.map((token) => ({ ...token, single_word: false, lstrip: false, rstrip: false, normalized: false })),
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
      decoder: metaspace,
      model: {
        type: "Unigram",
        unk_id: unknown,
        byte_fallback: false,
        vocab: [...pieces.map(({ text, score }) => [text, score]), ...sentinels.map((text) => [text, 0])],
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
