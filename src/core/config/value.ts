/** One value against its key, and how both are put into words. */
import type { ConfigKey, ConfigValue } from "./key.ts";
import { isSecret, mask } from "./keys.ts";
import { maskSecrets } from "./mask.ts";

/** @returns the value in its canonical form, or what was wanted */
export function checkValue(key: ConfigKey, value: unknown): { readonly value: ConfigValue } | { readonly wanted: string } {
  const wanted = (more?: string): { readonly wanted: string } => ({ wanted: more ?? describeValues(key) });
  switch (key.type) {
    case "boolean":
      return typeof value === "boolean" ? { value } : wanted();
    case "integer":
    case "number": {
      const number = typeof value === "bigint" ? Number(value) : value;
      if (typeof number !== "number" || !Number.isFinite(number)) return wanted();
      if (key.type === "integer" && !Number.isSafeInteger(number)) return wanted();
      const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = key;
      if (key.least !== undefined && number !== 0 && number < key.least) return wanted();
      const inside = (key.above === true ? number > min : number >= min) && number <= max;
      // -0 is shown as 0
      return inside ? { value: number + 0 } : wanted();
    }
    case "text": {
      if (typeof value !== "string") return wanted();
      if (key.choices !== undefined) {
        const lower = value.toLowerCase();
        const choice = key.choices.find((candidate) => candidate.toLowerCase() === lower) ?? key.aliases?.[lower];
        return choice === undefined ? wanted() : { value: choice };
      }
      if (value.length > (key.longest ?? 4096)) return wanted(`a text of at most ${key.longest ?? 4096} characters`);
      return checkFormat(key, value) ?? { value };
    }
    case "list": {
      if (!Array.isArray(value) || value.length > (key.most ?? 1000)) return wanted();
      const texts = value.filter((text): text is string => typeof text === "string" && text !== "" && text.length <= (key.longest ?? 1024));
      return texts.length === value.length ? { value: texts } : wanted();
    }
  }
}

function checkFormat({ format }: ConfigKey, text: string): { readonly wanted: string } | undefined {
  if (format === "url") return isWebAddress(text) ? undefined : { wanted: "an address that begins with http:// or https://" };
  if (format === "path") return text.includes("\u0000") ? { wanted: "a path" } : undefined;
  if (format === "variable") return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) ? undefined : { wanted: "the name of a variable that holds it" };
  return undefined;
}

function isWebAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  return /^https?:$/.test(new URL(text).protocol) && /^https?:\/\//i.test(text);
}

/** What a key takes, in words: "an integer, 0 … 16", "lua, javascript". */
export function describeValues(key: ConfigKey): string {
  if (key.choices !== undefined) return key.choices.join(", ");
  if (key.least !== undefined) return `0, or an integer, ${key.least} … ${key.max}`;
  const range = `${key.above === true ? "> " : ""}${key.min} … ${key.max}`;
  return {
    boolean: "true or false",
    integer: `an integer, ${range}`,
    number: `a number, ${range}`,
    text: key.format === "url" ? "an address that begins with http:// or https://" : "a text",
    list: `a list of at most ${key.most} texts`,
  }[key.type];
}

/** The value of a secret key is never part of a message; nor is a key that was put where the name of its variable belongs. */
export function showGot(path: string, value: unknown): string {
  return (isSecret(path) || isSecret(path.replace(/_env$/, ""))) && typeof value !== "boolean" ? mask : showValue(value);
}

/** A value in a message: as TOML shows it, short, without secrets. */
export function showValue(value: unknown): string {
  if (typeof value === "number" && !Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value < 0 ? "-inf" : "inf";
  if (value instanceof Date) return `the date ${value.toISOString()}`;
  if (typeof value === "bigint" || typeof value === "number" || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) {
    const shown = value.slice(0, 4).map(showValue).join(", ");
    return `[${shown.slice(0, 60)}${value.length > 4 || shown.length > 60 ? ", …" : ""}]`;
  }
  if (typeof value === "object" && value !== null) return "a table";
  const text = JSON.stringify(maskSecrets(value)) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}… (${text.length - 2} characters)`;
}
