/** Jinja's filters, `x | NAME(…)`, and the `tojson` of transformers. Sources: jinja2 3.1, filters.py; transformers 4.57, chat_template_utils.py. */
import { fixed, formatPercent } from "./format.ts";
import { toJson } from "./json.ts";
import { attribute, capitalize, item, named, replaced, strip } from "./methods.ts";
import { operate } from "./operators.ts";
import { test } from "./tests.ts";
import {
  type Arguments,
  bind,
  bool,
  characters,
  compare,
  countOf,
  equals,
  float,
  int,
  isDict,
  isFloat,
  isInt,
  isList,
  isMissing,
  isNone,
  isStr,
  isTrue,
  iterate,
  kindOf,
  list,
  missing,
  none,
  numberOf,
  str,
  text,
  textOf,
  tuple,
  type Value,
} from "./values.ts";

type Filter = (value: Value, given: Arguments) => Value;

/** As Jinja's do_title: every word after a space or a bracket. */
const wordStarts = /([-\s({[<]+)/;

const filters: Readonly<Record<string, Filter>> = {
  abs(v) {
    const number = numberOf(v);
    if (number === undefined) throw new TypeError(`bad operand type for abs(): '${kindOf(v)}'`);
    return isFloat(v) ? float(Math.abs(number)) : int(Math.abs(number));
  },
  attr: (v, given) => (isDict(v) ? missing : attribute(v, textOf(bind(given, "name")[0]))),
  batch(v, given) {
    const [count, fill] = bind(given, "linecount", "fill_with");
    const size = countOf(count);
    const rows: Value[][] = [];
    for (const each of iterate(v)) {
      if (rows.at(-1)?.length === size || rows.length === 0) rows.push([]);
      rows.at(-1)?.push(each);
    }
    const last = rows.at(-1);
    if (last !== undefined && fill !== undefined && !isNone(fill)) while (last.length < size) last.push(fill);
    return list(rows.map(list));
  },
  capitalize: (v) => str(capitalize(text(v))),
  center: (v, given) => call(attribute(str(text(v)), "center"), [bind(given, "width")[0] ?? int(80)]),
  default(v, given) {
    const [otherwise = str(""), boolean] = bind(given, "default_value", "boolean");
    return isMissing(v) || (boolean !== undefined && isTrue(boolean) && !isTrue(v)) ? otherwise : v;
  },
  dictsort(v, given) {
    const [caseSensitive, by, reverse] = bind(given, "case_sensitive", "by", "reverse");
    if (!isDict(v)) throw new TypeError(`a ${kindOf(v)} is no dict`);
    const key = textOf(by, "key");
    if (key !== "key" && key !== "value") throw new TypeError("You can only sort by either 'key' or 'value'");
    const pairs = [...v.value].map(([name, each]) => tuple([str(name), each]));
    return list(sorted(pairs, (pair) => folded(item(pair, int(key === "key" ? 0 : 1)), caseSensitive), reverse));
  },
  escape: (v) =>
    str(text(v).replace(/[&<>"']/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" })[sign] ?? sign)),
  first: (v) => iterate(v)[0] ?? missing,
  float(v, given) {
    const [otherwise = float(0)] = bind(given, "default");
    if (isMissing(v)) throw new TypeError("the value is undefined");
    const number = isStr(v) ? numberIn(v.value, /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i) : numberOf(v);
    return number === undefined ? otherwise : float(number);
  },
  format(v, { args, named: byName }) {
    if (args.length > 0 && byName.size > 0) throw new TypeError("can't handle positional and keyword arguments at the same time");
    return str(formatPercent(text(v), byName.size > 0 ? dictOf(byName) : tuple(args)));
  },
  groupby(v, given) {
    const [by, otherwise, caseSensitive] = bind(given, "attribute", "default", "case_sensitive");
    const keyOf = (each: Value): Value => folded(pathOf(by)(each, otherwise), caseSensitive);
    const groups: { readonly key: Value; readonly name: Value; readonly items: Value[] }[] = [];
    for (const each of sorted(iterate(v), keyOf, undefined)) {
      const last = groups.at(-1);
      if (last !== undefined && equals(last.key, keyOf(each))) last.items.push(each);
      else groups.push({ key: keyOf(each), name: pathOf(by)(each, otherwise), items: [each] });
    }
    return list(groups.map(({ name, items }) => tuple([name, list(items)])));
  },
  indent(v, given) {
    const [width = int(4), first, blank] = bind(given, "width", "first", "blank");
    const pad = isStr(width) ? width.value : " ".repeat(countOf(width));
    const lines = `${textOf(v)}\n`.split(/\r\n|\n|\r/).slice(0, -1);
    const isBlank = blank !== undefined && isTrue(blank);
    const shown = lines.map((line, i) => (i === 0 || (line === "" && !isBlank) ? line : pad + line)).join("\n");
    return str(first !== undefined && isTrue(first) ? pad + shown : shown);
  },
  int(v, given) {
    const [otherwise = int(0), base] = bind(given, "default", "base");
    if (isMissing(v)) throw new TypeError("the value is undefined");
    if (base !== undefined && countOf(base) !== 10) throw new TypeError("only base 10 is read");
    const number = isStr(v) ? numberIn(v.value, /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i) : numberOf(v);
    return number === undefined || !Number.isFinite(number) ? otherwise : int(Math.trunc(number));
  },
  items(v) {
    if (isMissing(v)) return list([]);
    if (!isDict(v)) throw new TypeError("Can only get item pairs from a mapping.");
    return list([...v.value].map(([key, each]) => tuple([str(key), each])));
  },
  join(v, given) {
    const [glue = str(""), by] = bind(given, "d", "attribute");
    const values = by === undefined ? iterate(v) : iterate(v).map((each) => pathOf(by)(each));
    return str(values.map(text).join(text(glue)));
  },
  last: (v) => iterate(v).at(-1) ?? missing,
  length: (v) => int(isStr(v) || isList(v) || isDict(v) || isMissing(v) ? iterate(v).length : noLength(v)),
  list: (v) => list(iterate(v)),
  lower: (v) => str(text(v).toLowerCase()),
  map(v, { args, named: byName }) {
    const by = byName.get("attribute");
    if (args.length === 0 && by !== undefined) return list(passed(v).map((each) => pathOf(by)(each, byName.get("default"))));
    const [name, ...rest] = args;
    return list(passed(v).map((each) => filter(textOf(name), each, { args: rest, named: byName })));
  },
  max: (v, given) => extreme(v, given, 1),
  min: (v, given) => extreme(v, given, -1),
  reject: (v, given) => list(passed(v).filter((each) => !chosen(each, given.args))),
  rejectattr: (v, given) => list(passed(v).filter((each) => !chosenByAttribute(each, given.args))),
  replace: (v, given) => {
    const [old, fresh, count] = bind(given, "old", "new", "count");
    return str(replaced(text(v), { args: [str(text(old ?? missing)), str(text(fresh ?? missing)), count ?? none], named: new Map() }));
  },
  reverse: (v) => (isStr(v) ? str([...characters(v.value)].reverse().join("")) : list([...iterate(v)].reverse())),
  round(v, given) {
    const [precision, method] = bind(given, "precision", "method");
    const [digits, how] = [countOf(precision, 0), textOf(method, "common")];
    const number = numberOf(v);
    if (number === undefined) throw new TypeError(`type ${kindOf(v)} doesn't define __round__ method`);
    if (how === "common") {
      if (!isFloat(v) && digits >= 0) return int(number);
      if (digits < 0) throw new TypeError("a negative precision is not supported");
      return float(Number(fixed(number, digits)));
    }
    if (how !== "ceil" && how !== "floor") throw new TypeError("method must be common, ceil or floor");
    return float(Math[how](number * 10 ** digits) / 10 ** digits);
  },
  safe: (v) => (isStr(v) ? v : str(text(v))),
  select: (v, given) => list(passed(v).filter((each) => chosen(each, given.args))),
  selectattr: (v, given) => list(passed(v).filter((each) => chosenByAttribute(each, given.args))),
  slice(v, given) {
    const [count, fill] = bind(given, "slices", "fill_with");
    const [all, slices] = [iterate(v), countOf(count)];
    const [size, extra] = [Math.floor(all.length / slices), all.length % slices];
    let from = 0;
    const rows = Array.from({ length: slices }, (_, i) => {
      const row = all.slice(from, from + size + (i < extra ? 1 : 0));
      from += row.length;
      return list(fill !== undefined && !isNone(fill) && i >= extra && extra > 0 ? [...row, fill] : row);
    });
    return list(rows);
  },
  sort(v, given) {
    const [reverse, caseSensitive, by] = bind(given, "reverse", "case_sensitive", "attribute");
    const keys =
      by === undefined || isNone(by)
        ? undefined
        : text(by)
            .split(",")
            .map((path) => pathOf(str(path)));
    const keyOf = (each: Value): Value =>
      keys === undefined ? folded(each, caseSensitive) : tuple(keys.map((path) => folded(path(each), caseSensitive)));
    return list(sorted(iterate(v), keyOf, reverse));
  },
  string: (v) => str(text(v)),
  sum(v, given) {
    const [by, start = int(0)] = bind(given, "attribute", "start");
    const values = by === undefined || isNone(by) ? iterate(v) : iterate(v).map((each) => pathOf(by)(each));
    if (isStr(start)) throw new TypeError("sum() can't sum strings");
    return values.reduce((all, each) => operate("+", all, each), start);
  },
  title: (v) =>
    str(
      text(v)
        .split(wordStarts)
        .map((part) => capitalize(part))
        .join(""),
    ),
  tojson: (v, given) => str(toJson(v, given)),
  trim: (v, given) => str(strip(text(v), bind(given, "chars")[0], true, true)),
  unique(v, given) {
    const [caseSensitive, by] = bind(given, "case_sensitive", "attribute");
    const seen: Value[] = [];
    return list(
      iterate(v).filter((each) => {
        const key = folded(by === undefined || isNone(by) ? each : pathOf(by)(each), caseSensitive);
        if (seen.some((other) => equals(other, key))) return false;
        seen.push(key);
        return true;
      }),
    );
  },
  upper: (v) => str(text(v).toUpperCase()),
  wordcount: (v) => int(text(v).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0),
};

const otherNames: Readonly<Record<string, string>> = { d: "default", e: "escape", count: "length" };

/** @throws TypeError for an unknown filter, and for what Python refuses */
export function filter(name: string, value: Value, given: Arguments): Value {
  const own = otherNames[name] ?? name;
  const found = Object.hasOwn(filters, own) ? filters[own] : undefined;
  if (found === undefined) throw new TypeError(`there is no filter '${name}'`);
  return named(name, () => found(value, given));
}

/** What these filters run over: they look at nothing of what is false. */
function passed(v: Value): readonly Value[] {
  return isTrue(v) ? iterate(v) : [];
}

function call(method: Value, args: readonly Value[]): Value {
  return (method.value as (args: readonly Value[]) => Value)(args);
}

function dictOf(entries: ReadonlyMap<string, Value>): Value {
  return { type: "ObjectValue", value: entries, __bool__: () => bool(true) };
}

function noLength(v: Value): never {
  throw new TypeError(`object of type '${kindOf(v)}' has no len()`);
}

function numberIn(given: string, form: RegExp): number | undefined {
  const trimmed = given.trim().replace(/(\d)_(?=\d)/g, "$1");
  return form.test(trimmed) ? Number(trimmed) : undefined;
}

/** Texts are compared without regard to case, unless asked otherwise. */
function folded(v: Value, caseSensitive: Value | undefined): Value {
  return isStr(v) && (caseSensitive === undefined || !isTrue(caseSensitive)) ? str(v.value.toLowerCase()) : v;
}

function sorted(values: readonly Value[], keyOf: (v: Value) => Value, reverse: Value | undefined): readonly Value[] {
  const sign = reverse !== undefined && isTrue(reverse) ? -1 : 1;
  return values
    .map((each) => [keyOf(each), each] as const)
    .sort(([a], [b]) => sign * compare(a, b))
    .map(([, each]) => each);
}

/** `a.b.0`: items along a path. */
function pathOf(by: Value | undefined): (v: Value, otherwise?: Value) => Value {
  const parts = isInt(by ?? missing) ? [text(by ?? missing)] : textOf(by).split(".");
  return (v, otherwise) => {
    const found = parts.reduce((at, part) => item(at, /^\d+$/.test(part) ? int(Number(part)) : str(part)), v);
    return isMissing(found) && otherwise !== undefined ? otherwise : found;
  };
}

function chosen(v: Value, [name, ...args]: readonly Value[]): boolean {
  return name === undefined ? isTrue(v) : test(textOf(name), v, args);
}

function chosenByAttribute(v: Value, [by, ...rest]: readonly Value[]): boolean {
  return chosen(pathOf(by)(v), rest);
}

function extreme(v: Value, given: Arguments, sign: 1 | -1): Value {
  const [caseSensitive, by] = bind(given, "case_sensitive", "attribute");
  const keyOf = (each: Value): Value => folded(by === undefined || isNone(by) ? each : pathOf(by)(each), caseSensitive);
  return iterate(v).reduce((best, each) => (isMissing(best) || sign * compare(keyOf(each), keyOf(best)) > 0 ? each : best), missing);
}
