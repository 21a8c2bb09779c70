/** An EmbeddingModel over a place of the pool: one for each load. */
import type { OpenedVectors } from "../backends/backend.ts";
import { checkEmbedCall, collectTokens, collectVectors, withPrefix } from "../embed/collect.ts";
import { SpellError } from "../errors.ts";
import type { EmbeddingModel, EmbedOptions } from "../spec/embedding-model.ts";
import { type Holder, withAbout } from "./holder.ts";

export function holdVectors({ about, call, known }: Holder): EmbeddingModel {
  const vectors = (model = known()): OpenedVectors => {
    if (model.vectors !== undefined) return model.vectors;
    throw new SpellError("model-architecture", `${model.id} makes no embeddings: ${about.backend} writes text here`, {
      where: model.id,
      actions: [{ kind: "pull", model: "all-minilm-l6-v2" }],
    });
  };
  return withAbout(about, {
    get dimensions() {
      return vectors().dimensions;
    },
    get prefixes() {
      return vectors().prefixes;
    },
    async embed(texts: readonly string[], options: EmbedOptions = {}) {
      checkEmbedCall(texts, options, vectors().dimensions);
      const { query, truncate = false, dimensions, retries, signal } = options;
      if (texts.length === 0) return { vectors: [], dimensions: dimensions ?? vectors().dimensions ?? 0, tokens: 0, warnings: [] };
      const written = withPrefix(texts, query, vectors().prefixes);
      const parts = call(signal, (model, stop) => vectors(model).embed(written, { truncate, retries, signal: stop }));
      return collectVectors(parts, texts.length, dimensions);
    },
    async countTokens(texts: readonly string[], { signal }: Pick<EmbedOptions, "signal"> = {}) {
      if (vectors().countsTokens !== true) return undefined;
      checkEmbedCall(texts, { signal }, undefined);
      if (texts.length === 0) return [];
      const parts = call(signal, (model, stop) => vectors(model).embed(texts, { truncate: true, countOnly: true, signal: stop }));
      return collectTokens(parts, texts.length);
    },
  });
}
