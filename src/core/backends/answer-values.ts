/** Values in the answers of servers, which are untrusted: each is what it should be, or undefined. */
import { isObject } from "../json.ts";

export type Json = Readonly<Record<string, unknown>>;

/** The words in an error, which is a text or, of other servers and of proxies, an object or a list of them. */
export function wordsOf(value: unknown, depth = 0): string {
  if (typeof value === "string") return value.slice(0, 500);
  if (Array.isArray(value) && depth < 3)
    return value
      .slice(0, 3)
      .map((each) => wordsOf(each, depth + 1))
      .join("; ");
  const known = isObject(value) && depth < 3 ? (value["message"] ?? value["error"] ?? value["detail"] ?? value["msg"]) : undefined;
  return known === undefined || known === null ? String(JSON.stringify(value)).slice(0, 500) : wordsOf(known, depth + 1);
}

/** The objects of a list; anything else in it is left out. */
export function objects(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** A text that is not empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A number that is not negative. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** A number above zero: of a length 0 says that the server does not know it. */
export function positiveOf(value: unknown): number | undefined {
  return numberOf(value) || undefined;
}

/** @returns seconds since the epoch */
export function timeOf(value: unknown): number | undefined {
  const time = Date.parse(textOf(value) ?? "");
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
}

/** Parses text that may be anything. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
