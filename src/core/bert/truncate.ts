/** A text as token ids that fit a model: its own, or cut before its last special token. */
import { SpellError } from "../errors.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

export interface CutText {
  readonly ids: readonly number[];
  /** tokens of the whole text, where it was cut */
  readonly wholeTokens?: number | undefined;
}

/** @param limit tokens, special ones included */
export function createCutter(
  tokenizer: Pick<Tokenizer, "encode">,
  limit: number,
): (text: string, index: number, truncate: boolean) => CutText {
  // What stands around every text: of an empty one nothing else is left.
  const around = tokenizer.encode("");
  const some = tokenizer.encode("a");
  let before = 0;
  while (before < around.length && around[before] === some[before]) before += 1;
  const end = around.slice(before);
  return (text, index, truncate) => {
    const ids = tokenizer.encode(text);
    if (ids.length <= limit) return { ids };
    if (!truncate) {
      throw new SpellError("run-context", `text ${index + 1} has ${ids.length} tokens; this model reads ${limit}`, {
        where: `texts[${index}]`,
        hint: "Divide the text, or cut it with truncate.",
        details: { index, promptTokens: ids.length, contextLength: limit },
      });
    }
    return { ids: [...ids.slice(0, limit - end.length), ...end], wholeTokens: ids.length };
  };
}
