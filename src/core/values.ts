/** Small things that every part needs. */

/** The members that are set; of records that are laid over others, where an undefined one must not hide what it lies on. */
export function definedOnly<T extends object>(value: T): { readonly [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as {
    readonly [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** The text behind %-escapes; of addresses that people type, so a lone % stands for itself. */
export function decodeUri(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The promise of the first call for everybody; a failure is told again, not tried again. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** As once(), for each key. */
export function onceFor<K, T>(make: (key: K) => T): (key: K) => T {
  const made = new Map<K, () => T>();
  return (key) => {
    const known = made.get(key) ?? once(() => make(key));
    made.set(key, known);
    return known();
  };
}

/** A promise that is settled from outside. */
export function deferred<T = void>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  let settle: [resolve: (value: T) => void, reject: (error: unknown) => void] = [() => undefined, () => undefined];
  const promise = new Promise<T>((resolve, reject) => {
    settle = [resolve, reject];
  });
  return { promise, resolve: settle[0], reject: settle[1] };
}

type SnakeKey<K> = K extends `${infer First}${infer Rest}`
  ? First extends Lowercase<First>
    ? `${First}${SnakeKey<Rest>}`
    : `_${Lowercase<First>}${SnakeKey<Rest>}`
  : K;

/** A record with its names in snake_case, all the way down. */
export type Snake<T> = T extends readonly (infer Item)[]
  ? readonly Snake<Item>[]
  : T extends (...args: never[]) => unknown
    ? T
    : T extends object
      ? { readonly [K in keyof T as SnakeKey<K>]: Snake<T[K]> }
      : T;

/** `topK` as `top_k`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Plain data with the names of its records in snake_case: what files, scripts and the command line's JSON show. */
export function toSnake<T>(value: T): Snake<T> {
  return renamed(value, snakeCase) as Snake<T>;
}

/** The names of a record as JavaScript writes them; values stay as they are. */
export function toCamel(record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), value]),
  );
}

function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  const prototype: unknown = typeof value === "object" && value !== null ? Object.getPrototypeOf(value) : undefined;
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value as object).map(([name, inner]) => [rename(name), renamed(inner, rename)]));
}

/** Of none: infinity. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.POSITIVE_INFINITY;
  const high = sorted[Math.floor(sorted.length / 2)] ?? Number.POSITIVE_INFINITY;
  return (low + high) / 2;
}
