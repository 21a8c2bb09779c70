/**
 * How likely the engine's model finds each of several choices as its whole answer. Its server has no word for that: each choice is written once more, held to
 * itself alone, and the server tells how likely each token was before it was held.
 */
import { createGrammarBuilder } from "../../core/grammar/builder.ts";
import { amongThemselves, areRated } from "../../core/grammar/choice-odds.ts";
import { toGbnf } from "../../core/grammar/gbnf.ts";
import { isNoText } from "./completion.ts";
import type { WllamaChunk, WllamaLike } from "./instance.ts";

/** Pulls the draw to the tokens that the model's tokenizer cuts a choice into; what is told of them stays the model's own number. */
const pull = 500;

/**
 * @param answer what the model said: it is written last, so that the next turn finds it behind the prompt
 * @returns undefined where there are too many, or one does not fit behind the prompt
 */
export async function rateChoices(
  instance: WllamaLike,
  prompt: string,
  choices: readonly string[],
  answer: string,
  abortSignal: AbortSignal,
): Promise<readonly number[] | undefined> {
  if (choices.length === 1) return [0];
  if (!areRated(choices)) return undefined;
  const sums = new Map<string, number>();
  for (const choice of [...choices.filter((text) => text !== answer), answer]) {
    if (!choices.includes(choice)) continue;
    const sum = await rate(instance, prompt, choice, abortSignal);
    if (sum === undefined) return undefined;
    sums.set(choice, sum);
  }
  return amongThemselves(choices.map((choice) => sums.get(choice) ?? Number.NaN));
}

/** @returns log-probability of a choice and its end; undefined where the context ends before it does, or the engine cannot tell */
async function rate(instance: WllamaLike, prompt: string, choice: string, abortSignal: AbortSignal): Promise<number | undefined> {
  const b = createGrammarBuilder("choices");
  let sum = 0;
  let told = 0;
  let written = 0;
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
    onData: ({ choices: [part] = [], timings }: WllamaChunk) => {
      for (const { logprob = Number.NaN } of part?.logprobs?.content ?? []) {
        sum += logprob;
        told += 1;
      }
      written = timings?.predicted_n ?? written;
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
  return isWhole && told === written && Number.isFinite(sum) ? sum : undefined;
}
