/** Checks one value against its key, and words both for messages. */
import type { ConfigKey, ConfigValue } from "./key.ts";
import { isSecret, mask } from "./keys.ts";
import { maskSecrets } from "./mask.ts";

export type Table = Readonly<Record<string, unknown>>;

/** Tables of TOML, and objects of a program that stand for one. */
export function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** @returns the value in its canonical form; undefined where the key does not take it */
export function checkValue(key: ConfigKey, value: unknown): ConfigValue | undefined {
  const { type, choices, aliases = {}, longest = 4096, most = 1000 } = key;
  switch (type) {
    case "boolean":
      return typeof value === "boolean" ? value : undefined;
    case "integer":
    case "number": {
      const number = typeof value === "bigint" ? Number(value) : value;
      // -0 is shown as 0
      return typeof number === "number" && isInRange(key, number) ? number + 0 : undefined;
    }
    case "text": {
      if (typeof value !== "string") return undefined;
      if (choices === undefined) return value.length <= longest && hasFormat(key, value) ? value : undefined;
      const lower = value.toLowerCase();
      return choices.find((choice) => choice.toLowerCase() === lower) ?? (Object.hasOwn(aliases, lower) ? aliases[lower] : undefined);
    }
    case "list": {
      const isText = (text: unknown): text is string =>
        typeof text === "string" && text !== "" && text.length <= longest && hasFormat(key, text);
      return Array.isArray(value) && value.length <= most && value.every(isText) ? value : undefined;
    }
  }
}

function isInRange({ type, min = -Infinity, max = Infinity, above, least = min }: ConfigKey, value: number): boolean {
  if (type === "integer" ? !Number.isSafeInteger(value) : !Number.isFinite(value)) return false;
  return (value === 0 || value >= least) && (above === true ? value > min : value >= min) && value <= max;
}

function hasFormat({ format }: ConfigKey, text: string): boolean {
  if (format === "url") return /^https?:\/\//i.test(text) && URL.canParse(text);
  if (format === "path") return !text.includes("\u0000");
  return format !== "variable" || /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
}

const formats: Readonly<Record<string, string>> = {
  url: "an address that begins with http:// or https://",
  path: "a path",
  variable: "the name of a variable that holds it",
};

/** What a key takes, in words: "an integer from 0 to 16", "lua, javascript". */
export function describeValues({ type, choices, min, max, above, least, format, longest, most }: ConfigKey): string {
  if (choices !== undefined) return choices.join(", ");
  const range = above === true ? `above ${min}, at most ${max}` : `from ${least ?? min} to ${max}`;
  return {
    boolean: "true or false",
    integer: `${least === undefined ? "" : "0 or "}an integer ${range}`,
    number: `a number ${range}`,
    text: formats[format ?? ""] ?? `a text of at most ${longest ?? 4096} characters`,
    list: `a list of at most ${most} texts`,
  }[type];
}

/** Hides the value of a secret key, and of `api_key_env`: a key may have been put where the name of its variable belongs. */
export function showGot(path: string, value: unknown): string {
  return isSecret(path.replace(/_env$/, "")) && typeof value !== "boolean" ? mask : showValue(value);
}

/** A value in a message: as TOML shows it, short, without secrets. */
export function showValue(value: unknown): string {
  if (typeof value === "number") return numberText(value);
  if (value instanceof Date) return `the date ${value.toISOString()}`;
  if (typeof value === "bigint" || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) {
    const shown = value.slice(0, 4).map(showValue).join(", ");
    return `[${shown.slice(0, 60)}${value.length > 4 || shown.length > 60 ? ", …" : ""}]`;
  }
  if (typeof value === "object" && value !== null) return "a table";
  const text = JSON.stringify(maskSecrets(value)) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}… (${text.length - 2} characters)`;
}

/** As TOML writes it. */
export function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "nan" : value < 0 ? "-inf" : "inf";
}
