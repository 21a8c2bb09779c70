/** Texts made by a pattern: `"%s" % x` and `"{}".format(x)`, in the forms that templates use. What they do not cover is an error. */
import { type Arguments, floatText, isDict, isFloat, isInt, isList, isTuple, kindOf, numberOf, repr, text, type Value } from "./values.ts";

/** `%(name)s`, flags, width and precision. Source: Python's printf-style formatting. */
const printf = /%(?:\((\w+)\))?([-+ 0#]*)(\*|\d+)?(?:\.(\d+))?([a-zA-Z%])/g;

export function formatPercent(pattern: string, given: Value): string {
  const args = isTuple(given) && isList(given) ? given.value : [given];
  let used = 0;
  const next = (): Value => {
    const value = args[used];
    if (value === undefined) throw new TypeError("not enough arguments for format string");
    used += 1;
    return value;
  };
  const shown = pattern.replace(
    printf,
    (whole, name: string | undefined, flags: string, width: string | undefined, precision: string, kind: string) => {
      if (kind === "%") return "%";
      if (width === "*") throw new TypeError(`the format ${whole} is not supported`);
      const value = name === undefined ? next() : isDict(given) ? given.value.get(name) : undefined;
      if (value === undefined) throw new TypeError(`the format ${whole} has no value`);
      const type = kind === "i" || kind === "u" ? "d" : kind;
      const align = flags.includes("-") ? "<" : flags.includes("0") && type !== "s" && type !== "r" ? "=" : ">";
      const sign = flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
      return laidOut(
        converted(value, type, precision === undefined ? undefined : Number(precision), sign),
        width,
        align,
        align === "=" ? "0" : " ",
      );
    },
  );
  if (name(pattern) === undefined && used < args.length && !isDict(given) && (isTuple(given) || !isList(given)))
    throw new TypeError("not all arguments converted during string formatting");
  return shown;
}

const name = (pattern: string): string | undefined => /%\((\w+)\)/.exec(pattern)?.[1];

/** One placeholder: `{}`, `{0}`, `{name}`, `{:>8.2f}`, `{!r}`. */
const brace = /\{\{|\}\}|\{(\w*)(?:!([rs]))?(?::([^{}]*))?\}|[{}]/g;
const spec = /^(?:(.)?([<>^=]))?([-+ ])?(0)?(\d+)?(,)?(?:\.(\d+))?([sdfFgGeExXob%])?$/su;

export function formatBraces(pattern: string, { args, named }: Arguments): string {
  let used = 0;
  return pattern.replace(brace, (whole, key: string | undefined, conversion: string | undefined, form: string | undefined) => {
    if (whole === "{{" || whole === "}}") return whole.charAt(0);
    if (key === undefined) throw new TypeError(`the format has a single ${whole}, or a placeholder that is not supported`);
    const value = key === "" ? args[used++] : /^\d+$/.test(key) ? args[Number(key)] : named.get(key);
    if (value === undefined) throw new TypeError(`the format ${whole} has no value`);
    if (conversion === "r") return formatted(repr(value), undefined, form ?? "", whole);
    return formatted(undefined, value, form ?? "", whole);
  });
}

/** @param shown text that was converted already */
function formatted(shown: string | undefined, value: Value | undefined, form: string, whole: string): string {
  const [isKnown, fill = " ", align, sign = "", zero, width, comma, precision, type] = spec.exec(form) ?? [];
  if (isKnown === undefined || (value !== undefined && form !== "" && !isInt(value) && !isFloat(value) && value.type !== "StringValue"))
    throw new TypeError(`the format ${whole} is not supported`);
  const isNumber = value !== undefined && (isInt(value) || isFloat(value));
  const kind = type ?? (isNumber && isFloat(value) && precision !== undefined ? "g" : isNumber && isInt(value) ? "d" : "s");
  const digits = precision === undefined ? undefined : Number(precision);
  let plain = shown ?? converted(value as Value, kind, digits, sign === "-" ? "" : sign);
  if (comma !== undefined)
    plain = plain.replace(/^([+ -]?)(\d+)/, (_, before: string, whole: string) => before + whole.replace(/\B(?=(\d{3})+$)/g, ","));
  const side = align ?? (zero !== undefined && isNumber ? "=" : isNumber ? ">" : "<");
  return laidOut(plain, width, side, zero !== undefined && align === undefined ? "0" : fill);
}

function converted(value: Value, kind: string, precision: number | undefined, sign: string): string {
  if (kind === "s" || kind === "r") {
    const shown = kind === "s" ? text(value) : repr(value);
    return precision === undefined ? shown : Array.from(shown).slice(0, precision).join("");
  }
  const number = numberOf(value);
  if (number === undefined) throw new TypeError(`%${kind} format: a real number is required, not ${kindOf(value)}`);
  const signed = (shown: string): string =>
    number < 0 || Object.is(number, -0) ? (shown.startsWith("-") ? shown : `-${shown}`) : sign + shown;
  switch (kind) {
    case "d":
      return signed(String(Math.trunc(number)));
    case "f":
    case "F":
      return signed(fixed(number, precision ?? 6));
    case "%":
      return `${signed(fixed(number * 100, precision ?? 6))}%`;
    case "x":
      return signed(number.toString(16));
    case "X":
      return signed(number.toString(16).toUpperCase());
    case "o":
      return signed(number.toString(8));
    case "b":
      return signed(number.toString(2));
    default:
      throw new TypeError(`the format ${kind} is not supported`);
  }
}

/** As Python rounds: what the number is, not what it looks like; a tie to the even digit, where toFixed() takes the larger. */
export function fixed(number: number, digits: number): string {
  if (!Number.isFinite(number)) return floatText(number);
  if (Math.abs(number) >= 1e21 || digits > 100) throw new TypeError(`${number} with ${digits} digits is not supported`);
  const shown = number.toFixed(digits);
  const isTie = /^50*$/.test(
    number
      .toFixed(Math.min(100, digits + 60))
      .split(".")[1]
      ?.slice(digits) ?? "",
  );
  if (!isTie || /[02468]$/.test(shown)) return shown;
  const down = (Math.abs(number) - 10 ** -digits / 2).toFixed(digits);
  return number < 0 ? `-${down}` : down;
}

function laidOut(shown: string, width: string | undefined, align: string, fill: string): string {
  const missing = Number(width ?? 0) - Array.from(shown).length;
  if (missing <= 0) return shown;
  if (missing > 100_000) throw new RangeError(`a width of ${width}`);
  const pad = (count: number): string => fill.repeat(count);
  if (align === "<") return shown + pad(missing);
  if (align === "^") return pad(Math.floor(missing / 2)) + shown + pad(Math.ceil(missing / 2));
  if (align === "=") return shown.replace(/^([+ -]?)/, (sign) => sign + pad(missing));
  return pad(missing) + shown;
}
