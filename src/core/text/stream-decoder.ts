/** Ids one by one to text that is final: no half characters, no spacing that a later token would change. */

export interface StreamDecoder {
  /** @returns text that is final now; "" while a character or a word's spacing is undecided */
  push(id: number): string;
  /** @returns what is left at the end */
  flush(): string;
}

/** Tokens decoded again with each new one; older ones cannot change any more. */
const windowTokens = 64;
/** Of these, kept as context when the window moves on. */
const contextTokens = 16;

/**
 * @param decode ids to text, pure
 * @param tidiesSpaces whether decode() takes off spaces before punctuation: then the last few characters wait for what follows
 */
export function createStreamDecoder(decode: (ids: readonly number[]) => string, tidiesSpaces: boolean): StreamDecoder {
  let ids: number[] = [];
  /** characters of decode(ids) that were given out already */
  let given = 0;

  const next = (isLast: boolean): string => {
    const text = decode(ids);
    let end = text.length;
    if (!isLast) {
      // a character that is not complete yet
      while (end > given && text.charCodeAt(end - 1) === 0xfffd) end -= 1;
      if (tidiesSpaces) {
        const space = text.lastIndexOf(" ", end);
        if (space >= end - 5 && space >= given) end = space;
      }
      // never between the halves of a surrogate pair
      if (end > given && isHighSurrogate(text.charCodeAt(end - 1))) end -= 1;
    }
    const fresh = text.slice(given, end);
    given = Math.max(given, end);
    return fresh;
  };

  return {
    push(id) {
      ids.push(id);
      const text = next(false);
      if (ids.length > windowTokens && given === decode(ids).length) {
        ids = ids.slice(-contextTokens);
        given = decode(ids).length;
      }
      return text;
    },
    flush: () => (ids.length === 0 ? "" : next(true)),
  };
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}
