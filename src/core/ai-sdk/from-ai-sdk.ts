/** Any model of the AI SDK (providers of the shapes v2, v3 and v4) as a LanguageModel. Nothing of the AI SDK is imported: the model brings it. */
import { modelSession } from "../api/session.ts";
import { servedForm, takenOut } from "../backends/server/held-form.ts";
import { inputOrText } from "../backends/server/tool-calls.ts";
import type { ServedForm, WirePart } from "../backends/server/wire.ts";
import { abortedError, closedError, SpellError, throwIfAborted, toSpellError } from "../errors.ts";
import { constraintOf } from "../grammar/constraint.ts";
import { heldAnswers } from "../grammar/held-answers.ts";
import { isObject } from "../json.ts";
import type { ChatPrompt, FinishReason, GenerateOptions, Prompt, ResultOf, Usage } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { ManyPart, StreamPart } from "../spec/stream-part.ts";
import { warning } from "../text/answer.ts";
import { checkPrompts, refuseContinue } from "../text/check-call.ts";
import { collect, modelStream } from "../text/collect.ts";
import { checkGenerateOptions, withDefaults } from "../text/parameters.ts";
import { wholeLetters } from "../text/whole-letters.ts";
import { writeAiSdkCall } from "./write-call.ts";

/** What is used of a LanguageModelV2, V3 or V4: any model of `@ai-sdk/google`, `@ai-sdk/amazon-bedrock`, `@ai-sdk/mistral` … */
export interface AiSdkModel {
  readonly specificationVersion: string;
  readonly provider: string;
  readonly modelId: string;
  doStream(options: never): PromiseLike<{ readonly stream: ReadableStream<unknown> }>;
}

const versions: ReadonlySet<string> = new Set(["v2", "v3", "v4"]);

/**
 * Text, reasoning and calls of tools, streamed; an abort ends the request. Keys, retries and addresses are those of the provider that made the model.
 * Its id is `PROVIDER/MODEL`; what a service does not tell is 0 (seed, times of the prompt) or undefined (contextLength).
 * @throws SpellError run-option for anything but such a model; calls throw as LanguageModel.stream, and provider-unauthorized, provider-rate-limit,
 *   provider-error
 */
export function fromAiSdk(model: AiSdkModel): LanguageModel {
  if (typeof model?.doStream !== "function" || !versions.has(model.specificationVersion)) {
    const got = isObject(model) ? String((model as Partial<AiSdkModel>).specificationVersion) : typeof model;
    throw new SpellError("run-option", `model: expected a model of the AI SDK, of version v2, v3 or v4; got ${got.slice(0, 60)}`, {
      where: "model",
      hint: 'Make one with its provider, as in google("gemini-2.5-flash").',
    });
  }
  const id = `${model.provider}/${model.modelId}`;
  const closing = new AbortController();

  async function* answer(
    prompt: ChatPrompt,
    options: GenerateOptions,
    form: ServedForm | undefined,
  ): AsyncGenerator<StreamPart, void, undefined> {
    const called = performance.now();
    const { call, ignored } = writeAiSdkCall(prompt, options, id, form);
    const stop = new AbortController();
    const signal = AbortSignal.any([closing.signal, stop.signal, ...(options.signal === undefined ? [] : [options.signal])]);
    let firstAt: number | undefined;
    let text = "";
    yield { type: "stream-start", model: id };
    if (ignored.length > 0) yield warning("option-ignored", `${id} does not know ${ignored.join(", ")}; not sent`, ignored);
    try {
      throwIfAborted(signal);
      const started = Promise.resolve(model.doStream({ ...call, abortSignal: signal } as never));
      // one that comes after the abort is of no use
      void started
        .then(
          ({ stream: late }) => (signal.aborted ? late.cancel() : undefined),
          () => undefined,
        )
        .catch(() => undefined);
      const { stream } = await unlessAborted(started, signal);
      let hasCalled = false;
      const told = readParts(stream, id, signal);
      for await (const read of form?.isInside === true ? takenOut(told) : told) {
        if (read.type === "ended") {
          const now = performance.now();
          const { finishReason, usage } = read;
          const decodeMs = now - (firstAt ?? now);
          const decodeRate = decodeMs > 0 && usage.completionTokens > 1 ? ((usage.completionTokens - 1) * 1000) / decodeMs : 0;
          const timing = { loadMs: 0, firstTokenMs: (firstAt ?? now) - called, prefillMs: 0, decodeMs, prefillRate: 0, decodeRate };
          yield { type: "stream-end", finishReason: hasCalled ? "tool-calls" : finishReason, seed: options.seed ?? 0, usage, timing };
          return;
        }
        if (read.type !== "warning") firstAt ??= performance.now();
        if (read.type === "text-delta") text += read.text;
        hasCalled ||= read.type === "tool-call";
        yield read;
      }
      throw new SpellError("provider-error", `${id} broke the answer off`, { where: id });
    } catch (error) {
      if (closing.signal.aborted) throw closedError(toSpellError(error));
      const failure = options.signal?.aborted === true ? new SpellError("run-aborted", "aborted by the caller") : failureOf(error, id);
      throw text === "" ? failure : failure.with({ details: { partialText: text } });
    } finally {
      stop.abort();
    }
  }

  async function* streamMany(prompts: readonly Prompt[], options: GenerateOptions = {}): AsyncGenerator<ManyPart, void, undefined> {
    checkGenerateOptions(options);
    refuseContinue(options, "a model of the AI SDK");
    if (closing.signal.aborted) throw closedError();
    const all = withDefaults(options, {});
    const texts = checkPrompts(prompts);
    const { jsonSchema, choices, regex, grammar } = options;
    const held = (jsonSchema ?? choices ?? regex ?? grammar) === undefined ? undefined : constraintOf(options);
    const form = servedForm(held);
    if (held !== undefined && form === undefined)
      throw new SpellError("run-option", `${held.kind}: expected none, ${id} holds no answer to it`, { where: held.kind });
    async function* free(): AsyncGenerator<ManyPart, void, undefined> {
      for (const [index, prompt] of texts.entries()) for await (const part of answer(prompt, all, form)) yield { index, part };
    }
    const whole = wholeLetters(free());
    yield* held === undefined ? whole : heldAnswers(whole, held, all);
  }
  async function* parts(prompt: Prompt, options: GenerateOptions): AsyncGenerator<StreamPart, void, undefined> {
    for await (const { part } of streamMany([prompt], options)) yield part;
  }
  const stream: LanguageModel["stream"] = (prompt, options = {}) => modelStream(parts(prompt, options));
  const generate = async <O extends GenerateOptions>(prompt: Prompt, options?: O): Promise<ResultOf<O>> =>
    (await collect(parts(prompt, options ?? {}))) as ResultOf<O>;
  const dispose = async (): Promise<void> => closing.abort();
  return {
    id,
    provider: model.provider,
    backend: "ai-sdk",
    architecture: "unknown",
    contextLength: undefined,
    hasChatTemplate: true,
    isSeq2Seq: false,
    stream,
    generate,
    streamMany,
    session: (options = {}) => modelSession({ stream, generate }, options),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Not every provider looks at its signal. @throws SpellError run-aborted */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  const over = new Promise<never>((_, reject) => {
    onAbort = () => reject(abortedError());
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
  }
}

async function* readParts(stream: ReadableStream<unknown>, id: string, signal: AbortSignal): AsyncGenerator<WirePart, void, undefined> {
  const leftOut = new Set<unknown>();
  for await (const part of partsOf(stream, signal)) {
    const kind = isObject(part) ? part["type"] : undefined;
    if (isObject(part) && kind === "stream-start" && Array.isArray(part["warnings"]))
      yield* part["warnings"].flatMap((each) => noteOf(each, id));
    const read = readPart(part, id);
    if (read !== undefined) yield read;
    else if ((kind === "file" || kind === "source") && !leftOut.has(kind)) {
      leftOut.add(kind);
      yield warning("provider-note", `${id} gave a ${kind} beside the text, which is left out`);
    }
  }
}

/** What a provider says of a call: `unsupported-setting` and `unsupported-tool` in v2, `unsupported` and `compatibility` in v3 and v4, `other` in all. */
function noteOf(said: unknown, id: string): readonly WirePart[] {
  if (!isObject(said)) return [];
  const { type, message, details, tool } = said;
  const name = said["feature"] ?? said["setting"] ?? (isObject(tool) ? tool["name"] : undefined);
  const words = [details, message].find((text) => typeof text === "string" && text !== "");
  const more = words === undefined ? "" : `: ${String(words).slice(0, 500)}`;
  if (typeof name !== "string") return more === "" ? [] : [warning("provider-note", `${id}${more}`)];
  const shown = name.slice(0, 64);
  if (!String(type).startsWith("unsupported")) return [warning("provider-note", `${id} takes ${shown} in its own way${more}`, [shown])];
  return [warning("option-ignored", `${id} does not know ${shown}; it passes that over${more}`, [shown])];
}

/** Not every browser can loop over a stream. */
async function* partsOf(stream: ReadableStream<unknown>, signal: AbortSignal): AsyncGenerator<unknown, void, undefined> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await unlessAborted(reader.read(), signal);
      if (done) return;
      yield value;
    }
  } finally {
    const cancelled = reader.cancel().catch(() => undefined);
    if (!signal.aborted) await cancelled;
  }
}

/** @returns undefined for kinds that say nothing here. @throws what a part of the kind `error` holds */
function readPart(part: unknown, id: string): WirePart | undefined {
  if (!isObject(part)) return undefined;
  const { delta, toolCallId, toolName, input } = part;
  switch (part["type"]) {
    case "text-delta":
    case "reasoning-delta":
      return typeof delta === "string" && delta !== "" ? { type: part["type"], text: delta } : undefined;
    case "tool-call":
      return {
        type: "tool-call",
        id: String(toolCallId),
        name: String(toolName),
        input: typeof input === "string" ? inputOrText(input) : (input ?? {}),
      };
    case "error":
      throw part["error"];
    case "finish":
      return { type: "ended", finishReason: reasonOf(part["finishReason"], id), usage: usageOf(part["usage"]) };
    default:
      return undefined;
  }
}

const reasons: Readonly<Partial<Record<string, FinishReason>>> = { stop: "stop", length: "length", "tool-calls": "tool-calls" };

/** v3 and v4 have an object. */
function reasonOf(value: unknown, id: string): FinishReason {
  const word = String(isObject(value) ? value["unified"] : value);
  const known = reasons[word];
  if (known !== undefined) return known;
  throw new SpellError("provider-error", `${id} ended the answer: ${word.slice(0, 60)}`, { where: id });
}

/** Numbers in v2, objects with a `total` in v3 and v4. */
function usageOf(usage: unknown): Usage {
  const { inputTokens, outputTokens, cachedInputTokens } = isObject(usage) ? usage : {};
  const total = (value: unknown, key = "total"): number | undefined => {
    const number = isObject(value) ? value[key] : value;
    return typeof number === "number" && Number.isFinite(number) ? number : undefined;
  };
  const [promptTokens, completionTokens] = [total(inputTokens) ?? 0, total(outputTokens) ?? 0];
  const cachedTokens = isObject(inputTokens) ? total(inputTokens, "cacheRead") : total(cachedInputTokens);
  return {
    promptTokens,
    completionTokens,
    totalTokens: promptTokens + completionTokens,
    ...(cachedTokens !== undefined && { cachedTokens }),
  };
}

/** Errors of the AI SDK by the status that they carry. */
function failureOf(error: unknown, id: string): SpellError {
  if (error instanceof SpellError) return error;
  const status = isObject(error) || error instanceof Error ? Number((error as { readonly statusCode?: unknown }).statusCode) : Number.NaN;
  const code = status === 401 || status === 403 ? "provider-unauthorized" : status === 429 ? "provider-rate-limit" : "provider-error";
  return toSpellError(error, code, id).with({ where: id, ...(Number.isNaN(status) ? {} : { details: { status } }) });
}
