/** Tokens of an answer that its form leaves no choice about: they are computed together with the next step, and neither drawn nor tested. */
import type { Llama, LlamaGrammarEvaluationState, LlamaModel, Token } from "node-llama-cpp";
import { followForm } from "../../core/grammar/forced.ts";
import type { Constraint } from "../../core/spec/grammar.ts";

/** Tokens of a step: an abort is seen between two of them. */
const mostForced = 32;

export interface Forced {
  /** Text of the answer came, forced or drawn. */
  push(text: string): void;
  /** @returns the tokens that come next, which the grammar has taken; mostly none */
  next(most: number): readonly Token[];
}

/** What is used of the binding's sampler; not in the package's types. */
interface GrammarCalls {
  canBeNextTokenForGrammarEvaluationState?(state: object, token: Token): boolean;
  acceptGrammarEvaluationStateToken?(state: object, token: Token): void;
}

/** @returns undefined for GBNF of the caller's own, which is not read here, and where the binding cannot be told of tokens */
export function createForced(
  { llama, model }: { readonly llama: Llama; readonly model: LlamaModel },
  held: Constraint,
  form: LlamaGrammarEvaluationState,
): Forced | undefined {
  const { AddonSampler: calls } = (llama as unknown as { readonly _bindings: { readonly AddonSampler: GrammarCalls } })._bindings;
  const { _state: state } = form as unknown as { readonly _state?: object };
  if (held.kind === "grammar" || state === undefined) return undefined;
  if (calls.canBeNextTokenForGrammarEvaluationState === undefined || calls.acceptGrammarEvaluationStateToken === undefined)
    return undefined;
  const follower = followForm(held.grammar);
  return {
    push: follower.push,
    next(most) {
      const text = follower.forced();
      // Of a letter beyond ASCII the first bytes may have come, which are no text yet.
      if (!/^[ -~]./su.test(text)) return [];
      // The last token is left to the model: it may end behind the forced text.
      const tokens = model.tokenize(text, false, "trimLeadingSpace").slice(0, -1);
      const taken: Token[] = [];
      for (const token of tokens.slice(0, Math.min(most, mostForced))) {
        if (calls.canBeNextTokenForGrammarEvaluationState?.(state, token) !== true) break;
        calls.acceptGrammarEvaluationStateToken?.(state, token);
        taken.push(token);
      }
      return taken;
    },
  };
}
