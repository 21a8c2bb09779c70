/** A RerankModel over a place of the pool: one for each load. */
import type { OpenedScores } from "../backends/backend.ts";
import { checkRerankCall, collectScores } from "../embed/collect.ts";
import { SpellError } from "../errors.ts";
import type { RerankModel, RerankOptions } from "../spec/rerank-model.ts";
import { type Holder, withAbout } from "./holder.ts";

export function holdScores({ about, call, known }: Holder): RerankModel {
  const scores = (model = known()): OpenedScores => {
    if (model.scores !== undefined) return model.scores;
    throw new SpellError("model-architecture", `${model.id} scores no texts: ${about.backend} does not re-rank here`, {
      where: model.id,
      actions: [{ kind: "pull", model: "bge-reranker-base" }],
    });
  };
  return withAbout(about, {
    async rerank(query: string, texts: readonly string[], options: RerankOptions = {}) {
      checkRerankCall(query, texts, options);
      const { truncate = false, signal } = options;
      if (texts.length === 0) return { scores: [], tokens: 0, warnings: [] };
      const parts = call(signal, (model, stop) => scores(model).rerank(query, texts, { truncate, signal: stop }));
      return collectScores(parts, texts.length);
    },
  });
}
