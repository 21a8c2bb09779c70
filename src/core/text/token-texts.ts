/** What each token writes by itself: for answers whose tokens are chosen by their text. */
import { isObject } from "../json.ts";

/** Parts of a tokenizer.json that was checked. */
export interface TokenParts {
  /** by id */
  readonly pieces: readonly string[];
  readonly unknown: string | undefined;
  readonly decoder: unknown;
  readonly added: unknown;
}

/** @returns by id: "" for tokens that write nothing, or a part of a character only */
export function tokenTexts({ pieces, unknown, decoder, added }: TokenParts): readonly string[] {
  const textOf = decodesBytes(decoder) ? byteLevelText : spacedText;
  const texts = Array.from(pieces, (piece = "") => (piece === unknown ? "" : textOf(piece)));
  for (const token of Array.isArray(added) ? (added as readonly Readonly<Record<string, unknown>>[]) : []) {
    texts[Number(token["id"])] = token["special"] === true ? "" : String(token["content"]);
  }
  return Array.from(texts, (text) => text ?? "");
}

function decodesBytes(decoder: unknown): boolean {
  if (!isObject(decoder)) return false;
  const { type, decoders } = decoder;
  return type === "ByteLevel" || (Array.isArray(decoders) && decoders.some(decodesBytes));
}

/** SentencePiece: spaces are ▁, and a byte is <0x41>. */
function spacedText(piece: string): string {
  const byte = /^<0x([0-9A-F]{2})>$/.exec(piece)?.[1];
  if (byte === undefined) return piece.replaceAll("▁", " ");
  return Number.parseInt(byte, 16) < 0x80 ? String.fromCharCode(Number.parseInt(byte, 16)) : "";
}

/** GPT-2: printable bytes of Latin-1 are themselves, the others letters from U+0100 on, in order. Source: openai/gpt-2, encoder.py. */
function byteLevelText(piece: string): string {
  const bytes = Array.from(piece, (letter) => letterBytes.get(letter));
  if (bytes.includes(undefined)) return "";
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes as number[]));
  } catch {
    return "";
  }
}

const letterBytes: ReadonlyMap<string, number> = new Map(
  (() => {
    let others = 0;
    return Array.from({ length: 256 }, (_, byte): readonly [string, number] => {
      const isItself = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
      if (isItself) return [String.fromCharCode(byte), byte];
      others += 1;
      return [String.fromCharCode(0xff + others), byte];
    });
  })(),
);
