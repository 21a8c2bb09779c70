import type { ManyPart, StreamPart } from "../../src/core/spec/stream-part.ts";
import { collect, collectMany } from "../../src/core/text/collect.ts";

/** The text of an answer, for tests that look at nothing else of it. */
export async function textOf(stream: AsyncIterable<StreamPart>): Promise<string> {
  return (await collect(stream)).text;
}

/** The texts of several answers. */
export async function textsOf(stream: AsyncIterable<ManyPart>): Promise<readonly string[]> {
  return (await collectMany(stream)).map(({ text }) => text);
}
