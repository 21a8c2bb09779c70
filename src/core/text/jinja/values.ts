/**
 * The values of @huggingface/jinja with Python's meaning: how they are printed, compared and taken apart. The library does not export their classes;
 * an environment makes one of each.
 */
import { Environment } from "@huggingface/jinja";

export interface Value {
  readonly type: string;
  readonly value: unknown;
  __bool__(): { readonly value: boolean };
}
type Of<Type extends string, Inner> = Value & { readonly type: Type; readonly value: Inner };
export type Int = Of<"IntegerValue", number>;
export type Float = Of<"FloatValue", number>;
export type Str = Of<"StringValue", string>;
export type Bool = Of<"BooleanValue", boolean>;
export type List = Of<"ArrayValue" | "TupleValue", Value[]>;
export type Dict = Of<"ObjectValue" | "KeywordArgumentsValue" | "NamespaceValue", Map<string, Value>>;
export type Call = (args: readonly Value[], scope: Scope) => Value;
export type Func = Of<"FunctionValue", Call>;

/** What is used of the library's Environment; its published types do not resolve here. */
export interface Scope {
  set(name: string, value: unknown): Value;
  setVariable(name: string, value: Value): Value;
  lookupVariable(name: string): Value;
}
export const newScope = (parent?: Scope): Scope => new (Environment as unknown as new (parent?: Scope) => Scope)(parent);

const sample = newScope();
type Made<Type> = new (value: unknown) => Type;
const classOf = <Type>(name: string, value: unknown): Made<Type> => (sample.set(name, value) as object).constructor as Made<Type>;
const [IntClass, FloatClass] = [classOf<Int>("int", 1), classOf<Float>("float", 1.5)];
const [StrClass, BoolClass] = [classOf<Str>("str", ""), classOf<Bool>("bool", true)];
const [ListClass, DictClass] = [classOf<List>("list", []), classOf<Dict>("dict", {})];
const FuncClass = classOf<Func>("func", () => null);

export const none: Value = sample.set("null", null);
export const missing: Value = sample.lookupVariable("no such variable");
export const str = (value: string): Str => new StrClass(value);
export const bool = (value: boolean): Bool => new BoolClass(value);
export const float = (value: number): Float => new FloatClass(value);
export const list = (value: readonly Value[]): List => new ListClass([...value]);
export const dict = (entries: Iterable<readonly [string, Value]>): Dict => new DictClass(new Map(entries));
export const func = (call: Call): Func => new FuncClass(call);
/** Python counts without end; numbers here are exact up to 2^53. */
export function int(value: number): Int {
  if (!Number.isSafeInteger(value)) throw new TypeError(`the whole number ${value} is too large to be exact`);
  return new IntClass(value === 0 ? 0 : value);
}

/** A tuple is a list that is printed, and compared, as one. */
const tuples = new WeakSet<Value>();
export function tuple(value: readonly Value[]): List {
  const made = list(value);
  tuples.add(made);
  return made;
}
/** What prints itself otherwise than as a list: a range, the views of a dict. */
const printed = new WeakMap<Value, string>();
export function printedAs<Type extends Value>(value: Type, text: string): Type {
  printed.set(value, text);
  return value;
}

export const isInt = (v: Value): v is Int => v.type === "IntegerValue";
export const isFloat = (v: Value): v is Float => v.type === "FloatValue";
export const isStr = (v: Value): v is Str => v.type === "StringValue";
export const isBool = (v: Value): v is Bool => v.type === "BooleanValue";
export const isList = (v: Value): v is List => v.type === "ArrayValue" || v.type === "TupleValue";
export const isTuple = (v: Value): boolean => v.type === "TupleValue" || tuples.has(v);
/** A dict; a namespace is none. */
export const isDict = (v: Value): v is Dict => v.type === "ObjectValue" || v.type === "KeywordArgumentsValue";
export const isFunc = (v: Value): v is Func => v.type === "FunctionValue";
export const isNone = (v: Value): boolean => v.type === "NullValue";
export const isMissing = (v: Value): boolean => v.type === "UndefinedValue";
export const isTrue = (v: Value): boolean => v.__bool__().value;

/** A number; of a bool 0 or 1, as Python computes with them. */
export function numberOf(v: Value): number | undefined {
  if (isInt(v) || isFloat(v)) return v.value;
  return isBool(v) ? Number(v.value) : undefined;
}

/** Names as Python has them, for messages. */
export function kindOf(v: Value): string {
  if (isTuple(v)) return "tuple";
  const names: Readonly<Record<string, string>> = {
    IntegerValue: "int",
    FloatValue: "float",
    StringValue: "str",
    BooleanValue: "bool",
    ArrayValue: "list",
    ObjectValue: "dict",
    NamespaceValue: "namespace",
    NullValue: "None",
    UndefinedValue: "undefined",
    FunctionValue: "function",
  };
  return names[v.type] ?? v.type;
}

export const characters = (text: string): readonly string[] => Array.from(text);

/** @throws TypeError where Python raises one */
export function iterate(v: Value): readonly Value[] {
  if (isList(v)) return v.value;
  if (isStr(v)) return characters(v.value).map(str);
  if (isDict(v)) return [...v.value.keys()].map(str);
  if (isMissing(v)) return [];
  throw new TypeError(`'${kindOf(v)}' object is not iterable`);
}

/** As `str()` of Python. */
export function text(v: Value): string {
  if (isStr(v)) return v.value;
  if (isMissing(v)) return "";
  return repr(v);
}

/** As `repr()` of Python. */
export function repr(v: Value): string {
  const own = printed.get(v);
  if (own !== undefined) return own;
  if (isStr(v)) return quoted(v.value);
  if (isInt(v)) return String(v.value);
  if (isFloat(v)) return floatText(v.value);
  if (isBool(v)) return v.value ? "True" : "False";
  if (isNone(v)) return "None";
  if (isMissing(v)) return "Undefined";
  if (isTuple(v) && isList(v)) return v.value.length === 1 ? `(${repr(v.value[0] ?? none)},)` : `(${v.value.map(repr).join(", ")})`;
  if (isList(v)) return `[${v.value.map(repr).join(", ")}]`;
  if (isDict(v)) return `{${[...v.value].map(([key, each]) => `${quoted(key)}: ${repr(each)}`).join(", ")}}`;
  throw new TypeError(`a ${kindOf(v)} is no text`);
}

/** Source: CPython, unicode_repr. */
function quoted(value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", [quote]: `\\${quote}` };
  const hidden = /[\\\p{C}\p{Zl}\p{Zp}'"]|(?! )\p{Zs}/gu;
  const shown = value.replace(hidden, (character) => {
    if (escapes[character] !== undefined) return escapes[character];
    if (character === "'" || character === '"') return character;
    const point = character.codePointAt(0) ?? 0;
    const [mark, digits] = point < 0x100 ? ["x", 2] : point < 0x10000 ? ["u", 4] : ["U", 8];
    return `\\${mark}${point.toString(16).padStart(digits as number, "0")}`;
  });
  return quote + shown + quote;
}

/** The shortest text that gives the number again; with an exponent below 1e-4 and from 1e16 on. Source: CPython, float_repr_style short. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  if (Object.is(value, -0)) return "-0.0";
  const [mantissa = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (value !== 0 && (exponent < -4 || exponent >= 16))
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  const plain = exponent < 0 ? value.toFixed(mantissa.replace(/[-.]/g, "").length - 1 - exponent) : String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}

/** As `==` of Python. */
export function equals(a: Value, b: Value): boolean {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined || y !== undefined) return x === y;
  if (isList(a) && isList(b)) {
    const isSame = isTuple(a) === isTuple(b) && a.value.length === b.value.length;
    return isSame && a.value.every((each, i) => equals(each, b.value[i] ?? missing));
  }
  if (isDict(a) && isDict(b)) {
    const isSame = a.value.size === b.value.size;
    return isSame && [...a.value].every(([key, each]) => b.value.has(key) && equals(each, b.value.get(key) ?? missing));
  }
  if (isStr(a) && isStr(b)) return a.value === b.value;
  return a.type === b.type && a.value === b.value;
}

/** Order of Python: numbers, texts by code points, lists by their items. @throws TypeError for what has no order */
export function compare(a: Value, b: Value): number {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x < y ? -1 : x > y ? 1 : 0;
  if (isStr(a) && isStr(b)) return compareTexts(a.value, b.value);
  if (isList(a) && isList(b) && isTuple(a) === isTuple(b)) {
    for (const [i, each] of a.value.entries()) {
      const other = b.value[i];
      if (other === undefined) return 1;
      if (!equals(each, other)) return compare(each, other);
    }
    return a.value.length - b.value.length;
  }
  throw new TypeError(`'${kindOf(a)}' and '${kindOf(b)}' have no order`);
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  const [x, y] = [characters(a), characters(b)];
  const at = x.findIndex((character, i) => character !== y[i]);
  if (at < 0) return -1;
  return y[at] === undefined ? 1 : (x[at]?.codePointAt(0) ?? 0) - (y[at].codePointAt(0) ?? 0);
}

/** Positional arguments, and those with names. */
export interface Arguments {
  readonly args: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

export function splitArguments(all: readonly Value[]): Arguments {
  const last = all.at(-1);
  const isNamed = last?.type === "KeywordArgumentsValue";
  return { args: isNamed ? all.slice(0, -1) : all, named: isNamed ? (last as Dict).value : new Map() };
}

/** @returns one value per name, in order; undefined where it was not given @throws TypeError for names and numbers that do not fit */
export function bind({ args, named }: Arguments, ...names: readonly string[]): readonly (Value | undefined)[] {
  if (args.length > names.length) throw new TypeError(`takes at most ${names.length} arguments, got ${args.length}`);
  for (const [i, name] of [...named.keys()].map((key) => [names.indexOf(key), key] as const))
    if (i < args.length) throw new TypeError(`got an unexpected argument '${name}'`);
  return names.map((name, i) => args[i] ?? named.get(name));
}

export function textOf(v: Value | undefined, otherwise?: string): string {
  if (v === undefined && otherwise !== undefined) return otherwise;
  if (v !== undefined && isStr(v)) return v.value;
  throw new TypeError(`expected a str, got ${v === undefined ? "nothing" : kindOf(v)}`);
}

export function countOf(v: Value | undefined, otherwise?: number): number {
  if (v === undefined && otherwise !== undefined) return otherwise;
  if (v !== undefined && (isInt(v) || isBool(v))) return Number(v.value);
  throw new TypeError(`expected an int, got ${v === undefined ? "nothing" : kindOf(v)}`);
}
