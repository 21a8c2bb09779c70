import { expect, it, vi } from "vitest";
import { resolveConfig } from "../../../src/core/api/configuration.ts";
import { SpellError } from "../../../src/core/errors.ts";
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

it("a model that reads less than the configuration allows is loaded with what it reads", async () => {
  const embedding = { default_provider: "own", model: "m" } as const;
  const { config } = await resolveConfig({ config: { rag: { embedding, vector_storage: { dimensions: 16 } } }, env: {} }, memoryPlatform());
  const sizes: unknown[] = [];
  const embeddings = async (_: string, { contextSize }: { readonly contextSize?: number }) => {
    sizes.push(contextSize);
    if (contextSize !== 128) throw new SpellError("run-option", "contextSize: expected 128 … 128", { details: { limit: 128 } });
    const embed = async () => ({ vectors: [new Float32Array(16)], dimensions: 16, tokens: 1, warnings: [] });
    return { embed } as unknown as EmbeddingModel;
  };
  const embedder = createEmbedder("own", config.rag, { embeddings, now: () => 0 });
  expect((await embedder.embed(["a"], "document")).vectors).toHaveLength(1);
  expect(sizes).toEqual([512, 128]);
});

it("an abort ends the wait that a service asked for, and leaves no timer", async () => {
  vi.useFakeTimers();
  try {
    const embedding = { default_provider: "own", model: "m", max_retries: 1 } as const;
    const { config } = await resolveConfig(
      { config: { rag: { embedding, vector_storage: { dimensions: 16 } } }, env: {} },
      memoryPlatform(),
    );
    const stop = new AbortController();
    const embed = async (_: unknown, { signal }: { readonly signal: AbortSignal }) => {
      if (signal.aborted) throw new SpellError("run-aborted", "given up");
      throw new SpellError("net-rate", "busy", { details: { retryAfterMs: 60_000 } });
    };
    const embeddings = async () => ({ embed }) as unknown as EmbeddingModel;
    const embedder = createEmbedder("own", config.rag, { embeddings, now: () => 0 });
    const asked = expect(embedder.embed(["a"], "document", stop.signal)).rejects.toMatchObject({ code: "run-aborted" });
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
    stop.abort();
    await asked;
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
