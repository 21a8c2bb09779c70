/** `tojson` as transformers has it: json.dumps of Python, with letters as they are. */
import {
  type Arguments,
  bind,
  countOf,
  floatText,
  isBool,
  isDict,
  isFloat,
  isInt,
  isList,
  isNone,
  isStr,
  isTrue,
  kindOf,
  textOf,
  type Value,
} from "./values.ts";

interface Style {
  readonly indent: string | undefined;
  readonly items: string;
  readonly keys: string;
  readonly ascii: boolean;
  readonly sorted: boolean;
}

/** @throws TypeError for what JSON has no form of */
export function toJson(value: Value, given: Arguments): string {
  const [ascii, indent, separators, sortKeys] = bind(given, "ensure_ascii", "indent", "separators", "sort_keys");
  const isSet = (v: Value | undefined): v is Value => v !== undefined && !isNone(v);
  const pad = isSet(indent) ? (isStr(indent) ? indent.value : " ".repeat(Math.max(0, countOf(indent)))) : undefined;
  let [items, keys] = [pad === undefined ? ", " : ",", ": "];
  if (isSet(separators)) {
    if (!isList(separators) || separators.value.length !== 2) throw new TypeError("separators must be two texts");
    [items, keys] = [textOf(separators.value[0]), textOf(separators.value[1])];
  }
  const style = {
    indent: pad,
    items,
    keys,
    ascii: ascii !== undefined && isTrue(ascii),
    sorted: sortKeys !== undefined && isTrue(sortKeys),
  };
  return write(value, style, "\n");
}

/** @param line the line break, with the indent of the value that is written */
function write(value: Value, style: Style, line: string): string {
  if (isStr(value)) return quoted(value.value, style.ascii);
  if (isInt(value) || isBool(value)) return String(value.value);
  if (isFloat(value)) return jsonNumber(value.value);
  if (isNone(value)) return "null";
  const inner = line + (style.indent ?? "");
  const wrap = (parts: readonly string[], [open, close]: readonly [string, string]): string => {
    if (parts.length === 0) return open + close;
    return style.indent === undefined
      ? open + parts.join(style.items) + close
      : open + inner + parts.join(style.items + inner) + line + close;
  };
  if (isList(value))
    return wrap(
      value.value.map((each) => write(each, style, inner)),
      ["[", "]"],
    );
  if (!isDict(value)) throw new TypeError(`Object of type ${kindOf(value)} is not JSON serializable`);
  const entries = [...value.value];
  if (style.sorted) entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return wrap(
    entries.map(([key, each]) => quoted(key, style.ascii) + style.keys + write(each, style, inner)),
    ["{", "}"],
  );
}

function jsonNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? floatText(value) : value < 0 ? "-Infinity" : "Infinity";
}

/** JSON.stringify() escapes lone surrogates too, which Python leaves; no prompt has any. */
function quoted(value: string, ascii: boolean): string {
  const shown = JSON.stringify(value);
  return ascii ? shown.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`) : shown;
}
