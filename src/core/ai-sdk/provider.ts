/** Our models as a provider of the AI SDK, in its shape v3, without HTTP. Nothing of the AI SDK is imported: it knows a model by its shape. */
import type { Spell, SpellLoadOptions } from "../api/spell.ts";
import { SpellError } from "../errors.ts";
import type { Usage } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import { readAiSdkCall } from "./read-call.ts";
import type {
  AiSdkCallOptions,
  AiSdkContent,
  AiSdkEmbeddingModel,
  AiSdkFinish,
  AiSdkLanguageModel,
  AiSdkStreamPart,
  AiSdkUsage,
  AiSdkWarning,
} from "./shape.ts";

export type LlmspellSettings = Omit<SpellLoadOptions, "signal">;

/** A ProviderV3; called by itself it is languageModel(). */
export interface LlmspellProvider {
  /** @param modelId a name in any form that spell.load() takes @param settings of the load */
  (modelId: string, settings?: LlmspellSettings): AiSdkLanguageModel;
  readonly specificationVersion: "v3";
  languageModel(modelId: string, settings?: LlmspellSettings): AiSdkLanguageModel;
  embeddingModel(modelId: string, settings?: LlmspellSettings): AiSdkEmbeddingModel;
  /** @throws SpellError run-option: there are none */
  imageModel(modelId: string): never;
}

const provider = "llmspell";

/**
 * Models are loaded with their first call, and stay as the keep-alive of their provider says. `providerOptions.llmspell` of a call takes what else
 * GenerateOptions knows: minP, regex, choices …
 *
 * ```ts
 * const llmspell = createLlmspell(createSpell());
 * const { text } = await generateText({ model: llmspell("tiny-stories"), prompt: "Once upon a time" });
 * ```
 */
export function createLlmspell(spell: Pick<Spell, "load" | "embed">): LlmspellProvider {
  const languageModel = (modelId: string, settings: LlmspellSettings = {}): AiSdkLanguageModel => {
    const run = (options: AiSdkCallOptions): AsyncGenerator<AiSdkStreamPart, void, undefined> => {
      const call = readAiSdkCall(options);
      return answer((signal) => spell.load(modelId, { ...settings, keep: true, signal }), modelId, call);
    };
    return {
      specificationVersion: "v3",
      provider,
      modelId,
      supportedUrls: {},
      doGenerate: async (options) => whole(run(options), modelId),
      doStream: async (options) => ({ stream: streamOf(run(options)) }),
    };
  };
  const embeddingModel = (modelId: string, settings: LlmspellSettings = {}): AiSdkEmbeddingModel => ({
    specificationVersion: "v3",
    provider,
    modelId,
    maxEmbeddingsPerCall: 256,
    supportsParallelCalls: false,
    async doEmbed({ values, abortSignal, providerOptions }) {
      const own = (providerOptions as { readonly llmspell?: object } | undefined)?.llmspell;
      const { draft: _, ...load } = settings;
      const given = { ...load, ...own, signal: abortSignal as AbortSignal | undefined };
      const { vectors, tokens, warnings } = await spell.embed(modelId, values as readonly string[], given);
      return {
        embeddings: vectors.map((vector) => Array.from(vector)),
        usage: { tokens },
        warnings: warnings.map(({ message }) => ({ type: "other", message })),
      };
    },
  });
  return Object.assign((modelId: string, settings?: LlmspellSettings) => languageModel(modelId, settings), {
    specificationVersion: "v3" as const,
    languageModel,
    embeddingModel,
    imageModel(modelId: string): never {
      throw new SpellError("run-option", `${modelId.slice(0, 60)}: expected a model of text; none here makes images`, {
        where: "imageModel",
      });
    },
  });
}

async function* answer(
  load: (signal: AbortSignal | undefined) => Promise<LanguageModel>,
  modelId: string,
  { prompt, options, warnings }: ReturnType<typeof readAiSdkCall>,
): AsyncGenerator<AiSdkStreamPart, void, undefined> {
  const model = await load(options.signal);
  const late: string[] = [];
  let hasStarted = false;
  let open: { readonly kind: "text" | "reasoning"; readonly id: string } | undefined;
  let blocks = 0;
  function* start(): Generator<AiSdkStreamPart, void, undefined> {
    if (hasStarted) return;
    hasStarted = true;
    yield { type: "stream-start", warnings };
    yield { type: "response-metadata", id: crypto.randomUUID(), modelId, timestamp: new Date() };
  }
  function* close(): Generator<AiSdkStreamPart, void, undefined> {
    if (open !== undefined) yield { type: `${open.kind}-end`, id: open.id };
    open = undefined;
  }
  function* show(kind: "text" | "reasoning", delta: string): Generator<AiSdkStreamPart, void, undefined> {
    if (open?.kind !== kind) {
      yield* close();
      open = { kind, id: `${kind}-${blocks++}` };
      yield { type: `${kind}-start`, id: open.id };
    }
    yield { type: `${kind}-delta`, id: open.id, delta };
  }
  try {
    for await (const part of model.stream(prompt, options)) {
      if (part.type === "stream-start") continue;
      if (part.type === "warning") {
        if (hasStarted) late.push(part.message);
        else warnings.push({ type: "other", message: part.message });
        continue;
      }
      yield* start();
      switch (part.type) {
        case "text-delta":
          yield* show("text", part.text);
          break;
        case "reasoning-delta":
          yield* show("reasoning", part.text);
          break;
        case "tool-call": {
          yield* close();
          const { id, name } = part;
          const input = JSON.stringify(part.input);
          yield { type: "tool-input-start", id, toolName: name };
          yield { type: "tool-input-delta", id, delta: input };
          yield { type: "tool-input-end", id };
          yield { type: "tool-call", toolCallId: id, toolName: name, input };
          break;
        }
        case "stream-end": {
          yield* close();
          const { finishReason, seed } = part;
          yield {
            type: "finish",
            finishReason: { unified: finishReason === "aborted" ? "other" : finishReason, raw: finishReason },
            usage: usageOf(part.usage),
            providerMetadata: { llmspell: { seed, ...(late.length > 0 && { warnings: late }) } },
          };
        }
      }
    }
  } finally {
    await model.dispose();
  }
}

function usageOf({ promptTokens, completionTokens, cachedTokens }: Usage): AiSdkUsage {
  return {
    inputTokens: { total: promptTokens, noCache: promptTokens - (cachedTokens ?? 0), cacheRead: cachedTokens, cacheWrite: undefined },
    outputTokens: { total: completionTokens, text: undefined, reasoning: undefined },
  };
}

/** A part is asked of the model only when the reader wants one. An abort ends the stream with its error, as the AI SDK expects; others are parts. */
function streamOf(parts: AsyncGenerator<AiSdkStreamPart, void, undefined>): ReadableStream<AiSdkStreamPart> {
  return new ReadableStream<AiSdkStreamPart>(
    {
      async pull(controller) {
        try {
          const { done, value } = await parts.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          if (error instanceof SpellError && error.code === "run-aborted") return controller.error(error);
          controller.enqueue({ type: "error", error });
          controller.close();
        }
      },
      cancel: () => parts.return().then(() => undefined),
    },
    { highWaterMark: 0 },
  );
}

async function whole(parts: AsyncIterable<AiSdkStreamPart>, modelId: string): ReturnType<AiSdkLanguageModel["doGenerate"]> {
  const content: AiSdkContent[] = [];
  let warnings: AiSdkWarning[] = [];
  let response = { id: "", modelId, timestamp: new Date() };
  let finish: AiSdkFinish | undefined;
  for await (const part of parts) {
    const last = content.at(-1);
    if (part.type === "stream-start") warnings = part.warnings;
    else if (part.type === "response-metadata") response = { id: part.id, modelId, timestamp: part.timestamp };
    else if (part.type === "text-start") content.push({ type: "text", text: "" });
    else if (part.type === "reasoning-start") content.push({ type: "reasoning", text: "" });
    else if ((part.type === "text-delta" || part.type === "reasoning-delta") && last !== undefined && "text" in last)
      last.text += part.delta;
    else if (part.type === "tool-call") content.push(part);
    else if (part.type === "finish") finish = part;
  }
  if (finish === undefined) throw new SpellError("run-crash", `${modelId} broke the answer off`, { where: modelId });
  const { finishReason, usage, providerMetadata } = finish;
  return { content, finishReason, usage, providerMetadata, response, warnings };
}
