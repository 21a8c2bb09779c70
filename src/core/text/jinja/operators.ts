/** Operators with Python's meaning. What Python refuses is a TypeError here. */
import { formatPercent } from "./format.ts";
import {
  bool,
  compare,
  equals,
  float,
  int,
  isBool,
  isDict,
  isFloat,
  isInt,
  isList,
  isMissing,
  isStr,
  isTuple,
  iterate,
  kindOf,
  list,
  numberOf,
  str,
  text,
  tuple,
  type Value,
} from "./values.ts";

/** Most items, or characters, of a repeated list or text. */
const longest = 4 * 1024 * 1024;

export function operate(operator: string, a: Value, b: Value): Value {
  switch (operator) {
    case "==":
      return bool(equals(a, b));
    case "!=":
      return bool(!equals(a, b));
    case "<":
      return bool(compare(a, b) < 0);
    case "<=":
      return bool(compare(a, b) <= 0);
    case ">":
      return bool(compare(a, b) > 0);
    case ">=":
      return bool(compare(a, b) >= 0);
    case "in":
      return bool(contains(b, a));
    case "not in":
      return bool(!contains(b, a));
    case "~":
      return str(text(a) + text(b));
    default:
      return compute(operator, a, b);
  }
}

export function contains(container: Value, wanted: Value): boolean {
  if (isStr(container)) {
    if (!isStr(wanted)) throw new TypeError(`'in <string>' requires string as left operand, not ${kindOf(wanted)}`);
    return container.value.includes(wanted.value);
  }
  if (isDict(container)) return isStr(wanted) && container.value.has(wanted.value);
  return iterate(container).some((each) => equals(each, wanted));
}

function compute(operator: string, a: Value, b: Value): Value {
  const refused = new TypeError(`unsupported operand type(s) for ${operator}: '${kindOf(a)}' and '${kindOf(b)}'`);
  if (isMissing(a) || isMissing(b)) throw refused;
  if (operator === "+" && isStr(a) && isStr(b)) return str(a.value + b.value);
  if (operator === "+" && isList(a) && isList(b) && isTuple(a) === isTuple(b)) return (isTuple(a) ? tuple : list)([...a.value, ...b.value]);
  if (operator === "%" && isStr(a)) return str(formatPercent(a.value, b));
  if (operator === "*" && (isStr(a) || isList(a))) return repeated(a, b) ?? fail(refused);
  if (operator === "*" && (isStr(b) || isList(b))) return repeated(b, a) ?? fail(refused);
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x === undefined || y === undefined) throw refused;
  const isReal = isFloat(a) || isFloat(b);
  const made = (value: number): Value => (isReal ? float(value) : int(value));
  if (["/", "//", "%"].includes(operator) && y === 0) throw new TypeError("division by zero");
  switch (operator) {
    case "+":
      return made(x + y);
    case "-":
      return made(x - y);
    case "*":
      return made(x * y);
    case "/":
      return float(x / y);
    case "//":
      return made(Math.floor(x / y));
    case "%": {
      const rest = x % y;
      return made(rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest);
    }
    case "**": {
      const power = x ** y;
      if (!Number.isFinite(power)) throw new TypeError(`${x} ** ${y} is no number that can be shown`);
      return isReal || y < 0 ? float(power) : int(power);
    }
    default:
      throw refused;
  }
}

function fail(error: Error): never {
  throw error;
}

function repeated(what: Value, times: Value): Value | undefined {
  if (!isInt(times) && !isBool(times)) return undefined;
  const count = Math.max(0, Number(times.value));
  const size = isStr(what) ? what.value.length : isList(what) ? what.value.length : 0;
  if (count * size > longest) throw new RangeError(`${count * size} characters or items`);
  if (isStr(what)) return str(what.value.repeat(count));
  if (!isList(what)) return undefined;
  return (isTuple(what) ? tuple : list)(Array.from({ length: count }, () => what.value).flat());
}
