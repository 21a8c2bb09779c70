/**
 * How likely the engine's model finds each of several choices as its whole answer. Its server has no word for that: each choice is written once more, held to
 * itself alone, and the server tells how likely each token was before it was held.
 */
import { createGrammarBuilder } from "../../core/grammar/builder.ts";
import { amongThemselves, areRated } from "../../core/grammar/choice-odds.ts";
import { toGbnf } from "../../core/grammar/gbnf.ts";
import type { ModelPiece } from "../../core/spec/runtime.ts";
import { isNoText } from "./completion.ts";
import type { WllamaChunk, WllamaLike } from "./instance.ts";

/** Pulls the draw to the tokens that the model's tokenizer cuts a choice into; what is told of them stays the model's own number. */
const pull = 500;

export interface RatedChoices {
  /** of each choice among them alone */
  readonly logprobs: readonly number[];
  /** tokens of each choice, its end included */
  readonly tokens: readonly number[];
  /** of all that was computed */
  readonly counts: Omit<EndPiece, "type" | "finishReason" | "completionTokens" | "choiceLogprobs">;
}

type EndPiece = Extract<ModelPiece, { type: "end" }>;

/** @returns undefined where there are too many, one does not fit behind the prompt, or the engine cannot tell */
export async function rateChoices(
  instance: WllamaLike,
  prompt: string,
  choices: readonly string[],
  contextLength: number,
  abortSignal: AbortSignal,
): Promise<RatedChoices | undefined> {
  if (!areRated(choices)) return undefined;
  const all: Rated[] = [];
  for (const choice of choices) {
    const rated = await rate(instance, prompt, choice, abortSignal);
    if (rated === undefined || rated.promptTokens + rated.tokens > contextLength) return undefined;
    all.push(rated);
  }
  const [{ promptTokens, cachedTokens, prefillMs } = noCounts, ...others] = all;
  return {
    logprobs: amongThemselves(all.map(({ sum }) => sum)),
    tokens: all.map(({ tokens }) => tokens),
    counts: {
      promptTokens,
      cachedTokens,
      prefillMs,
      decodeMs: all.reduce((sum, { decodeMs }) => sum + decodeMs, 0) + others.reduce((sum, each) => sum + each.prefillMs, 0),
    },
  };
}

const noCounts = { promptTokens: 0, cachedTokens: 0, prefillMs: 0 };

interface Rated {
  /** log-probability of a choice and its end */
  readonly sum: number;
  readonly tokens: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
}

/** @returns undefined where the context ends before the choice does, or the engine cannot tell */
async function rate(instance: WllamaLike, prompt: string, choice: string, abortSignal: AbortSignal): Promise<Rated | undefined> {
  const b = createGrammarBuilder("choices");
  let sum = 0;
  let told = 0;
  let timings: NonNullable<WllamaChunk["timings"]> = {};
  let isWhole = false;
  const request = instance.createCompletion({
    prompt,
    stream: true,
    // a token has a byte at least; one more ends the answer
    max_tokens: new TextEncoder().encode(choice).length + 1,
    temperature: 0,
    top_k: 1,
    repeat_penalty: 1,
    presence_penalty: 0,
    frequency_penalty: 0,
    samplers: ["top_k", "temperature"],
    dry_multiplier: 0,
    xtc_probability: 0,
    n_probs: 1,
    // Some vocabularies put a space before a text: here it is before a line break, and both are pulled less than what the choice is made of.
    logit_bias: [
      [`\n${choice}`, pull],
      ["\n", -0.8 * pull],
    ],
    grammar: toGbnf(b.finish([b.text(choice)])),
    cache_prompt: true,
    abortSignal,
    timings_per_token: true,
    onData: ({ choices: [part] = [], timings: known = timings }: WllamaChunk) => {
      timings = known;
      for (const { logprob = Number.NaN } of part?.logprobs?.content ?? []) {
        sum += logprob;
        told += 1;
      }
      if (part?.finish_reason === "stop") isWhole = true;
    },
  });
  try {
    await request;
  } catch (error) {
    // It tells of each token as text, and a token can be a part of a character.
    if (!isNoText(error)) throw error;
    return undefined;
  }
  // Of tokens that are a part of a character it tells the last.
  const { prompt_n = 0, cache_n = 0, prompt_ms = 0, predicted_n = 0, predicted_ms = 0 } = timings;
  if (!isWhole || told !== predicted_n || !Number.isFinite(sum)) return undefined;
  return {
    sum,
    tokens: predicted_n,
    promptTokens: cache_n + prompt_n,
    cachedTokens: cache_n,
    prefillMs: prompt_ms,
    decodeMs: predicted_ms,
  };
}
