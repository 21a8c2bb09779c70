/** Tokens of node-llama-cpp to text: whole characters only, and the marks that are shown. */
import type { LlamaModel, Token } from "node-llama-cpp";

/** A character is at most four byte tokens; what is still broken after twice that will not heal. */
const maxHeldTokens = 8;

/** Control tokens whose text is shown. */
export function markTokens(model: LlamaModel, marks: readonly string[] = []): ReadonlyMap<Token, string> {
  const found = new Map<Token, string>();
  for (const mark of marks) {
    const [token, ...others] = model.tokenize(mark, true);
    // a token that is shown anyway needs no help
    if (token !== undefined && others.length === 0 && model.detokenize([token]) === "") found.set(token, mark);
  }
  return found;
}

/** Tokens to text, holding back what is not yet a whole character. One call of the engine for most tokens. */
export function createDetokenizer(
  model: LlamaModel,
  before: readonly Token[],
  marks: ReadonlyMap<Token, string>,
): { readonly push: (token: Token) => string; readonly flush: () => string } {
  // Tokens whose text is out, and that text: those before a token decide whether it begins with a space.
  let shown: Token[] = [...before];
  let shownText = model.detokenize(shown);
  let held: Token[] = [];
  const take = (text: string): void => {
    const all = [...shown, ...held];
    held = [];
    const isLong = all.length > 16;
    shown = isLong ? all.slice(-4) : all;
    shownText = isLong || !text.startsWith(shownText) ? model.detokenize(shown) : text;
  };
  /** @param isLast nothing comes that could make it whole */
  const show = (isLast: boolean): string => {
    const text = model.detokenize([...shown, ...held]);
    const piece = text.startsWith(shownText) ? text.slice(shownText.length) : model.detokenize(held);
    if (!isLast && piece.endsWith("\ufffd") && held.length < maxHeldTokens) return "";
    take(text);
    return piece;
  };
  return {
    push(token) {
      const mark = marks.get(token);
      if (mark === undefined) {
        held.push(token);
        return show(false);
      }
      const rest = held.length === 0 ? "" : show(true);
      shown = [token];
      shownText = model.detokenize(shown);
      return rest + mark;
    },
    flush: () => (held.length === 0 ? "" : show(true)),
  };
}
