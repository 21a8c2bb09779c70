/** Vectors for all passages of documents: each text once, in batches, several at once; what was embedded before is taken again. */
import { SpellError, throwIfAborted } from "../errors.ts";
import type { Chunk, Collection, IndexedChunk } from "../spec/search-index.ts";
import { lexicalName } from "./embedder.ts";
import type { Embedder } from "./embedder-types.ts";
import { hashOf } from "./hash.ts";
import type { Prepared } from "./prepare.ts";
import type { IngestOptions } from "./types.ts";

interface EmbedParts extends Pick<IngestOptions, "signal" | "onProgress"> {
  readonly collection: Collection;
  readonly embedder: Embedder;
  /** texts of one call */
  readonly batchSize: number;
  /** calls at once */
  readonly atOnce: number;
}

interface Embedded {
  readonly vectorOf: (title: string, chunk: Pick<Chunk, "text" | "headings">) => Pick<IndexedChunk, "hash" | "vector">;
  /** texts that had to be embedded */
  readonly embedded: number;
  readonly tokens: number;
  readonly warnings: readonly string[];
}

export async function embedAll(
  documents: readonly Prepared[],
  { collection, embedder, batchSize, atOnce, signal, onProgress }: EmbedParts,
): Promise<Embedded> {
  const vectors = new Map<string, { readonly hash: string; readonly vector: Float32Array }>();
  const waiting = new Map<string, string>();
  const warnings = new Set<string>();
  const batches: { readonly texts: readonly string[]; readonly upTo: number }[] = [];
  let [embedded, tokens, done] = [0, 0, 0];
  const texts: string[] = [];
  for (const [at, { title, chunks }] of documents.entries()) {
    const all = new Set(chunks.map((chunk) => embedText(title, chunk)));
    const fresh = [...all].filter((text) => !vectors.has(text) && !waiting.has(text));
    const hashes = await Promise.all(fresh.map((text) => hashOf(`${embedder.id}\n${text}`)));
    for (const [i, text] of fresh.entries()) {
      const hash = hashes[i] ?? "";
      // words are hashed faster than vectors are read
      const known = embedder.name === lexicalName ? undefined : await collection.knownVector(hash);
      if (known !== undefined) vectors.set(text, { hash, vector: known });
      else {
        waiting.set(text, hash);
        texts.push(text);
      }
    }
    if (texts.length >= batchSize || at === documents.length - 1)
      for (let from = texts.length; from > 0; from = texts.length) batches.push({ texts: texts.splice(0, batchSize), upTo: at + 1 });
  }
  const next = batches.values();
  const work = async (): Promise<void> => {
    for (const batch of next) {
      throwIfAborted(signal);
      const made = await embedder.embed(batch.texts, "document", signal);
      embedded += batch.texts.length;
      tokens += made.tokens;
      for (const warning of made.warnings) warnings.add(warning);
      for (const [i, text] of batch.texts.entries()) {
        const vector = made.vectors[i];
        if (vector === undefined || !vector.every(Number.isFinite))
          throw new SpellError("run-nan", `${embedder.name} gave a vector with a number that is none`);
        vectors.set(text, { hash: waiting.get(text) ?? "", vector });
      }
      while (done < batch.upTo) {
        done += 1;
        onProgress?.({ done, of: documents.length, id: documents[done - 1]?.id ?? "" });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  while (done < documents.length) {
    done += 1;
    onProgress?.({ done, of: documents.length, id: documents[done - 1]?.id ?? "" });
  }
  const vectorOf: Embedded["vectorOf"] = (title, chunk) => {
    const found = vectors.get(embedText(title, chunk));
    if (found === undefined) throw new SpellError("internal-error", "a passage was not embedded");
    return found;
  };
  return { vectorOf, embedded, tokens, warnings: [...warnings] };
}

/** What is embedded of a chunk: where it stands, then its text. */
function embedText(title: string, { text, headings }: { readonly text: string; readonly headings: readonly string[] }): string {
  const path = [title, ...headings].filter((part) => part !== "");
  return path.length === 0 ? text : `${path.join(" > ")}\n${text}`;
}
