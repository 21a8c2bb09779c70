/** Opens a model of this process to make vectors. */
import { openHandleEmbedder } from "../../embed/handle-embedder.ts";
import { SpellError } from "../../errors.ts";
import type { Platform } from "../../platform.ts";
import { type AskedOptions, checkContextSize, type LocalOpened } from "./asked.ts";
import { contextLengthOf, type FoundModel, needsOf, runtimeFor } from "./read.ts";
import type { LoadDefaults } from "./settings.ts";

/** @throws SpellError model-architecture for models that make none; run-option, and of the runtime's open() */
export async function openEmbedder(
  model: FoundModel,
  platform: Platform,
  defaults: LoadDefaults,
  options: AskedOptions,
): Promise<LocalOpened> {
  const { id, files } = model;
  const { device, threads, batchSize, onProgress, signal, draft } = options;
  if (draft !== undefined)
    throw new SpellError("run-option", "draft: expected a T5 model that writes, got an embedding", { where: "draft" });
  const shared = { device, threads, onProgress, signal };
  const about = { id, files, now: platform.now };
  if (model.kind === "gguf") {
    const { facts } = model;
    if (facts.pooling === "rank") throw refused(id, "it scores pairs of texts (pooling rank) and makes no vectors");
    checkContextSize(options, facts.contextLength, id);
    const contextLength = contextLengthOf(model, options.contextSize, defaults);
    const untrained = facts.isEncoder || facts.pooling !== undefined ? [] : [`${id} writes text; it was not trained to make vectors`];
    return opened(
      await openHandleEmbedder({
        ...about,
        architecture: facts.architecture,
        runtime: runtimeFor("gguf", platform),
        options: { ...shared, batchSize, contextLength, needs: needsOf(model, contextLength), embed: facts.pooling ?? "last" },
        prefixes: { query: "", document: "" },
        notes: [...facts.notes, ...untrained],
      }),
    );
  }
  if (model.kind !== "bert") throw refused(id, `it is a ${model.facts.config.modelType} model, which writes text`);
  const { facts, variant } = model;
  const inputLength = contextLengthOf(model, options.contextSize);
  return opened(
    await openHandleEmbedder({
      ...about,
      architecture: facts.config.modelType,
      runtime: runtimeFor("bert", platform),
      options: { ...shared, variant, inputLength, needs: needsOf(model, inputLength), embed: true },
      prefixes: facts.sentence.prefixes,
      notes: [],
    }),
  );
}

function refused(id: string, why: string): SpellError {
  return new SpellError("model-architecture", `${id} makes no embeddings: ${why}`, {
    where: id,
    hint: "Use an embedding model, such as all-minilm-l6-v2:",
    actions: [
      { kind: "pull", model: "all-minilm-l6-v2" },
      { kind: "run", model: id },
    ],
  });
}

function opened(embedder: Awaited<ReturnType<typeof openHandleEmbedder>>): LocalOpened {
  const { id, architecture, sizeBytes } = embedder;
  return {
    id,
    architecture,
    sizeBytes,
    hasChatTemplate: false,
    isSeq2Seq: false,
    get contextLength() {
      return embedder.contextLength;
    },
    get device() {
      return embedder.device;
    },
    vectors: embedder,
    // biome-ignore lint/correctness/useYield: it refuses
    async *streamMany() {
      throw new SpellError("run-option", `${id} was opened to make vectors, not text`);
    },
    dispose: () => embedder.dispose(),
  };
}
