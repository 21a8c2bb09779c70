/** A text, or a pair of them, as token ids that fit a model: its own, or cut before its last special token. */
import { SpellError } from "../errors.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

export interface CutText {
  readonly ids: readonly number[];
  /** of a pair: the type of each token */
  readonly types?: readonly number[] | undefined;
  /** tokens there are, where it was cut */
  readonly wholeTokens?: number | undefined;
}

/** @param limit tokens, special ones included */
export function createCutter(
  tokenizer: Pick<Tokenizer, "encode">,
  limit: number,
): (text: string, index: number, truncate: boolean) => CutText {
  const end = endOf(tokenizer);
  return (text, index, truncate) => {
    const ids = tokenizer.encode(text);
    if (ids.length <= limit) return { ids };
    if (!truncate) throw tooLong(`text ${index + 1} has`, index, ids.length, limit);
    return { ids: cutBefore(end, ids, limit), wholeTokens: ids.length };
  };
}

/** Of a question and a text, the text is cut. @param limit as of createCutter */
export function createPairCutter(
  tokenizer: Pick<Tokenizer, "encode" | "encodePair">,
  limit: number,
): (query: string, text: string, index: number, truncate: boolean) => CutText {
  const end = endOf(tokenizer);
  const around = tokenizer.encode("").length;
  return (query, text, index, truncate) => {
    const pair = tokenizer.encodePair?.(query, text);
    if (pair === undefined) throw new SpellError("internal-error", "this tokenizer reads no pairs");
    const { ids, types } = pair;
    if (ids.length <= limit) return pair;
    const without = ids.length - (tokenizer.encode(text).length - around);
    if (without >= limit) {
      throw new SpellError("run-context", `the query has ${without} tokens, and leaves no room for a text; this model reads ${limit}`, {
        where: "query",
        hint: "Ask in fewer words.",
        details: { promptTokens: without, contextLength: limit },
      });
    }
    if (!truncate) throw tooLong(`text ${index + 1} and the query have`, index, ids.length, limit);
    return {
      ids: cutBefore(end, ids, limit),
      types: cutBefore(types.slice(types.length - end.length), types, limit),
      wholeTokens: ids.length,
    };
  };
}

/** What stands behind every text: of an empty one nothing else is left. */
function endOf(tokenizer: Pick<Tokenizer, "encode">): readonly number[] {
  const around = tokenizer.encode("");
  const some = tokenizer.encode("a");
  let before = 0;
  while (before < around.length && around[before] === some[before]) before += 1;
  return around.slice(before);
}

function cutBefore(end: readonly number[], ids: readonly number[], limit: number): readonly number[] {
  return [...ids.slice(0, limit - end.length), ...end];
}

function tooLong(what: string, index: number, promptTokens: number, contextLength: number): SpellError {
  return new SpellError("run-context", `${what} ${promptTokens} tokens; this model reads ${contextLength}`, {
    where: `texts[${index}]`,
    hint: "Divide the text, or cut it with truncate.",
    details: { index, promptTokens, contextLength },
  });
}
