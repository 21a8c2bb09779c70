import { expect, it } from "vitest";
import { resolveConfig } from "../../../src/core/api/configuration.ts";
import { createEmbedder } from "../../../src/core/rag/embedder.ts";
import type { EmbeddingModel } from "../../../src/core/spec/embedding-model.ts";
import { memoryPlatform } from "../../../src/core/testing/index.ts";

it.each([
  ["this process", { device: true, contextSize: true }, { device: "cpu", contextSize: 512, pooling: "cls", keep: true }, 0],
  ["a server that takes a context", { device: false, contextSize: true }, { contextSize: 512, keep: true }, 2],
  ["a service", { device: false, contextSize: false }, { keep: true }, 2],
])("a model of %s is loaded with what that takes", async (_, takes, load, warnings) => {
  const embedding = { default_provider: "own", model: "m", device: "cpu", pooling: "cls" } as const;
  const { config } = await resolveConfig({ config: { rag: { embedding, vector_storage: { dimensions: 16 } } }, env: {} }, memoryPlatform());
  const loads: unknown[] = [];
  const embeddings = async (name: string, options: object) => {
    loads.push({ name, ...options });
    const embed = async () => ({ vectors: [new Float32Array(16)], dimensions: 16, tokens: 1, warnings: [] });
    return { embed, countTokens: async () => undefined, dispose: async () => undefined } as unknown as EmbeddingModel;
  };
  const embedder = createEmbedder("own", config.rag, { embeddings, takes: () => takes, now: () => 0 });
  expect((await embedder.embed(["a"], "document")).warnings).toHaveLength(warnings);
  expect((await embedder.embed(["b"], "document")).warnings).toEqual([]);
  expect(loads).toEqual([{ name: "m@own", ...load }]);
});
