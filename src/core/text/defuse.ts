/**
 * Text of users and of earlier answers must never be read as control tokens: where it holds the text of one, the text is broken.
 * Runtimes parse special tokens in a rendered prompt, so this happens before a template is rendered, the same on every runtime.
 */

/** Zero-width space: invisible to people, and no control token contains it. */
const breaker = "\u200b";

/** More alternatives than this do not belong into one pattern; real files have at most a few hundred control tokens. */
const tokensPerPattern = 2048;

/** @returns the text with every control token broken, and whether any was found */
export type Defuser = (text: string) => { readonly text: string; readonly found: boolean };

/** @param controlTokens texts of the model's control tokens, as its file lists them */
export function createDefuser(controlTokens: readonly string[]): Defuser {
  const tokens = controlTokens.filter((token) => token !== "").sort((a, b) => b.length - a.length);
  const patterns: RegExp[] = [];
  for (let i = 0; i < tokens.length; i += tokensPerPattern) {
    patterns.push(
      new RegExp(
        tokens
          .slice(i, i + tokensPerPattern)
          .map(escapePattern)
          .join("|"),
        "g",
      ),
    );
  }
  return (text) => {
    const wellFormed = text.replace(/\p{Surrogate}/gu, "\ufffd");
    let result = wellFormed;
    let found = false;
    for (const pattern of patterns) {
      result = result.replace(pattern, (token) => {
        found = true;
        const [head = ""] = token;
        return token === head ? breaker : head + breaker + token.slice(head.length);
      });
    }
    return { text: result, found };
  };
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
