/** Letters that come in two parts are put together, and half of one where an answer was cut is left out. */
import type { ManyPart, StreamPart } from "../spec/stream-part.ts";

type TextPart = Extract<StreamPart, { type: "text-delta" | "reasoning-delta" }>;

/** The first half of a pair, or what decoders write for bytes that are no letter yet; a letter has at most four. */
const half = /(?:[\ud800-\udbff]|\ufffd{1,3})$/;

/** Of each prompt's own text and thought. Servers cut where their tokens do, and JSON lets them. */
export async function* wholeLetters(parts: AsyncIterable<ManyPart>): AsyncGenerator<ManyPart, void, undefined> {
  const held = new Map<number, TextPart>();
  for await (const { index, part } of parts) {
    const before = held.get(index);
    const isText = part.type === "text-delta" || part.type === "reasoning-delta";
    const ends = isText ? part.type !== before?.type : part.type !== "warning";
    if (before !== undefined && ends) {
      held.delete(index);
      if (part.type !== "stream-end" || part.finishReason !== "length") yield { index, part: wellFormed(before) };
    }
    if (!isText) {
      yield { index, part };
      continue;
    }
    const text = (ends ? "" : (before?.text ?? "")) + part.text;
    const at = half.exec(text)?.index ?? text.length;
    if (at < text.length) held.set(index, { type: part.type, text: text.slice(at) });
    else held.delete(index);
    if (at > 0) yield { index, part: wellFormed({ type: part.type, text: text.slice(0, at) }) };
  }
}

function wellFormed({ type, text }: TextPart): TextPart {
  return { type, text: text.replace(/\p{Surrogate}/gu, "\ufffd") };
}
