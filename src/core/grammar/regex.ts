/**
 * A regular expression as part of a grammar: literals, classes, groups, |, counts. No look-around, no back references, no word boundaries.
 * It is read as JavaScript reads it with the flag `u`.
 */
import { limits } from "../limits.ts";
import type { CharRange, GrammarItems } from "../spec/grammar.ts";
import type { GrammarBuilder } from "./builder.ts";
import { allLetters, alsoCased, halves, invert, lineEnds, minus, spaces, usual, withCases, words } from "./letters.ts";

/** How one letter of the text is written: as it is, or inside a JSON string. */
export type LetterWriter = (set: readonly CharRange[]) => GrammarItems;

export interface RegexUse {
  readonly builder: GrammarBuilder;
  /** of the pattern, in messages */
  readonly path?: string | undefined;
  /** Every letter that matches, where a text is judged. Else the usual ones: no control characters, and of all white space the space alone. */
  readonly isExact?: boolean | undefined;
  /** The text matches as a whole; else the pattern may stand anywhere in it. */
  readonly isWhole?: boolean | undefined;
  readonly ignoresCase?: boolean | undefined;
  /** default: as it is */
  readonly write?: LetterWriter | undefined;
}

export interface RegexItems {
  readonly items: GrammarItems;
  /** code points of the shortest text, and of the longest */
  readonly least: number;
  readonly most: number;
}

type Part = RegexItems;
const nothing: Part = { items: [], least: 0, most: 0 };

/** @throws SpellError run-option for what a grammar cannot hold */
export function regexItems(source: string, use: RegexUse): RegexItems {
  const { builder, isExact = false, isWhole = false, ignoresCase = false, path } = use;
  const fail = (what: string): never => builder.fail(`${what} in the regular expression ${JSON.stringify(source.slice(0, 80))}`, path);
  if (source.length > limits.regexCharacters) fail(`expected at most ${limits.regexCharacters} characters, got ${source.length}`);
  checkSyntax(source, fail);
  const universe = isExact ? allLetters : usual;
  const any = minus(universe, lineEnds);
  const write: LetterWriter = use.write ?? ((set) => [{ chars: set }]);
  let at = 0;

  const letter = (wanted: readonly CharRange[]): Part => {
    const given = minus(wanted, halves);
    if (given.length === 0 && wanted.length > 0) fail("half of a surrogate pair, which no text has, cannot be held");
    const folded = ignoresCase ? withCases(given) : given;
    // \s, [^x] and the like: a space stands for all white space.
    const isSpaced = !isExact && spaces.every(([from, to]) => minus([[from, to]], folded).length === 0);
    const set = isSpaced ? minus(folded, minus(spaces, [[0x20, 0x20]])) : folded;
    return { items: write(isExact ? set : minus(set, invert(usual, allLetters))), least: 1, most: 1 };
  };
  const inverted = (set: readonly CharRange[]): readonly CharRange[] =>
    invert(ignoresCase ? [...withCases(set), ...alsoCased] : set, universe);
  const next = (): string => {
    const char = String.fromCodePoint(source.codePointAt(at) ?? 0);
    at += char.length;
    return char;
  };
  const hex = (digits: number): number => {
    const text = source.slice(at, at + digits);
    at += digits;
    return /^[0-9a-f]+$/i.test(text) && text.length === digits ? Number.parseInt(text, 16) : fail("a bad escape");
  };
  /** Two halves behind one another are one letter. */
  const unit = (): number => {
    const code = hex(4);
    const low = /^\\u(d[c-f][0-9a-f]{2})/i.exec(source.slice(at, at + 6))?.[1];
    if (code < 0xd800 || code > 0xdbff || low === undefined) return code;
    at += 6;
    return 0x10000 + (code - 0xd800) * 0x400 + (Number.parseInt(low, 16) - 0xdc00);
  };
  const escaped = (): readonly CharRange[] => {
    const char = next();
    const named = { d: [[48, 57]], w: words, s: spaces }[char.toLowerCase()] as readonly CharRange[] | undefined;
    if (named !== undefined) return char === char.toLowerCase() ? named : inverted(named);
    const control = { t: 9, n: 10, v: 11, f: 12, r: 13 }[char];
    if (control !== undefined) return [[control, control]];
    if (char === "x") return single(hex(2));
    if (char === "u") {
      if (source[at] !== "{") return single(unit());
      const end = source.indexOf("}", at);
      const code = Number.parseInt(source.slice(at + 1, end), 16);
      at = end + 1;
      return code <= 0x10ffff ? single(code) : fail("a bad escape");
    }
    return /[a-zA-Z0-9]/.test(char) ? fail(`\\${char} cannot be held`) : single(char.codePointAt(0) ?? 0);
  };
  const member = (): readonly CharRange[] => {
    const char = next();
    // inside a class, \b is the backspace
    if (char === "\\" && source[at] === "b") {
      at += 1;
      return single(8);
    }
    return char === "\\" ? escaped() : single(char.codePointAt(0) ?? 0);
  };
  const set = (): readonly CharRange[] => {
    const isNot = source[at] === "^";
    if (isNot) at += 1;
    const out: CharRange[] = [];
    while (source[at] !== "]") {
      if (at >= source.length) fail("an open [");
      const from = member();
      const [first] = from;
      if (source[at] !== "-" || source[at + 1] === "]" || first === undefined || from.length > 1 || first[0] !== first[1]) {
        out.push(...from);
        continue;
      }
      at += 1;
      const [last] = member();
      if (last === undefined || last[0] < first[0]) return fail("a class backwards");
      out.push([first[0], last[1]]);
    }
    at += 1;
    return isNot ? inverted(out) : out;
  };

  const counted = (part: Part): Part => {
    const found = /^(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/.exec(source.slice(at));
    if (found === null) return part;
    at += found[0].length;
    const [, sign, low, comma, high] = found;
    const min = sign === undefined ? Number(low) : sign === "+" ? 1 : 0;
    const max = sign === "?" ? 1 : sign !== undefined || (comma !== undefined && high === "") ? undefined : Number(high ?? low);
    if ((max ?? min) > limits.schemaCount) fail(`expected counts of at most ${limits.schemaCount}, got ${max ?? min}`);
    if (max !== undefined && max < min) fail("a count backwards");
    const most = max === undefined ? Number.POSITIVE_INFINITY : part.most * max;
    if (part.items.length > 0 && part.least === 0 && (min > 1 || (max ?? 2) > 1)) fail("a repetition of what may be empty cannot be held");
    return { items: builder.repeat("re", part.items, min, max), least: part.least * min, most: part.most === 0 ? 0 : most };
  };

  /** Alternatives up to the end or a closing bracket. At the top, what has no anchor may stand anywhere. */
  const alternatives = (depth: number): Part => {
    if (depth > limits.regexDepth) fail(`expected at most ${limits.regexDepth} groups within each other, got more`);
    const free = (): Part => ({ items: builder.repeat("any", letter(any).items, 0), least: 0, most: Number.POSITIVE_INFINITY });
    const list: Part[] = [];
    for (;;) {
      const parts: Part[] = [];
      const isTop = depth === 0;
      const isAnchored = source[at] === "^";
      if (isAnchored) {
        if (!isTop) fail("^ inside a group cannot be held");
        at += 1;
      } else if (isTop && !isWhole) parts.push(free());
      let isClosed = false;
      while (at < source.length && source[at] !== "|" && source[at] !== ")") {
        if (isClosed) fail("$ before the end cannot be held");
        const char = next();
        if (char === "$") {
          if (!isTop) fail("$ inside a group cannot be held");
          isClosed = true;
        } else parts.push(counted(atom(char, depth)));
      }
      if (isTop && !isWhole && !isClosed) parts.push(free());
      list.push(parts.reduce(joined, nothing));
      if (source[at] !== "|") break;
      at += 1;
    }
    return {
      items: builder.either(
        "re",
        list.map(({ items }) => items),
      ),
      least: Math.min(...list.map(({ least }) => least)),
      most: Math.max(...list.map(({ most }) => most)),
    };
  };
  const atom = (char: string, depth: number): Part => {
    if (char === "(") {
      const kind = /^\?(?::|<[A-Za-z_$][\w$]*>)/.exec(source.slice(at))?.[0] ?? "";
      if (source[at] === "?" && kind === "") fail("look-around cannot be held");
      at += kind.length;
      const inner = alternatives(depth + 1);
      at += 1;
      return inner;
    }
    if (char === "[") return letter(set());
    if (char === ".") return letter(any);
    if (char === "\\") return letter(escaped());
    return "*+?{}^".includes(char) ? fail(`${char} there cannot be held`) : letter(single(char.codePointAt(0) ?? 0));
  };

  return alternatives(0);
}

function joined(a: Part, b: Part): Part {
  return { items: [...a.items, ...b.items], least: a.least + b.least, most: a.most + b.most };
}

function single(code: number): readonly CharRange[] {
  return [[code, code]];
}

/** Patterns of older schemas escape what needs none, which the flag `u` refuses. */
function checkSyntax(source: string, fail: (what: string) => never): void {
  for (const flags of ["u", ""]) {
    try {
      new RegExp(source, flags);
      return;
    } catch {
      // the next one, or none
    }
  }
  fail("expected correct syntax, got a mistake");
}
