/** What a form leaves no choice about: the text that has to come next, wherever an answer stands. */
import type { Grammar } from "../spec/grammar.ts";
import { createMatcher, type MatchState } from "./matcher.ts";

/** Letters that are looked ahead, at most: a form may hold one text of many thousands. */
const mostLetters = 256;

export interface FormFollower {
  /** Text of the answer came. */
  push(text: string): void;
  /** @returns what has to follow, up to 256 letters; "" where there is a choice, where the answer may end, or where it left the form */
  forced(): string;
}

export function followForm(grammar: Grammar): FormFollower {
  const matcher = createMatcher(grammar);
  let state: MatchState | undefined = matcher.start;
  /** A form that can be read in too many ways at once is followed no further. */
  const orNothing = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch {
      state = undefined;
      return undefined;
    }
  };
  return {
    push(text) {
      const from = state;
      if (from !== undefined) state = orNothing(() => matcher.walk(from, text));
    },
    forced() {
      const letters: string[] = [];
      let at = state;
      while (at !== undefined && !at.mayEnd && letters.length < mostLetters) {
        const from = at;
        const [code, after, ...others] = matcher.edges(from);
        // one letter: a range that ends where it began
        if (code === undefined || after !== code + 1 || others.length > 0) break;
        letters.push(String.fromCodePoint(code));
        at = orNothing(() => matcher.step(from, code));
      }
      return letters.join("");
    },
  };
}
