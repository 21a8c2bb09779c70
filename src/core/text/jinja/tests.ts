/** Jinja's tests, `x is NAME(…)`. Source: jinja2 3.1, tests.py. */
import { contains } from "./operators.ts";
import {
  compare,
  equals,
  isBool,
  isDict,
  isFloat,
  isFunc,
  isInt,
  isList,
  isMissing,
  isNone,
  isStr,
  kindOf,
  missing,
  numberOf,
  text,
  type Value,
} from "./values.ts";

type Test = (value: Value, other: Value) => boolean;

function whole(v: Value): number {
  const number = numberOf(v);
  if (number === undefined) throw new TypeError(`a ${kindOf(v)} is neither odd nor even`);
  return number;
}
const remainder = (v: Value, by: number): number => ((whole(v) % by) + by) % by;

const lower: Test = (v) => text(v) !== text(v).toUpperCase() && text(v) === text(v).toLowerCase();
const upper: Test = (v) => text(v) !== text(v).toLowerCase() && text(v) === text(v).toUpperCase();
const less: Test = (v, other) => compare(v, other) < 0;
const more: Test = (v, other) => compare(v, other) > 0;

const tests: Readonly<Record<string, Test>> = {
  boolean: isBool,
  callable: (v) => isFunc(v) || isMissing(v),
  defined: (v) => !isMissing(v),
  divisibleby: (v, by) => remainder(v, whole(by)) === 0,
  eq: equals,
  equalto: equals,
  "==": equals,
  even: (v) => remainder(v, 2) === 0,
  odd: (v) => remainder(v, 2) === 1,
  false: (v) => isBool(v) && !v.value,
  true: (v) => isBool(v) && v.value,
  float: isFloat,
  integer: isInt,
  number: (v) => numberOf(v) !== undefined,
  ge: (v, other) => compare(v, other) >= 0,
  ">=": (v, other) => compare(v, other) >= 0,
  gt: more,
  greaterthan: more,
  ">": more,
  le: (v, other) => compare(v, other) <= 0,
  "<=": (v, other) => compare(v, other) <= 0,
  lt: less,
  lessthan: less,
  "<": less,
  ne: (v, other) => !equals(v, other),
  "!=": (v, other) => !equals(v, other),
  in: (v, container) => contains(container, v),
  iterable: (v) => isStr(v) || isList(v) || isDict(v) || isMissing(v),
  sequence: (v) => isStr(v) || isList(v) || isDict(v) || isMissing(v),
  mapping: isDict,
  lower,
  upper,
  none: isNone,
  sameas: (v, other) => v === other || (v.type === other.type && (isBool(v) || isNone(v)) && v.value === other.value),
  string: isStr,
  undefined: isMissing,
};

export function isTest(name: string): boolean {
  return Object.hasOwn(tests, name);
}

/** @throws TypeError for an unknown test */
export function test(name: string, value: Value, args: readonly Value[]): boolean {
  const found = isTest(name) ? tests[name] : undefined;
  if (found === undefined) throw new TypeError(`there is no test '${name}'`);
  return found(value, args[0] ?? missing);
}
