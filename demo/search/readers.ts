/** What turns texts into vectors: an embedding model, or word match where there is none. */
import type { EmbeddingModel, Spell } from "../../src/browser/index.ts";
import { lexicalVector } from "../../src/core/search/lexical.ts";
import { terms } from "../../src/core/search/terms.ts";
import type { ModelChoice } from "../sources.ts";

export interface Reader {
  /** Below it a line has nothing to do with the question. */
  readonly least: number;
  /** @returns of each text its vector, and what is worth telling */
  read(texts: readonly string[], query: boolean, signal: AbortSignal): Promise<{ vectors: readonly Float32Array[]; note?: string }>;
  dispose(): Promise<void>;
}

const dimensions = 4096;

/** Finds shared words and parts of words. */
export const words: Reader = {
  // two texts without a word in common come to less by chance
  least: 0.1,
  read: async (texts) => ({ vectors: texts.map((text) => lexicalVector(terms(text).join(" "), dimensions)) }),
  dispose: async () => undefined,
};

/** @param onShare of the bytes, 0 … 1 @throws SpellError of spell.embeddings */
export async function openReader(
  spell: Spell,
  { source }: ModelChoice,
  signal: AbortSignal,
  onShare: (share: number) => void,
): Promise<Reader> {
  const model: EmbeddingModel = await spell.embeddings(source, { signal, onProgress: onShare });
  return {
    least: Number.NEGATIVE_INFINITY,
    async read(texts, query, stop) {
      const { vectors, warnings } = await model.embed(texts, { query, truncate: true, signal: stop });
      const [note] = warnings.filter(({ code }) => code !== "device-note");
      return { vectors, ...(note === undefined ? {} : { note: note.message }) };
    },
    dispose: () => model.dispose(),
  };
}
