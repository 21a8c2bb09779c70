/** LocalLLM: spell.models and spell.generate as scripts see them, with snake_case names in options and results. */
import type { AvailableFilter, BackendStatus } from "../backends/models.ts";
import { backendTypes } from "../backends/types.ts";
import { SpellError } from "../errors.ts";
import type { Platform } from "../platform.ts";
import type { EmbedOptions, EmbedResult } from "../spec/embedding-model.ts";
import type { GenerateOptions, GenerateResult, Prompt, ToolCall } from "../spec/generate.ts";
import type { RerankOptions, RerankResult } from "../spec/rerank-model.ts";
import { inWords } from "../text/option-words.ts";
import { type Snake, snakeCase, toCamel, toSnake } from "../values.ts";
import type { Models } from "./models.ts";
import { plainVector } from "./plain-vector.ts";

type Result<K extends keyof Models> = Promise<Snake<Awaited<ReturnType<Models[K]>>>>;
type Options = Readonly<Record<string, unknown>>;

export interface LocalLlm {
  /** Health by backend; of one backend alone where it is named. @throws SpellError backend-unknown */
  status(): Promise<Readonly<Record<string, Snake<BackendStatus>>>>;
  status(backend: string): Promise<Snake<BackendStatus>>;
  list(backend?: string): Result<"list">;
  available(filter?: AvailableFilter): Result<"available">;
  /** @param options force, quantization, as, on_progress … */
  pull(spec: string, options?: Options): Result<"pull">;
  info(spec: string): Result<"info">;
  remove(spec: string): Result<"remove">;
  verify(spec?: string): Result<"verify">;
  unload(spec?: string): Promise<number>;
  /**
   * Runs an installed model, and keeps it loaded. Pulls nothing by itself.
   * @param options parameters in snake_case; system, device, raw, on_token(text), which is waited for and stops where it gives `false`
   */
  generate(spec: string, prompt: Prompt, options?: Options): Promise<LocalResult>;
  /**
   * Vectors of texts, and keeps the model loaded.
   * @param options query, dimensions, truncate, device …
   */
  embed(spec: string, texts: readonly string[], options?: Options): Promise<readonly (readonly number[])[]>;
  /**
   * How well each text fits a question, and keeps the model loaded.
   * @param options truncate, device …
   */
  rerank(spec: string, query: string, texts: readonly string[], options?: Options): Promise<readonly number[]>;
}

/** The answer, as scripts see it. */
export interface LocalResult {
  readonly text: string;
  readonly reasoning?: string | undefined;
  /** absent where the model asks for none */
  readonly tool_calls?: readonly Pick<ToolCall, "id" | "name" | "input">[] | undefined;
  readonly model: string;
  readonly backend: string;
  readonly architecture: string;
  readonly device: unknown;
  readonly finish_reason: string;
  /** absent, as the next ones, where on_token stopped it */
  readonly prompt_tokens?: number | undefined;
  readonly completion_tokens?: number | undefined;
  /** of prompt_tokens, not computed again; absent where the runtime does not tell */
  readonly cached_tokens?: number | undefined;
  readonly seed?: number | undefined;
  readonly timings?:
    | Readonly<Record<"load_ms" | "prompt_ms" | "first_token_ms" | "generation_ms" | "tokens_per_second", number>>
    | undefined;
  readonly candidates?: readonly string[] | undefined;
  /** with json_schema: the value of the text; absent where the answer is cut */
  readonly json?: unknown;
  /** with choices, where the runtime tells */
  readonly choice_logprobs?: readonly number[] | undefined;
}

/** What it is a view of. */
interface Library {
  readonly platform: Pick<Platform, "log">;
  readonly models: Models;
  generate(
    spec: string,
    prompt: Prompt,
    options: AnswerOptions,
  ): Promise<GenerateResult & Readonly<Record<"backend" | "architecture", string>>>;
  embed(spec: string, texts: readonly string[], options: EmbedOptions): Promise<EmbedResult>;
  rerank(spec: string, query: string, texts: readonly string[], options: RerankOptions): Promise<RerankResult>;
}

const localTypes: ReadonlySet<string> = new Set(backendTypes.filter(({ isRemote }) => !isRemote).map(({ type }) => type));

type AnswerOptions = GenerateOptions & { readonly onText?: ((text: string) => unknown) | undefined };

export function createLocalLlm(spell: Library): LocalLlm {
  const { models, platform } = spell;
  const refuseServices = async (spec: string): Promise<void> => {
    if (await models.isLocal(spec)) return;
    throw new SpellError("run-option", `LocalLLM runs models of this machine and its Ollama server; ${spec} is of a service elsewhere`, {
      where: spec,
      hint: "An agent takes models of services.",
    });
  };
  return {
    async status(backend?: string) {
      const all = await models.status(backend);
      if (backend !== undefined && backend !== "all") return toSnake(Object.values(all)[0]) as never;
      return toSnake(Object.fromEntries(Object.entries(all).filter(([name]) => localTypes.has(name)))) as never;
    },
    list: async (backend) => toSnake(await models.list(backend)),
    available: async (filter) => toSnake(await models.available(filter)),
    async pull(spec, options = {}) {
      const { onProgress, ...rest } = toCamel(options) as { readonly onProgress?: ((progress: unknown) => void) | undefined };
      return toSnake(await models.pull(spec, { ...rest, onProgress: (progress) => onProgress?.(toSnake(progress)) }));
    },
    async info(spec) {
      await refuseServices(spec);
      return toSnake(await models.info(spec));
    },
    remove: async (spec) => toSnake(await models.remove(spec)),
    verify: async (spec) => toSnake(await models.verify(spec)),
    unload: (spec) => models.unload(spec),
    async embed(spec, texts, options = {}) {
      const { vectors, warnings } = await spell.embed(spec, texts, toCamel(options) as EmbedOptions);
      for (const { message } of warnings) platform.log({ level: "warn", message });
      return vectors.map(plainVector);
    },
    async rerank(spec, query, texts, options = {}) {
      const { scores, warnings } = await spell.rerank(spec, query, texts, toCamel(options) as RerankOptions);
      for (const { message } of warnings) platform.log({ level: "warn", message });
      return scores;
    },
    async generate(spec, prompt, options = {}) {
      await refuseServices(spec);
      const { onToken, ...rest } = toCamel(options) as AnswerOptions & { readonly onToken?: (text: string) => unknown };
      const { text, reasoning, toolCalls, finishReason, usage, timing, seed, candidates, json, choiceLogprobs, warnings, ...model } =
        await spell.generate(spec, prompt, {
          ...rest,
          onText: onToken,
        });
      for (const each of warnings) platform.log({ level: "warn", message: inWords(each, snakeCase) });
      const about = {
        text,
        reasoning,
        tool_calls: toolCalls.length === 0 ? undefined : toolCalls.map(({ id, name, input }) => ({ id, name, input })),
        model: model.model,
        backend: model.backend,
        architecture: model.architecture,
        device: toSnake(model.device ?? null),
        finish_reason: finishReason,
      };
      // counts, times and a seed that was not given are those of a whole answer
      if (finishReason === "aborted") return rest.seed === undefined ? about : { ...about, seed };
      return {
        ...about,
        prompt_tokens: usage.promptTokens,
        completion_tokens: usage.completionTokens,
        cached_tokens: usage.cachedTokens,
        seed,
        timings: {
          load_ms: timing.loadMs,
          prompt_ms: timing.prefillMs,
          first_token_ms: timing.firstTokenMs,
          generation_ms: timing.decodeMs,
          tokens_per_second: timing.decodeRate,
        },
        candidates,
        json,
        choice_logprobs: choiceLogprobs,
      };
    },
  };
}
