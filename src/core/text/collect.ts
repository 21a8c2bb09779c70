import type { StreamPart } from "../spec/stream-part.ts";

/** The whole text of a stream. The only non-streaming form there is. @throws whatever the stream throws */
export async function collect(stream: AsyncIterable<StreamPart>): Promise<string> {
  let text = "";
  for await (const part of stream) if (part.type === "text-delta") text += part.text;
  return text;
}
