/** Opens a model of this process to make vectors, or to score pairs of texts. */
import { type HandleEncoder, openHandleEncoder } from "../../embed/handle-encoder.ts";
import { SpellError } from "../../errors.ts";
import type { GgufFacts } from "../../gguf/gate.ts";
import type { Platform } from "../../platform.ts";
import type { Action } from "../../spec/action.ts";
import type { EncoderUse } from "../../spec/runtime.ts";
import { type AskedOptions, checkContextSize, type LocalOpened } from "./asked.ts";
import { contextLengthOf, type FoundModel, needsOf, runtimeFor, useOf } from "./read.ts";
import type { LoadDefaults } from "./settings.ts";

/** @throws SpellError model-architecture for models that are for something else; run-option, and of the runtime's open() */
export async function openEncoder(
  model: FoundModel,
  use: EncoderUse,
  platform: Platform,
  defaults: LoadDefaults,
  options: AskedOptions,
): Promise<LocalOpened> {
  const { id, files } = model;
  const { device, threads, batchSize, onProgress, signal, draft, pooling } = options;
  if (draft !== undefined) throw new SpellError("run-option", "draft: expected a T5 model that writes, got an encoder", { where: "draft" });
  refuseOther(model, use);
  const shared = { device, threads, onProgress, signal };
  const about = { id, files, now: platform.now };
  if (model.kind === "gguf") {
    const { facts } = model;
    checkContextSize(options, facts.contextLength, id);
    const contextLength = contextLengthOf(model, options.contextSize, defaults);
    const untrained = facts.isEncoder || facts.pooling !== undefined ? [] : [`${id} writes text; it was not trained to make vectors`];
    const embed = facts.pooling === "rank" ? undefined : (facts.pooling ?? "last");
    if (pooling !== undefined && pooling !== embed) throw otherPooling(id, pooling, facts);
    return opened(
      await openHandleEncoder({
        ...about,
        architecture: facts.architecture,
        runtime: runtimeFor("gguf", platform),
        options: { ...shared, batchSize, contextLength, needs: needsOf(model, contextLength), embed },
        prefixes: { query: "", document: "" },
        notes: [...facts.notes, ...untrained],
      }),
      use,
    );
  }
  if (model.kind !== "encoder") throw new SpellError("internal-error", `${id} is no encoder`);
  const { facts, variant } = model;
  if (pooling === "last")
    throw new SpellError(
      "run-option",
      `pooling: expected mean or cls, got last; ${id} reads both ways, so its last token stands for no text`,
      {
        where: "pooling",
        hint: "Leave pooling out: the model's own files say how its vectors are made.",
      },
    );
  const inputLength = contextLengthOf(model, options.contextSize);
  return opened(
    await openHandleEncoder({
      ...about,
      architecture: facts.config.modelType,
      runtime: runtimeFor("encoder", platform),
      options: { ...shared, variant, inputLength, needs: needsOf(model, inputLength), use, pooling },
      prefixes: facts.task.use === "embed" ? facts.task.prefixes : { query: "", document: "" },
      notes: [],
    }),
    use,
  );
}

function otherPooling(id: string, got: string, { pooling: own, isEncoder }: GgufFacts): SpellError {
  const none = isEncoder ? `the file of ${id} names none` : `${id} writes text, so only its last token has read all of it`;
  const why = own === undefined ? none : `the file of ${id} says so`;
  return new SpellError("run-option", `pooling: expected ${own ?? "last"}, got ${got}; ${why}`, {
    where: "pooling",
    hint: "Leave pooling out: a GGUF file is pooled as it was trained.",
  });
}

/** @throws SpellError model-architecture */
function refuseOther(model: FoundModel, use: EncoderUse): void {
  const own = useOf(model);
  const isGguf = model.kind === "gguf";
  if (use === "embed" ? own === "embed" || (isGguf && own === undefined) : own === "rerank" && !isGguf) return;
  const { id } = model;
  const { makes, hint, example } = words[use];
  const why = isGguf && own === "rerank" ? "it scores pairs of texts, as GGUF, which is not run here" : reasons[own ?? "write"];
  const instead: readonly Action[] =
    own === undefined ? [{ kind: "run", model: id }] : own === use ? [] : isGguf ? [] : [{ kind: own, model: id }];
  throw new SpellError("model-architecture", `${id} ${makes}: ${why}`, {
    where: id,
    hint,
    actions: [{ kind: "pull", model: example }, ...instead],
  });
}

const words = {
  embed: { makes: "makes no embeddings", hint: "Use an embedding model, such as all-minilm-l6-v2:", example: "all-minilm-l6-v2" },
  rerank: { makes: "does not re-rank", hint: "Use a re-ranking model, such as bge-reranker-base:", example: "bge-reranker-base" },
} as const;

const reasons = {
  embed: "it makes embeddings of single texts",
  rerank: "it scores pairs of texts",
  write: "it writes text",
} as const;

function opened(encoder: HandleEncoder, use: EncoderUse): LocalOpened {
  const { id, architecture, sizeBytes } = encoder;
  return {
    id,
    architecture,
    sizeBytes,
    hasChatTemplate: false,
    isSeq2Seq: false,
    get contextLength() {
      return encoder.contextLength;
    },
    get device() {
      return encoder.device;
    },
    ...(use === "embed" ? { vectors: encoder } : { scores: encoder }),
    // biome-ignore lint/correctness/useYield: it refuses
    async *streamMany() {
      throw new SpellError("run-option", `${id} was opened to ${use}, not to write`);
    },
    dispose: () => encoder.dispose(),
  };
}
