/** Where two JSON values differ. */
import { isObject } from "../json.ts";

export interface Difference {
  /** "metadata.seed", "results[2]"; empty: the whole */
  readonly path: string;
  readonly expected: unknown;
  readonly got: unknown;
}

export interface CompareOptions {
  /** names of fields that may differ, at every depth: times, ids */
  readonly ignore?: readonly string[] | undefined;
  /** by how much numbers may differ; default 0 */
  readonly tolerance?: number | undefined;
}

/** Beyond so many the two are simply different. */
const mostDifferences = 100;

/** @returns at most 100, in order; none: they are the same */
export function compare(expected: unknown, got: unknown, { ignore = [], tolerance = 0 }: CompareOptions = {}): readonly Difference[] {
  const found: Difference[] = [];
  const walk = (path: string, a: unknown, b: unknown): void => {
    if (found.length >= mostDifferences || Object.is(a, b)) return;
    if (typeof a === "number" && typeof b === "number" && Math.abs(a - b) <= tolerance) return;
    if (Array.isArray(a) && Array.isArray(b)) {
      for (let i = 0; i < Math.max(a.length, b.length); i++) walk(`${path}[${i}]`, a[i], b[i]);
      return;
    }
    if (isObject(a) && isObject(b)) {
      for (const name of new Set([...Object.keys(a), ...Object.keys(b)]))
        if (!ignore.includes(name)) walk(path === "" ? name : `${path}.${name}`, own(a, name), own(b, name));
      return;
    }
    found.push({ path, expected: a, got: b });
  };
  walk("", expected, got);
  return found;
}

function own(record: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
