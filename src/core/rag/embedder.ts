/** What makes vectors of texts: `lexical`, which needs no model, or an embedding model. */
import type { RagConfig } from "../config/config.generated.ts";
import { SpellError } from "../errors.ts";
import { lexicalVector } from "../search/lexical.ts";
import { words } from "../search/terms.ts";
import type { Embedder, EmbedderHost } from "./embedder-types.ts";
import type { ModelTexts } from "./model-texts.ts";

export const lexicalName = "lexical";

/** @param provider `lexical`, or what makes the vectors @throws SpellError rag-model where a model is needed and none is named */
export function createEmbedder(provider: string, { embedding, vector_storage }: RagConfig, host: EmbedderHost): Embedder {
  const { dimensions } = vector_storage;
  if (provider === lexicalName) return lexicalEmbedder(dimensions, embedding);
  if (embedding.model === "")
    throw new SpellError("rag-model", `rag.embedding.default_provider is ${provider}; expected a model in rag.embedding.model, got none`, {
      where: "rag.embedding.model",
      hint: 'Name an embedding model there, such as "all-minilm-l6-v2", or set the provider to "lexical", which needs none.',
    });
  return modelEmbedder(embedding.model.includes("@") ? embedding.model : `${embedding.model}@${provider}`, dimensions, embedding, host);
}

function lexicalEmbedder(dimensions: number, { query_prefix, document_prefix }: RagConfig["embedding"]): Embedder {
  return {
    id: lexicalName + prefixes(query_prefix, document_prefix),
    name: lexicalName,
    dimensions,
    count: (text) => words(text).length,
    tokens: async () => undefined,
    async embed(texts, kind) {
      const prefix = kind === "query" ? query_prefix : document_prefix;
      const vectors = texts.map((text) => lexicalVector(prefix + text, dimensions));
      return { vectors, tokens: texts.reduce((sum, text) => sum + words(text).length, 0), warnings: [] };
    },
    close: async () => undefined,
  };
}

/** What asks the model is loaded with its first text. */
function modelEmbedder(name: string, dimensions: number, settings: RagConfig["embedding"], host: EmbedderHost): Embedder {
  const { query_prefix, document_prefix, normalize, pooling } = settings;
  const takes = host.takes?.(name.slice(name.lastIndexOf("@") + 1)) ?? { device: true, contextSize: true };
  let asking: Promise<ModelTexts> | undefined;
  const ask = (): Promise<ModelTexts> => {
    asking ??= import("./model-texts.ts").then(({ modelTexts }) => modelTexts(name, dimensions, settings, host, takes));
    return asking;
  };
  return {
    id:
      name +
      prefixes(query_prefix, document_prefix) +
      (takes.device && pooling !== "auto" ? ` ${pooling}` : "") +
      (normalize ? "" : " as long as it is"),
    name,
    dimensions,
    count: (text) => Math.ceil(text.length / 3),
    tokens: async (...asked) => (await ask()).tokens(...asked),
    embed: async (...asked) => (await ask()).embed(...asked),
    close: async () => (await asking)?.close(),
  };
}

function prefixes(query: string, document: string): string {
  return query === "" && document === "" ? "" : ` ${JSON.stringify([query, document])}`;
}
