import type { ManyPart, StreamPart } from "../spec/stream-part.ts";

/** The whole text of a stream. There is no other non-streaming form. @throws whatever the stream throws */
export async function collect(stream: AsyncIterable<StreamPart>): Promise<string> {
  let text = "";
  for await (const part of stream) if (part.type === "text-delta") text += part.text;
  return text;
}

/** The whole texts of a stream of several answers, by the place of their prompts. @throws whatever the stream throws */
export async function collectMany(stream: AsyncIterable<ManyPart>): Promise<readonly string[]> {
  const texts: string[] = [];
  for await (const { index, part } of stream) {
    texts[index] ??= "";
    if (part.type === "text-delta") texts[index] += part.text;
  }
  return texts;
}
