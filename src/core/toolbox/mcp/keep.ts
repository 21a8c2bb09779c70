/** What a server was given to keep: hidden wherever it says that again in an error. */
import { mask } from "../../config/keys.ts";
import { messageOf, SpellError } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { limits } from "../../limits.ts";
import { plain } from "./plain.ts";

export interface Keeper {
  /** A copy of plain data with the secrets masked; the same value where there is none to keep. */
  hide<T>(value: T): T;
  /** The same of an error and of what caused it. */
  hideIn(error: SpellError): SpellError;
}

/** One of fewer characters keeps nothing, and as a secret it would make holes in every text. */
const shortestSecret = 4;

/** @param values of the variables that a server is given */
export function keeperOf(values: readonly string[]): Keeper {
  // as they are, as messages show them, in JSON and in addresses; a whole before its parts
  const forms = values
    .flatMap((value) => [value, value.trim(), plain(value, value.length)])
    .flatMap((text) => [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text.replace(/\p{Cs}/gu, ""))])
    .filter((form) => form.length >= shortestSecret)
    .sort((a, b) => b.length - a.length);
  const secrets = [...new Set(forms)];
  if (secrets.length === 0) return { hide: (value) => value, hideIn: (error) => error };

  const inText = (text: string): string => secrets.reduce((shown, secret) => shown.replaceAll(secret, mask), text);
  const inData = (value: unknown, depth: number): unknown => {
    if (typeof value === "string") return inText(value);
    if (typeof value !== "object" || value === null) return value;
    if (depth > 2 * limits.scriptDepth) return mask;
    if (Array.isArray(value)) return value.map((inner) => inData(inner, depth + 1));
    return isObject(value)
      ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [inText(key), inData(inner, depth + 1)]))
      : value;
  };
  const inCause = (cause: unknown): Error => {
    const copy = new Error(inText(messageOf(cause)));
    if (cause instanceof Error && cause.stack !== undefined) copy.stack = inText(cause.stack);
    return copy;
  };
  const hide = <T>(value: T): T => inData(value, 0) as T; // of the same form
  return {
    hide,
    hideIn: ({ code, message, hint, where, details, actions, cause }) =>
      new SpellError(code, inText(message), {
        hint: inText(hint),
        where: where === undefined ? undefined : inText(where),
        details: hide(details),
        actions,
        cause: cause === undefined ? undefined : inCause(cause),
      }),
  };
}
