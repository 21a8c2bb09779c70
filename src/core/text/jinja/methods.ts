/** Methods of Python's str, list and dict that templates call, and attributes in the order in which Jinja looks for them. */
import { formatBraces } from "./format.ts";
import {
  type Arguments,
  bind,
  bool,
  characters,
  countOf,
  type Dict,
  dict,
  equals,
  func,
  int,
  isDict,
  isInt,
  isList,
  isMissing,
  isNone,
  isStr,
  isTrue,
  isTuple,
  iterate,
  kindOf,
  type List,
  list,
  missing,
  none,
  printedAs,
  repr,
  splitArguments,
  str,
  textOf,
  tuple,
  type Value,
} from "./values.ts";

type Method<Self> = (self: Self, given: Arguments) => Value;

/** Python's white space: that of JavaScript, four separators and NEL, without the byte order mark. */
const space = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const [spaceStart, spaceEnd, spaces] = [new RegExp(`^${space}+`), new RegExp(`${space}+$`), new RegExp(`${space}+`)];

/** What ends a line for Python. */
const breaks = "\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029";
const lineForm = new RegExp(`[^${breaks}]*(?:\\r\\n|[${breaks}])|[^${breaks}]+$`, "g");
const lineEnd = new RegExp(`(?:\\r\\n|[${breaks}])$`);

function isSet(v: Value | undefined): v is Value {
  return v !== undefined && !isNone(v);
}

/** @param given the characters that go; white space where none are named */
export function strip(text: string, given: Value | undefined, start: boolean, end: boolean): string {
  if (!isSet(given)) return text.replace(start ? spaceStart : /^(?!)/, "").replace(end ? spaceEnd : /(?!)$/, "");
  const set = new Set(characters(textOf(given)));
  const all = characters(text);
  let [from, to] = [0, all.length];
  while (start && from < to && set.has(all[from] ?? "")) from += 1;
  while (end && to > from && set.has(all[to - 1] ?? "")) to -= 1;
  return all.slice(from, to).join("");
}

function split(text: string, given: Arguments, fromEnd: boolean): Value {
  const [separator, most] = bind(given, "sep", "maxsplit");
  let limit = countOf(most, -1);
  if (limit < 0) limit = Number.POSITIVE_INFINITY;
  const parts: string[] = [];
  let rest = text;
  if (isSet(separator)) {
    const mark = textOf(separator);
    if (mark === "") throw new TypeError("empty separator");
    for (let at = find(rest, mark, fromEnd); at >= 0 && parts.length < limit; at = find(rest, mark, fromEnd)) {
      parts.push(fromEnd ? rest.slice(at + mark.length) : rest.slice(0, at));
      rest = fromEnd ? rest.slice(0, at) : rest.slice(at + mark.length);
    }
    parts.push(rest);
  } else {
    rest = strip(rest, undefined, !fromEnd, fromEnd);
    while (rest !== "" && parts.length < limit) {
      const words = rest.split(spaces);
      const word = (fromEnd ? words.at(-1) : words[0]) ?? "";
      parts.push(word);
      rest = fromEnd
        ? strip(rest.slice(0, rest.length - word.length), undefined, false, true)
        : strip(rest.slice(word.length), undefined, true, false);
    }
    if (rest !== "") parts.push(rest);
  }
  return list((fromEnd ? parts.reverse() : parts).map(str));
}

const find = (text: string, part: string, fromEnd: boolean): number => (fromEnd ? text.lastIndexOf(part) : text.indexOf(part));

/** Part of a text between two positions, counted in characters. @returns the part, and where it begins */
function within(text: string, from: Value | undefined, to: Value | undefined): readonly [string[], number] {
  const all = characters(text);
  const clamp = (v: Value | undefined, otherwise: number): number => {
    const at = isSet(v) ? countOf(v) : otherwise;
    return Math.min(all.length, Math.max(0, at < 0 ? at + all.length : at));
  };
  const start = clamp(from, 0);
  return [all.slice(start, clamp(to, all.length)), start];
}

/** Where a part begins. @param isNeeded one that is not there is an error, not -1 */
const position =
  (fromEnd: boolean, isNeeded: boolean): Method<string> =>
  (text, given) => {
    const [part, from, to] = bind(given, "sub", "start", "end");
    const [all, start] = within(text, from, to);
    const inside = all.join("");
    const at = find(inside, textOf(part), fromEnd);
    if (at < 0 && isNeeded) throw new TypeError("substring not found");
    return int(at < 0 ? -1 : start + characters(inside.slice(0, at)).length);
  };

function affix(text: string, given: Arguments, test: (text: string, affix: string) => boolean): Value {
  const [affixes, from, to] = bind(given, "affix", "start", "end");
  const inside = within(text, from, to)[0].join("");
  const all = affixes !== undefined && isList(affixes) && isTuple(affixes) ? affixes.value : [affixes];
  return bool(all.some((each) => test(inside, textOf(each))));
}

export function replaced(text: string, given: Arguments): string {
  const [old, fresh, most] = bind(given, "old", "new", "count");
  const [from, to] = [textOf(old), textOf(fresh)];
  let left = isSet(most) ? countOf(most) : -1;
  const parts = from === "" ? ["", ...characters(text), ""] : text.split(from);
  return parts.reduce((all, part) => {
    const glue = left === 0 ? from : to;
    if (left > 0) left -= 1;
    return all + glue + part;
  });
}

export function capitalize(text: string): string {
  const [first = "", ...rest] = characters(text);
  return first.toUpperCase() + rest.join("").toLowerCase();
}

const isCased = (character: string): boolean => character.toLowerCase() !== character.toUpperCase();

function title(text: string): string {
  return characters(text)
    .map((character, i, all) => (i > 0 && isCased(all[i - 1] ?? "") ? character.toLowerCase() : character.toUpperCase()))
    .join("");
}

function pad(text: string, given: Arguments, side: "start" | "end" | "both"): Value {
  const [width, fill] = bind(given, "width", "fillchar");
  const gap = countOf(width) - characters(text).length;
  const mark = textOf(fill, " ");
  if (characters(mark).length !== 1) throw new TypeError("the fill character must be exactly one character long");
  if (gap <= 0) return str(text);
  if (gap > 100_000) throw new RangeError(`a width of ${countOf(width)}`);
  // CPython puts the odd one to the left where text and width are both odd in length
  const left = side === "start" ? gap : side === "end" ? 0 : Math.floor(gap / 2) + (gap & countOf(width) & 1);
  return str(mark.repeat(left) + text + mark.repeat(gap - left));
}

const every =
  (pattern: RegExp): Method<string> =>
  (text) =>
    bool(text !== "" && characters(text).every((character) => pattern.test(character)));

const strMethods: Readonly<Record<string, Method<string>>> = {
  capitalize: (text) => str(capitalize(text)),
  casefold: (text) => str(text.toLowerCase().replaceAll("ß", "ss")),
  center: (text, given) => pad(text, given, "both"),
  count(text, given) {
    const [part, from, to] = bind(given, "sub", "start", "end");
    const [inside] = within(text, from, to);
    const wanted = textOf(part);
    return int(wanted === "" ? inside.length + 1 : inside.join("").split(wanted).length - 1);
  },
  endswith: (text, given) => affix(text, given, (all, end) => all.endsWith(end)),
  find: position(false, false),
  format: (text, given) => str(formatBraces(text, given)),
  index: position(false, true),
  isalnum: every(/[\p{L}\p{N}]/u),
  isalpha: every(/\p{L}/u),
  isascii: (text) => bool(characters(text).every((character) => (character.codePointAt(0) ?? 0) < 128)),
  isdecimal: every(/\p{Nd}/u),
  isdigit: every(/[\p{Nd}\u00b2\u00b3\u00b9\u2070-\u2079\u2080-\u2089]/u),
  islower: (text) => bool(text !== text.toUpperCase() && text === text.toLowerCase()),
  isnumeric: every(/\p{N}/u),
  isspace: every(new RegExp(space)),
  istitle: (text) => bool(text === title(text) && characters(text).some(isCased)),
  isupper: (text) => bool(text !== text.toLowerCase() && text === text.toUpperCase()),
  join: (text, given) =>
    str(
      iterate(bind(given, "iterable")[0] ?? missing)
        .map((each) => textOf(each))
        .join(text),
    ),
  ljust: (text, given) => pad(text, given, "end"),
  lower: (text) => str(text.toLowerCase()),
  lstrip: (text, given) => str(strip(text, bind(given, "chars")[0], true, false)),
  partition: (text, given) => partition(text, textOf(bind(given, "sep")[0]), false),
  removeprefix(text, given) {
    const prefix = textOf(bind(given, "prefix")[0]);
    return str(text.startsWith(prefix) ? text.slice(prefix.length) : text);
  },
  removesuffix(text, given) {
    const suffix = textOf(bind(given, "suffix")[0]);
    return str(suffix !== "" && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text);
  },
  replace: (text, given) => str(replaced(text, given)),
  rfind: position(true, false),
  rindex: position(true, true),
  rjust: (text, given) => pad(text, given, "start"),
  rpartition: (text, given) => partition(text, textOf(bind(given, "sep")[0]), true),
  rsplit: (text, given) => split(text, given, true),
  rstrip: (text, given) => str(strip(text, bind(given, "chars")[0], false, true)),
  split: (text, given) => split(text, given, false),
  splitlines(text, given) {
    const [keeps] = bind(given, "keepends");
    const isKept = keeps !== undefined && isTrue(keeps);
    return list((text.match(lineForm) ?? []).map((line) => str(isKept ? line : line.replace(lineEnd, ""))));
  },
  startswith: (text, given) => affix(text, given, (all, start) => all.startsWith(start)),
  strip: (text, given) => str(strip(text, bind(given, "chars")[0], true, true)),
  swapcase: (text) =>
    str(
      characters(text)
        .map((character) => (character === character.toLowerCase() ? character.toUpperCase() : character.toLowerCase()))
        .join(""),
    ),
  title: (text) => str(title(text)),
  upper: (text) => str(text.toUpperCase()),
  zfill(text, given) {
    const [, sign = "", digits = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
    const width = countOf(bind(given, "width")[0]);
    if (width > 100_000) throw new RangeError(`a width of ${width}`);
    return str(sign + digits.padStart(width - sign.length, "0"));
  },
};

function partition(text: string, mark: string, fromEnd: boolean): Value {
  if (mark === "") throw new TypeError("empty separator");
  const at = find(text, mark, fromEnd);
  const parts = at < 0 ? (fromEnd ? ["", "", text] : [text, "", ""]) : [text.slice(0, at), mark, text.slice(at + mark.length)];
  return tuple(parts.map(str));
}

const listMethods: Readonly<Record<string, Method<List>>> = {
  count: (self, given) => int(self.value.filter((each) => equals(each, bind(given, "value")[0] ?? missing)).length),
  index(self, given) {
    const wanted = bind(given, "value")[0] ?? missing;
    const at = self.value.findIndex((each) => equals(each, wanted));
    if (at < 0) throw new TypeError(`${repr(wanted)} is not in list`);
    return int(at);
  },
  copy: (self) => list(self.value),
};

const viewed = (name: string, values: readonly Value[]): Value => printedAs(list(values), `${name}(${repr(list(values))})`);
const dictMethods: Readonly<Record<string, Method<Dict>>> = {
  get(self, given) {
    const [key = missing, otherwise = none] = bind(given, "key", "default");
    return (isStr(key) ? self.value.get(key.value) : undefined) ?? otherwise;
  },
  items: (self) =>
    viewed(
      "dict_items",
      [...self.value].map(([key, each]) => tuple([str(key), each])),
    ),
  keys: (self) => viewed("dict_keys", [...self.value.keys()].map(str)),
  values: (self) => viewed("dict_values", [...self.value.values()]),
  copy: (self) => dict(self.value),
};

/** Methods that would change a value; the sandbox in which templates run elsewhere refuses them too. */
const changing: ReadonlySet<string> = new Set("append clear extend insert pop remove reverse sort popitem setdefault update".split(" "));

/** @returns the bound method; undefined where the value has none of this name */
function methodOf(self: Value, name: string): Value | undefined {
  const of = <Self>(methods: Readonly<Record<string, Method<Self>>>, value: Self): Value | undefined => {
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    return method && func((args) => named(`${kindOf(self)}.${name}()`, () => method(value, splitArguments(args))));
  };
  if ((isList(self) || isDict(self)) && changing.has(name))
    throw new TypeError(`${kindOf(self)}.${name}() would change the value, which templates may not`);
  if (isStr(self)) return of(strMethods, self.value);
  if (isList(self)) return name === "copy" && isTuple(self) ? undefined : of(listMethods, self);
  return isDict(self) ? of(dictMethods, self) : undefined;
}

/** Adds what was called to its error. */
export function named<Result>(name: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof TypeError ? new TypeError(`${name}: ${error.message}`) : error;
  }
}

/** `a.name`: an attribute, else an item. @throws TypeError of what is not defined */
export function attribute(self: Value, name: string): Value {
  if (isMissing(self)) throw new TypeError(`.${name} of what is undefined`);
  if (self.type === "NamespaceValue") return (self as Dict).value.get(name) ?? missing;
  return methodOf(self, name) ?? (isDict(self) ? self.value.get(name) : undefined) ?? missing;
}

/** `a[key]`: an item, else an attribute. @throws TypeError of what is not defined */
export function item(self: Value, key: Value): Value {
  if (isMissing(self)) throw new TypeError(`[${repr(key)}] of what is undefined`);
  if (isStr(key)) {
    if (self.type === "NamespaceValue") return missing;
    return (isDict(self) ? self.value.get(key.value) : undefined) ?? methodOf(self, key.value) ?? missing;
  }
  if (!isInt(key)) return missing;
  if (isList(self)) return self.value.at(key.value) ?? missing;
  const character = isStr(self) ? characters(self.value).at(key.value) : undefined;
  return character === undefined ? missing : str(character);
}

/** `a[from:to:step]`, by Python's rules for what lies outside. */
export function slice(self: Value, bounds: readonly Value[]): Value {
  if (isMissing(self)) throw new TypeError("a part of what is undefined");
  if (!isStr(self) && !isList(self)) return missing;
  const all: readonly (string | Value)[] = isStr(self) ? characters(self.value) : self.value;
  const [from, to, by] = bounds.map((each) => (isMissing(each) || isNone(each) ? undefined : countOf(each)));
  const step = by ?? 1;
  if (step === 0) throw new TypeError("slice step cannot be zero");
  const [low, high] = step > 0 ? [0, all.length] : [-1, all.length - 1];
  const place = (at: number | undefined, otherwise: number): number =>
    at === undefined ? otherwise : Math.min(high, Math.max(low, at < 0 ? at + all.length : at));
  const taken: (string | Value)[] = [];
  const [start, end] = [place(from, step > 0 ? low : high), place(to, step > 0 ? high : low)];
  for (let at = start; step > 0 ? at < end : at > end; at += step) taken.push(all[at] as string | Value);
  if (isStr(self)) return str(taken.join(""));
  return isTuple(self) ? tuple(taken as Value[]) : list(taken as Value[]);
}
