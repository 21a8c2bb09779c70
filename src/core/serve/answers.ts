/** The answers of a request: one after the other, on one model that is lent for as long as they come. */
import type { FinishReason, GenerateOptions, Prompt, Usage } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { ManyPart, StreamPart } from "../spec/stream-part.ts";
import { definedOnly } from "../values.ts";
import type { Call } from "./call.ts";
import { failsAs } from "./served.ts";

export interface Asked {
  readonly prompt: Prompt;
  readonly options: GenerateOptions;
  /** the field that asks for a thought: an answer without one says so */
  readonly asksForThought?: string | undefined;
}

/** Parts of answers that have begun. They come once. */
export interface Begun extends AsyncIterable<ManyPart> {
  /** Tokens that the model keeps; undefined where a server does not tell. */
  readonly contextLength: number | undefined;
  /** Ends the work, also where nobody has read a part. */
  stop(): Promise<void>;
}

/**
 * Waits until the first answer has text, or its end: what fails before is told by the status of the response.
 * @throws SpellError of Served.text and of LanguageModel.stream
 */
export async function begin(call: Call, name: string, asked: readonly Asked[]): Promise<Begun> {
  let contextLength: number | undefined;
  const parts = run(call, name, asked, (model) => {
    contextLength = model.contextLength;
  });
  const kept: ManyPart[] = [];
  for (;;) {
    const next = await parts.next();
    if (next.done === true) break;
    kept.push(next.value);
    if (next.value.part.type !== "stream-start" && next.value.part.type !== "warning") break;
  }
  const stop = async (): Promise<void> => void (await parts.return());
  // no generator: one that was never asked would not pass its end on
  const iterator: AsyncIterator<ManyPart, void> = {
    async next() {
      const value = kept.shift();
      return value === undefined ? parts.next() : { done: false, value };
    },
    async return() {
      await stop();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator, contextLength, stop };
}

async function* run(
  { served, signal, record }: Call,
  name: string,
  asked: readonly Asked[],
  onModel: (model: LanguageModel) => void,
): AsyncGenerator<ManyPart, void, undefined> {
  const model = await served.text(name, signal);
  record.model = model.id;
  onModel(model);
  try {
    for (const [index, { prompt, options, asksForThought: field }] of asked.entries()) {
      let thinks = false;
      for await (const part of model.stream(prompt, { ...definedOnly(options), signal })) {
        if (part.type !== "stream-start" && part.type !== "warning") record.first();
        if (part.type === "reasoning-delta") thinks = true;
        if (part.type === "stream-end") record.usage = sum(record.usage, part.usage);
        if (part.type === "stream-end" && field !== undefined && !thinks) yield { index, part: noThought(field) };
        yield { index, part };
      }
    }
  } catch (error) {
    failsAs(model.id, name)(error);
  } finally {
    await model.dispose();
  }
}

function noThought(field: string): Extract<StreamPart, { readonly type: "warning" }> {
  const message = `${field}: the answer has no thought; the model does not think, or did not here`;
  return { type: "warning", code: "option-ignored", message };
}

/** As many answers as are asked for; the seeds of those after the first count up. */
export function copies({ options, ...asked }: Asked, count: number): readonly Asked[] {
  const { seed } = options;
  return Array.from({ length: count }, (_, i) => ({
    ...asked,
    options: seed === undefined ? options : { ...options, seed: (seed + i) % 2 ** 32 },
  }));
}

function sum(a: Usage | undefined, b: Usage): Usage {
  if (a === undefined) return b;
  const cachedTokens =
    a.cachedTokens === undefined && b.cachedTokens === undefined ? undefined : (a.cachedTokens ?? 0) + (b.cachedTokens ?? 0);
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    totalTokens: a.totalTokens + b.totalTokens,
    cachedTokens,
  };
}

export function openaiUsage({ promptTokens, completionTokens, totalTokens, cachedTokens }: Usage = noUsage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: totalTokens,
    ...(cachedTokens !== undefined && { prompt_tokens_details: { cached_tokens: cachedTokens } }),
  };
}

export const noUsage: Usage = { promptTokens: 0, completionTokens: 0, totalTokens: 0 };

export const finishReasons: Readonly<Record<FinishReason, string>> = {
  stop: "stop",
  length: "length",
  aborted: "stop",
  "tool-calls": "tool_calls",
};

/** Random, and as clients expect it: `chatcmpl-…`. */
export function randomId(prefix: string): string {
  return `${prefix}${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
}

/** seconds since the epoch */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
