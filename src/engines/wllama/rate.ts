/**
 * How likely the engine's model finds each of several choices as its whole answer. Its server has no word for that: each choice is written once more, held to
 * itself alone, and the server tells how likely each token was before it was held. First words that one before had are not written again: they join the prompt.
 */
import { createGrammarBuilder } from "../../core/grammar/builder.ts";
import { amongThemselves, areRated } from "../../core/grammar/choice-odds.ts";
import { toGbnf } from "../../core/grammar/gbnf.ts";
import { limits } from "../../core/limits.ts";
import type { ModelPiece } from "../../core/spec/runtime.ts";
import { isNoText } from "./completion.ts";
import type { ToldToken, WllamaChunk, WllamaLike } from "./instance.ts";

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
  if (!areRated(choices) || choices.length > limits.ratedInTurn) return undefined;
  const all: Rated[] = [];
  const shared: Shared = { known: new Map(), promptTokens: 0, isOver: false };
  for (const choice of choices) {
    const rated = await rate(instance, prompt, choice, shared, abortSignal);
    if (rated === undefined || shared.promptTokens + rated.tokens > contextLength) return undefined;
    all.push(rated);
  }
  // the prompt is computed by the first of all requests
  const [first = noCounts, ...others] = all;
  return {
    logprobs: amongThemselves(all.map(({ sum }) => sum)),
    tokens: all.map(({ tokens }) => tokens),
    counts: {
      promptTokens: first.promptTokens,
      cachedTokens: first.cachedTokens,
      prefillMs: first.prefillMs,
      decodeMs: first.decodeMs + others.reduce((sum, { prefillMs, decodeMs }) => sum + prefillMs + decodeMs, 0),
    },
  };
}

const noCounts = { promptTokens: 0, cachedTokens: 0, prefillMs: 0, decodeMs: 0 };

interface Counts {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
}

interface Rated extends Counts {
  /** log-probability of a choice and its end */
  readonly sum: number;
  readonly tokens: number;
}

/** What choices begin with, each up to the end of a word: tokenizers part words, so its tokens are the same in every choice. */
interface Shared {
  /** log-probability and tokens */
  readonly known: Map<string, { readonly sum: number; readonly tokens: number }>;
  /** of the prompt alone */
  promptTokens: number;
  isOver: boolean;
}

/** @returns undefined where the context ends before the choice does, or the engine cannot tell */
async function rate(
  instance: WllamaLike,
  prompt: string,
  choice: string,
  shared: Shared,
  abortSignal: AbortSignal,
): Promise<Rated | undefined> {
  const { known } = shared;
  const isWord = (begun: string): boolean => choice.startsWith(begun) && /^\s/u.test(choice.slice(begun.length));
  const begun = [...known.keys()].filter(isWord).reduce((longest, each) => (each.length > longest.length ? each : longest), "");
  const before = known.get(begun) ?? { sum: 0, tokens: 0 };
  const rest = choice.slice(begun.length);
  const b = createGrammarBuilder("choices");
  const told = await ask(
    instance,
    prompt + begun,
    {
      // a token has a byte at least; one more ends the answer
      max_tokens: new TextEncoder().encode(rest).length + 1,
      n_probs: 1,
      // Some vocabularies put a space before a text: here it is before a line break, and both are pulled less than what the choice is made of.
      logit_bias: [
        [`\n${rest}`, pull],
        ["\n", -0.8 * pull],
      ],
      grammar: toGbnf(b.finish([b.text(rest)])),
    },
    abortSignal,
  );
  if (told === undefined) return undefined;
  const { promptTokens, cachedTokens } = told.counts;
  if (begun !== "" && (promptTokens !== shared.promptTokens + before.tokens || cachedTokens < shared.promptTokens)) {
    // with the words behind it the prompt has other tokens: all choices are written as a whole
    known.clear();
    shared.isOver = true;
    return rate(instance, prompt, choice, shared, abortSignal);
  }
  if (begun === "") shared.promptTokens = promptTokens;
  if (!told.isWhole) return undefined;
  let [text, sum, tokens] = [begun, before.sum, before.tokens];
  for (const { token = "", logprob = Number.NaN } of told.tokens) {
    text += token;
    sum += logprob;
    tokens += 1;
    if (!shared.isOver && isWord(text)) known.set(text, { sum, tokens });
  }
  return Number.isFinite(sum) ? { sum, tokens, ...told.counts } : undefined;
}

interface Told {
  readonly tokens: readonly ToldToken[];
  /** ended by itself */
  readonly isWhole: boolean;
  readonly counts: Counts;
}

/** One request, without penalties and by the likeliest token. @returns undefined where the engine does not tell of every token */
async function ask(
  instance: WllamaLike,
  prompt: string,
  more: Readonly<Record<string, unknown>>,
  abortSignal: AbortSignal,
): Promise<Told | undefined> {
  const tokens: ToldToken[] = [];
  let timings: NonNullable<WllamaChunk["timings"]> = {};
  let isWhole = false;
  try {
    await instance.createCompletion({
      prompt,
      stream: true,
      temperature: 0,
      top_k: 1,
      repeat_penalty: 1,
      presence_penalty: 0,
      frequency_penalty: 0,
      samplers: ["top_k", "temperature"],
      dry_multiplier: 0,
      xtc_probability: 0,
      ...more,
      cache_prompt: true,
      abortSignal,
      timings_per_token: true,
      onData: ({ choices: [part] = [], timings: known = timings }: WllamaChunk) => {
        timings = known;
        tokens.push(...(part?.logprobs?.content ?? []));
        if (part?.finish_reason === "stop") isWhole = true;
      },
    });
  } catch (error) {
    // It tells of each token as text, and a token can be a part of a character.
    if (!isNoText(error)) throw error;
    return undefined;
  }
  // Of tokens that are a part of a character it tells the last.
  const { prompt_n = 0, cache_n = 0, prompt_ms = 0, predicted_n = 0, predicted_ms = 0 } = timings;
  if (tokens.length !== predicted_n) return undefined;
  return {
    tokens,
    isWhole,
    counts: { promptTokens: cache_n + prompt_n, cachedTokens: cache_n, prefillMs: prompt_ms, decodeMs: predicted_ms },
  };
}
