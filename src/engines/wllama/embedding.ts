/** Vectors from a wllama instance. The engine takes one text a call, and says how long one is only where it refuses it. */
import { unit } from "../../core/embed/collect.ts";
import { SpellError } from "../../core/errors.ts";
import type { EmbeddedText } from "../../core/spec/runtime.ts";
import type { WllamaLike } from "./instance.ts";

type Embedded = Pick<EmbeddedText, "vector" | "tokens">;

export async function embedText(instance: WllamaLike, input: string): Promise<Embedded> {
  const { data, usage } = await instance.createEmbedding({ input });
  const vector = Float32Array.from((data?.[0]?.embedding ?? []).flat());
  return { vector: unit(vector), tokens: usage?.prompt_tokens ?? 0 };
}

/** @returns tokens of a text the engine refused for its length; undefined for other errors */
export function readTooLong(error: unknown): number | undefined {
  const text = error instanceof Error ? error.message : String(error);
  const found = /\((\d+) tokens\) (?:is (?:too large|larger)|exceeds the available context)/.exec(text);
  return found === null ? undefined : Number(found[1]);
}

export function textTooLong(index: number, tokens: number, contextLength: number): SpellError {
  return new SpellError("run-context", `text ${index + 1} has ${tokens} tokens; this model reads ${contextLength}`, {
    where: `texts[${index}]`,
    hint: "Divide the text, or cut it with truncate.",
    details: { index, promptTokens: tokens, contextLength },
  });
}

/** The longest beginning that the engine takes, found by halving. @param death rejects when the engine dies */
export async function cutText(instance: WllamaLike, text: string, tokens: number, death: Promise<never>): Promise<Embedded> {
  let best: Embedded | undefined;
  let [low, high] = [1, text.length - 1];
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    try {
      best = await Promise.race([death, embedText(instance, text.slice(0, middle))]);
      low = middle + 1;
    } catch (error) {
      if (readTooLong(error) === undefined) throw error;
      high = middle - 1;
    }
  }
  if (best === undefined) throw new SpellError("run-context", `a text of ${tokens} tokens cannot be cut to fit`);
  return best;
}
