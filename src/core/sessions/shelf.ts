/** What sessions, artifacts and calls share: the records, the clock, and the errors. */
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { RecordStore } from "../platform.ts";
import { parseRecord } from "../store/open-records.ts";

export const section = "runtime.sessions";

export interface Shelf {
  open(): Promise<RecordStore>;
  /** milliseconds since the epoch */
  readonly wallTime: () => number;
  /** of this object, in the keys of what it writes: earlier builds gave one number twice, and no key may be another's */
  readonly writer: string;
  /** @throws SpellError session-unknown */
  need(id: string): Promise<unknown>;
  /** @throws SpellError session-unknown; session-status for one that takes nothing more */
  use(id: string): Promise<void>;
}

export const tables = {
  sessions: "sessions",
  /** when a session was last used, apart from it: what one program changes of a session, another's use does not undo */
  used: "used",
  artifacts: (id: string): string => `artifacts/${id}`,
  contents: (id: string): string => `contents/${id}`,
  calls: (id: string): string => `calls/${id}`,
  /** the last number of its artifacts and of its calls */
  numbers: (id: string): string => `numbers/${id}`,
} as const;

/** The sessions directory holds no limit in bytes; the limits are counts. */
export const noLimit: number = Number.MAX_SAFE_INTEGER;

/** Sorts as its number does. */
export function recordKey(sequence: number, writer: string): string {
  return `${String(sequence).padStart(9, "0")}-${writer}`;
}

export function sequenceOf(key: string): number {
  return Number.parseInt(key, 10) || 0;
}

/** The number behind the last of these keys: sessions of earlier builds have no record of it. */
export function numberBehind(keys: readonly string[]): number {
  return 1 + keys.reduce((most, key) => Math.max(most, sequenceOf(key)), 0);
}

/** @throws SpellError store-corrupt for anything but an object */
export function readRecord<T>(text: string, name: string, store: RecordStore): T {
  const value = parseRecord(text, name, store);
  if (isObject(value)) return value as T;
  throw new SpellError("store-corrupt", `${name}: expected an object in ${store.place}, got something else`, { where: store.place });
}

export function fullError(what: string, most: number, key: string): SpellError {
  return new SpellError("session-full", `expected at most ${most} ${what}, got one more`, {
    where: `${section}.${key}`,
    details: { limit: most },
  });
}

/** @param time ISO 8601, or milliseconds @throws SpellError run-option */
export function timeOf(time: string | number, name: string): number {
  const at = typeof time === "number" ? time : Date.parse(time);
  if (Number.isFinite(at)) return at;
  throw new SpellError("run-option", `${name}: expected a time such as 2026-01-31T12:00:00Z, got ${JSON.stringify(time).slice(0, 60)}`, {
    where: name,
  });
}

export function isTags(tags: unknown): tags is readonly string[] {
  return (
    Array.isArray(tags) &&
    tags.length <= limits.sessionTags &&
    tags.every((tag) => typeof tag === "string" && tag.length <= limits.sessionText)
  );
}
