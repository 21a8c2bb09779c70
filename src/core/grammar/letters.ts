/** Sets of code points as ranges. */
import type { CharRange } from "../spec/grammar.ts";

type Letters = readonly CharRange[];

/** Every code point but half surrogates. */
export const allLetters: Letters = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff],
];
/** Halves of surrogate pairs: no text has one alone. */
export const halves: Letters = [[0xd800, 0xdfff]];
/** What an answer is made of: no control characters but tabs and line breaks, no half surrogates. */
export const usual: Letters = [
  [9, 10],
  [13, 13],
  [0x20, 0x7e],
  [0xa0, 0xd7ff],
  [0xe000, 0xfffd],
  [0x10000, 0x10ffff],
];
/** \s of JavaScript */
export const spaces: Letters = [
  [9, 13],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
/** \w of JavaScript */
export const words: Letters = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
/** What `.` does not match. */
export const lineEnds: Letters = [
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
];

/** What is in a set and not in another. */
export function minus(set: Letters, taken: Letters): Letters {
  let left: Letters = set;
  for (const [from, to] of taken) {
    left = left.flatMap(([a, z]): Letters => {
      if (z < from || a > to) return [[a, z]];
      const ends: Letters = [
        [a, from - 1],
        [to + 1, z],
      ];
      return ends.filter(([first, last]) => first <= last);
    });
  }
  return left;
}

export function invert(set: Letters, universe: Letters): Letters {
  return minus(universe, set);
}

export function has(set: Letters, code: number): boolean {
  return set.some(([from, to]) => from <= code && code <= to);
}

/** Both cases of the letters a–z. */
export function withCases(set: Letters): Letters {
  const shifted = (first: number, last: number, by: number): Letters =>
    set.flatMap(([from, to]): Letters => {
      const [a, z] = [Math.max(from, first), Math.min(to, last)];
      return a <= z ? [[a + by, z + by]] : [];
    });
  return [...set, ...shifted(65, 90, 32), ...shifted(97, 122, -32)];
}

/** Letters beyond a–z that JavaScript takes for one of them where case does not count. */
export const alsoCased: Letters = [
  [0x17f, 0x17f],
  [0x212a, 0x212a],
];
